// Steps of tests/dashboard.mjs: what the daemon told the border by itself, and the evidence that it keeps.

import { readFileSync } from 'node:fs';

/** Asks until what is told fits, for a minute at most. */
async function told(page, url, fits) {
  for (let left = 300; left > 0; left -= 1) {
    const answer = await (await page.context().request.get(url)).json();
    const found = fits(answer);
    if (found) return found;
    await page.waitForTimeout(200);
  }
  throw new Error(`${url} did not tell what was waited for`);
}

/** An attack's rules stand at the border, its page says since when, and a person takes them back. `kit` is what dashboard.mjs has. */
export async function border({ page, origin, id, visit, must }) {
  const { targets } = await told(page, `${origin}/api/v1/attacks/${id}`, (attack) => attack);
  const mine = (one) => one.class === 'flowspec' && one.state === 'active' && targets.some((target) => one.what.includes(target));
  const standing = async () => (await (await page.context().request.get(`${origin}/api/v1/mitigations`)).json()).items.filter(mine);
  const first = await told(page, `${origin}/api/v1/mitigations`, ({ items }) => items.find(mine));
  must(first.actor !== 'admin' && first.reason.startsWith(`attack ${id}: `), `who asked for it? ${JSON.stringify(first)}`);
  await visit(page, `attacks/${id}`);
  await page.locator('#over-time ~ figure .legend').getByText(/routers were told: flowspec/).first().waitFor();
  await page.locator('[data-elsewhere]').getByText('routers filter').waitFor();
  const ran = await told(page, `${origin}/api/v1/attacks/${id}/course`, (course) => course);
  const legend = await page.locator('#over-time ~ figure .legend').innerText();
  must(ran.vectors.every((one) => legend.includes(one.name)), `a vector is not drawn: ${legend}`);
  await visit(page, 'network');
  await page.locator('main').getByText('established').first().waitFor();
  await visit(page, 'mitigation');
  for (let left = await standing(); left.length > 0; left = await standing()) {
    const one = page.locator(`article[data-mitigation="${left[0].id}"]`);
    must(/border: announced/.test(await one.innerText()), `the border has it not: ${await one.innerText()}`);
    await one.getByRole('button', { name: 'Withdraw…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Withdraw' });
    await dialog.getByLabel(/^Why/).fill('by hand instead');
    await dialog.getByRole('button', { name: 'Withdraw', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  }
  await visit(page, `attacks/${id}`);
}

/** Bags are listed with their seal; what changes something takes a reason, and what leaves is noted first. */
export async function evidence({ browser, page, origin, id, step, must, visit, look }) {
  const row = page.locator(`tr[data-bag="${id}"]`);
  const answered = async (button, title, done) => {
    await row.getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog', { name: title });
    await dialog.getByLabel(/^Why/).fill('case 17/2026');
    await dialog.getByRole('button', { name: title, exact: true }).click();
    await page.getByText(done).waitFor();
  };

  await step('evidence is there, whole, held, let go of, and taken away by who may', async () => {
    await visit(page, 'ledger');
    await row.waitFor();
    // it is sealed when the attack is over for long enough
    await page.locator(`tr[data-bag="${id}"][data-state=sealed]`).waitFor({ timeout: 180_000 });
    const seal = await row.locator('[title]').getAttribute('title');
    must(/^[0-9a-f]{64}$/.test(seal), `no seal: ${seal}`);
    await row.getByRole('button', { name: /^Verify/ }).click();
    await row.locator('[data-whole=true]').waitFor();
    await answered(/^Hold/, 'Hold it', 'It is held.');
    await row.getByText('case 17/2026').waitFor();
    await look(page, 'ledger with evidence');
    await answered(/^Let go/, 'Let go of it', 'It is not held any more.');
    const [file] = await Promise.all([page.waitForEvent('download'), answered(/^Take a copy/, 'Take a copy', /The copy is yours/)]);
    const octets = readFileSync(await file.path());
    must(file.suggestedFilename() === `evidence-${id}.tar` && octets.subarray(257, 262).toString() === 'ustar', 'it is no archive');
    const { items } = await (await page.context().request.get(`${origin}/api/v1/audit`)).json();
    for (const action of ['evidence.hold', 'evidence.release', 'evidence.download']) must(items.some((line) => line.action === action && line.object === id && line.done), `${action} is in no audit trail`);
    // the attack's own page has it, too
    await visit(page, `attacks/${id}`);
    await page.getByRole('button', { name: 'Verify the evidence' }).click();
    await page.locator('[data-whole=true]').waitFor();
    await page.getByRole('button', { name: 'Take a copy of the evidence…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Take a copy' });
    await dialog.getByLabel(/^Why/).fill('case 17/2026');
    await look(page, 'the dialog of a copy');
    const [again] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Take a copy', exact: true }).click()]);
    const second = readFileSync(await again.path());
    // each says whose and when it is, so they are not the same file
    must(second.length === octets.length && second.subarray(257, 262).toString() === 'ustar', 'another copy is no archive like it');
    return `${octets.length} octets`;
  });

  await step('without evidence its place says how to keep some, and a customer sees none', async () => {
    await page.route('**/api/v1/evidence?**', (route) => route.fulfill({ json: { items: [], next: null } }));
    await visit(page, 'overview');
    await visit(page, 'ledger');
    await page.getByText('No evidence is kept.').waitFor();
    await page.unroute('**/api/v1/evidence?**');
    // made before, for a report of its own
    const other = await browser.newContext();
    const opened = await other.request.post(`${origin}/api/v1/session`, { data: { user: 'birch', password: 'one more long phrase' } });
    must(opened.ok(), `no customer: ${opened.status()}`);
    const status = (await other.request.get(`${origin}/api/v1/evidence`)).status();
    must(status === 403, `a customer is told: ${status}`);
    // what was cut is told when the attack is over, too
    const theirs = await other.newPage();
    await theirs.goto(`${origin}/#/portal`);
    const over = theirs.locator(`article[data-attack="${id}"]`);
    await over.getByText('It is over').waitFor();
    await over.locator('[data-class=flowspec]').filter({ hasText: /Routers dropped .* to \d\d:\d\d:\d\d UTC/s }).first().waitFor();
    await other.close();
  });
}
