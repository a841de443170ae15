// Steps of tests/dashboard.mjs: what a person does on an attack's page and in the settings.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** From now on the page notes by its own clock when the row of an attack is first there. */
export async function noticed(page) {
  await page.addInitScript(() => {
    globalThis.rowsSeen = {};
    const look = () => {
      for (const row of document.querySelectorAll('main tr[data-attack]')) globalThis.rowsSeen[row.dataset.attack] ??= Date.now();
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-attack'] });
  });
}

/** Fills in why, presses the button of that name, and waits until the dialog is gone. */
async function ordered(page, title, { twice = false, look } = {}) {
  const dialog = page.getByRole('dialog', { name: title });
  await dialog.getByLabel(/^Why/).fill('a test');
  if (look) await look(page, `the dialog: ${title}`);
  await dialog.locator('form button').first().click();
  if (twice) await dialog.getByRole('button', { name: `Yes: ${title}` }).click();
  await dialog.waitFor({ state: 'detached' });
}

async function downloaded(page, link) {
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

/** A rule in the kernel: the demonstration has no filters, which it says; what a daemon with some answers is made up. */
export async function byHand({ page, origin, id, step, must, visit, look, folder }) {
  await step('a rule by hand is shown before it is made, and undone', async () => {
    await visit(page, 'mitigation');
    await page.getByRole('button', { name: 'Make a rule…' }).click();
    const dialog = page.getByRole('dialog', { name: 'A rule by hand' });
    await dialog.locator('[name=rule]').fill('dst 198.18.1.1/32 proto udp src-port 123 -> drop');
    await dialog.getByLabel(/^Why/).fill('trying');
    must((await dialog.getByRole('button', { name: 'Do it' }).count()) === 0, 'it can be made before it was shown');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByText('this machine has no filters').waitFor();
    const held = { kind: 'rule', id: 4, rule: 'm4', text: 'm4 @1 dst 198.18.1.1/32 proto udp src-port 123 -> drop', owner: 'admin', reason: 'trying', at: new Date().toISOString(), until: new Date(Date.now() + 900_000).toISOString(), confirm_by: null };
    const hit = { id: 'm', unknown: [], attacks: { bytes: 900, packets: 9000, samples: 9 }, others: { bytes: 100, packets: 20, samples: 1 }, hosts: [{ target: '198.18.1.1', bytes: 100, packets: 20 }], partial: null };
    const posted = [];
    let made = [];
    await page.route('**/api/v1/rules', (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      const body = route.request().postDataJSON();
      posted.push(body);
      if (body.dry_run) return route.fulfill({ json: { ...held, id: null, rule: null, notes: ['it hits what is never to be dropped'], preview: { rules: [hit] }, no_preview: null } });
      made = [{ ...held, confirm_by: held.until }];
      return route.fulfill({ status: 201, json: { ...held, notes: [] } });
    });
    await page.route('**/api/v1/rules/made', (route) => route.fulfill({ json: { items: made, next: null } }));
    await page.route('**/api/v1/rules/m4/*', (route) => {
      posted.push(route.request().url().split('/').at(-1));
      made = [];
      return route.fulfill({ json: { ended: [4], rule: 'm4', exceptions: [] } });
    });
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.locator('[data-would]').getByText(/would have hit 9\s000 packets of hosts under attack, and 20 of others/).waitFor();
    await look(page, 'the dialog of a rule by hand');
    await page.screenshot({ path: join(folder, 'rule-by-hand.png') });
    await dialog.locator('[name=minutes]').fill('5');
    must((await dialog.getByRole('button', { name: 'Do it' }).count()) === 0, 'what was shown is not what would be made');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByRole('button', { name: 'Do it' }).click();
    await page.getByText(/^Rule m4 goes into the kernel, until/).waitFor();
    await page.locator('article[data-made=m4]').getByText('reverts at').waitFor();
    must((await page.getByRole('button', { name: 'Confirm rule m4…' }).count()) === 1, 'a wide one cannot be confirmed');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Undone.').waitFor();
    const last = posted.at(-2);
    must(posted.at(-1) === 'withdraw' && last.hold === 300 && last.reason === 'trying' && !last.dry_run, `asked for: ${JSON.stringify(posted)}`);
    for (const path of ['rules', 'rules/made', 'rules/m4/*']) await page.unroute(`**/api/v1/${path}`);
    await page.getByRole('button', { name: 'Close' }).first().click();
  });

  await step('an attack has notes, and a report in three forms', async () => {
    await visit(page, `attacks/${id}`);
    await page.locator('[name=note]').fill('called the customer <b>');
    await page.getByRole('button', { name: 'Write it down' }).click();
    await page.locator('[data-note]').getByText('called the customer <b>').waitFor();
    const html = await downloaded(page, page.getByRole('link', { name: 'as a page' }));
    must(html.name === `attack-${id}.html` && html.text.includes('called the customer &lt;b&gt;') && !html.text.includes('<script'), `no report: ${html.text.slice(0, 300)}`);
    const text = await downloaded(page, page.getByRole('link', { name: 'as text' }));
    must(text.name === `attack-${id}.txt` && text.text.startsWith(`Attack ${id}\n`), `no text: ${text.text.slice(0, 300)}`);
    const json = JSON.parse((await downloaded(page, page.getByRole('link', { name: 'as JSON' }))).text);
    must(json.attack.id === id && json.explanation.steps.length > 2 && json.notes[0].text === 'called the customer <b>', 'no document');
    await page.locator('[data-class=flowspec]').first().waitFor();
    return `${html.text.length} octets as a page`;
  });
}

/** An attack that is asked for: how long until its row is there; then a person calls it over. */
export async function closed({ page, origin, step, must, visit, look }) {
  const ask = async (path) => (await page.context().request.get(`${origin}${path}`)).json();
  let id = '';
  await step('from the daemon’s decision to the row on the page', async () => {
    await visit(page, 'overview');
    const clicked = Date.now();
    await page.getByRole('button', { name: /^Start / }).and(page.locator(':enabled')).first().click();
    // rows that were there when the page was loaded, or while another page was looked at, tell nothing
    const took = (one, seen) => seen[one.id] - Date.parse(one.detected_at);
    let found;
    while (!found) {
      await page.waitForTimeout(200);
      const seen = await page.evaluate(() => globalThis.rowsSeen);
      const { items } = await ask('/api/v1/attacks?state=active');
      found = items.find((one) => one.severity === 'attack' && Date.parse(one.detected_at) > clicked && seen[one.id]);
      if (found) {
        id = found.id;
        return `${took(found, seen)} ms by the page’s clock`;
      }
      must(Date.now() - clicked < 120_000, 'nothing that was asked for appeared');
    }
    return '';
  });

  await step('a person calls an attack over', async () => {
    await visit(page, `attacks/${id}`);
    await page.getByRole('button', { name: 'Call it over…' }).click();
    await ordered(page, 'Call it over', { twice: true, look });
    for (;;) {
      const one = await ask(`/api/v1/attacks/${id}`);
      if (one.state === 'over') break;
      await page.waitForTimeout(100);
    }
    await page.getByText(/^It is over; its rules have ended/).waitFor();
    must((await page.getByRole('button', { name: 'Call it over…' }).count()) === 0, 'it can be called over twice');
  });
}

/** Users, tokens and channels, by page. */
export async function access({ page, origin, step, must, visit, look }) {
  await step('a channel is tried, and says what came of it', async () => {
    await visit(page, 'settings');
    await page.getByRole('button', { name: 'Test log' }).click();
    await page.locator('[aria-labelledby=notifications] [role=status]').getByText(/log: arrived as /).waitFor();
    const { items } = await (await page.context().request.get(`${origin}/api/v1/audit?limit=20`)).json();
    must(items.some((line) => line.action.startsWith('notif') && line.object === 'log'), `nobody wrote it down: ${JSON.stringify(items.slice(0, 3))}`);
  });

  await step('a user gets another role and password and is removed, a token is made and revoked; each with its reason', async () => {
    await visit(page, 'settings');
    const row = page.locator('tr[data-user=acme]');
    await row.getByRole('button', { name: 'Change acme…' }).click();
    const form = page.locator('form[data-editing=acme]');
    await form.locator('[name=role]').selectOption('viewer');
    await form.locator('[name=password]').fill('another pass phrase');
    await form.locator('[name=reason]').fill('it is no customer any more');
    await look(page, 'settings with a user that is changed');
    await form.getByRole('button', { name: 'Change acme' }).click();
    await row.getByText('viewer').waitFor();
    const logIn = async (password) => (await page.context().browser().newContext()).request.post(`${origin}/api/v1/session`, { data: { user: 'acme', password } });
    must((await logIn('a long pass phrase')).status() === 401, 'the old password holds');
    must((await logIn('another pass phrase')).ok(), 'the new password does not hold');
    await row.getByRole('button', { name: 'Remove acme…' }).click();
    await ordered(page, 'Remove the user', { twice: true, look });
    await row.waitFor({ state: 'detached' });
    must((await page.getByRole('button', { name: 'Remove admin…' }).count()) === 0, 'one removes oneself');

    await page.locator('[name=token-label]').fill('grafana');
    await page.locator('[name=token-days]').fill('30');
    await page.locator('[name=token-reason]').fill('boards');
    await page.getByRole('button', { name: 'Make a token' }).click();
    const secret = await page.locator('[data-secret] code').innerText();
    const bearer = { headers: { Authorization: `Bearer ${secret}` } };
    const other = await page.context().browser().newContext();
    must((await other.request.get(`${origin}/api/v1/me`, bearer)).ok(), 'the token opens nothing');
    const token = page.locator('tr[data-token=grafana]');
    await token.getByRole('button', { name: /^Revoke/ }).click();
    await ordered(page, 'Revoke the token', { look });
    await token.waitFor({ state: 'detached' });
    must((await other.request.get(`${origin}/api/v1/me`, bearer)).status() === 401, 'it opens on');
    await other.close();
    const { items } = await (await page.context().request.get(`${origin}/api/v1/audit?limit=50`)).json();
    for (const [action, reason] of [['user.role', 'it is no customer any more'], ['user.password', 'it is no customer any more'], ['user.remove', 'a test'], ['token.add', 'boards'], ['token.revoke', 'a test']]) {
      must(items.some((line) => line.action === action && line.reason === reason && line.done), `${action} is in no audit trail: ${JSON.stringify(items.slice(0, 8))}`);
    }
  });
}
