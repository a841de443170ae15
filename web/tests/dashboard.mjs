// The dashboard in a real browser, against the real daemon under the demonstration's world.
//
//   node tests/dashboard.mjs LINK CHROMIUM FOLDER
//
// LINK logs in once; FOLDER gets the screenshots. Prints a line per step, and what was measured; ends with 1 where a step fails.

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { border, evidence } from './border.mjs';
import { dialogs } from './dialogs.mjs';
import { disclosed } from './disclose.mjs';
import { manual } from './manual.mjs';
import { map } from './map.mjs';
import { access, byHand, closed, noticed } from './operate.mjs';
import { pages } from './pages.mjs';

const [link, executablePath, folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node tests/dashboard.mjs LINK CHROMIUM FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const origin = new URL(link).origin;
const axe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
/** Nothing here takes so long on a busy machine. */
const PATIENCE = 20_000;
const PAGES = ['overview', 'attacks', 'mitigation', 'network', 'explore', 'intelligence', 'ledger', 'settings'];

const steps = [];
async function step(name, work) {
  const begun = Date.now();
  const more = await work();
  const line = `ok: ${name} (${Date.now() - begun} ms)${more ? `: ${more}` : ''}`;
  steps.push(line);
  console.log(line);
}

function must(holds, what) {
  if (!holds) throw new Error(what);
}

/** What a page may not do: throw, or be refused by its own policy. */
function watch(page, faults) {
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) faults.push(`${page.url()}: ${message.text()}`);
  });
}

/** Runs axe beside the page: its policy lets no foreign script in, and that shall stay so. */
async function findings(page, only) {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe });
  const all = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const rules = only ? { runOnly: { type: 'rule', values: only } } : { runOnly: all };
  const run = `axe.run(document, ${JSON.stringify(rules)}).then((found) => JSON.stringify(found.violations.map((one) => ({ id: one.id, nodes: one.nodes.map((node) => node.html.slice(0, 200)).slice(0, 3) }))))`;
  const { result } = await session.send('Runtime.evaluate', { expression: run, awaitPromise: true });
  await session.detach();
  return JSON.parse(result.value);
}

/** All pages are looked at before one is complained of. */
const found = [];
async function look(page, where, only) {
  for (const one of await findings(page, only)) found.push(`${where}: ${one.id}: ${one.nodes.join(' ')}`);
}
const clean = () => must(found.length === 0, `axe found\n${found.join('\n')}`);

async function visit(page, path) {
  await page.evaluate((to) => (location.hash = `/${to}`), path);
  await page.locator('main h1').first().waitFor({ timeout: PATIENCE });
  await page.waitForFunction(() => !/Looking…|Asking the daemon/.test(document.querySelector('main')?.textContent ?? ''), undefined, { timeout: PATIENCE });
}

async function theme(page, wanted) {
  const now = await page.evaluate(() => document.documentElement.dataset.theme);
  if (now !== wanted) await page.getByRole('button', { name: 'Switch between light and dark' }).click();
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const faults = [];
let code = 0;
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'light', locale: 'en-GB' });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  watch(page, faults);
  await noticed(page);

  await step('the link logs in once, and leaves the address', async () => {
    await page.goto(link);
    await page.getByText('admin (admin)', { exact: true }).waitFor();
    must(!page.url().includes('login/'), `the secret stays in the address: ${page.url()}`);
    must((await page.getByRole('note').innerText()) === 'DEMO DATA', 'no banner');
    const used = await (await browser.newContext()).newPage();
    await used.goto(link);
    await used.getByText('does not hold any more').waitFor();
    await used.context().close();
  });

  await step('the first useful screen', async () => {
    const paint = async (slow) => {
      const fresh = await context.newPage();
      const session = await context.newCDPSession(fresh);
      await session.send('Emulation.setCPUThrottlingRate', { rate: slow });
      const begun = Date.now();
      await fresh.goto(`${origin}/#/overview`);
      await fresh.locator('[data-sentence]').filter({ hasNotText: 'Looking' }).waitFor();
      const took = Date.now() - begun;
      await fresh.close();
      return took;
    };
    return `${await paint(1)} ms; ${await paint(4)} ms with a processor a quarter as fast`;
  });

  const first = page.locator('main tr[data-attack]').first();
  await step('the attack appears by itself', async () => {
    await visit(page, 'overview');
    // the API is asked beside the page: who is first?
    const api = async () => {
      for (;;) {
        const { items } = await (await context.request.get(`${origin}/api/v1/attacks`)).json();
        if (items.some((one) => one.severity === 'attack')) return Date.now();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const shown = first.waitFor({ timeout: 40_000 }).then(() => Date.now());
    const [inApi, onPage] = await Promise.all([api(), shown]);
    must(onPage - inApi < 5_000, `the page shows it ${onPage - inApi} ms after the API has it`);
    return `${Math.max(0, onPage - inApi)} ms after the API had it`;
  });
  const id = await first.getAttribute('data-attack');

  await step('its page says in words what it is, what would cut it, and who sent it', async () => {
    await visit(page, `attacks/${id}`);
    await page.getByText(/At its peak .* packets\/s arrived/).waitFor();
    await page.locator('article[data-rule]').first().waitFor();
    await page.locator('#sources ~ div table tbody tr').first().waitFor();
    must(/packets .* are dropped|pass at/.test(await page.locator('article[data-rule]').first().innerText()), 'the rule is not told in words');
  });

  await step('flows are explored: a question has an address, and a click narrows it', async () => {
    await visit(page, 'explore?by=target&then=class&last=900');
    const rows = page.locator('main table[data-greatest] tbody tr');
    await rows.first().waitFor();
    const all = await rows.count();
    must(all > 1, 'one target alone');
    const target = await page.locator('main table[data-greatest] tbody button.link').first().innerText();
    await page.locator('main table[data-greatest] tbody button.link').first().click();
    await page.waitForFunction((text) => new URLSearchParams(location.hash.split('?')[1]).get('filter') === `target = ${text}`, target);
    await page.waitForFunction((text) => [...document.querySelectorAll('main table[data-greatest] tbody tr')].every((row) => row.innerText.includes(text)), target);
    await visit(page, 'explore?filter=src-prot+%3D+53');
    await page.getByText(/did you mean/).waitFor();
    await visit(page, `attacks/${id}`);
  });

  await step('a rule goes to routers after a preview, and comes back', async () => {
    // what the daemon told them by itself is taken back first
    await border({ page, origin, id, visit, must });
    await page.getByRole('button', { name: 'Send it to routers…' }).first().click();
    const dialog = page.getByRole('dialog', { name: 'Tell routers' });
    await dialog.getByLabel(/^Why/).fill('trying');
    must((await dialog.getByRole('button', { name: 'Do it' }).count()) === 0, 'it can be done before it was shown');
    await look(page, 'the dialog of an announcement');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByText('What it would do:').waitFor();
    must(/honest/.test(await dialog.locator('[data-price]').innerText()), 'nobody says what it costs');
    await dialog.getByLabel(/minutes/).fill('5');
    must((await dialog.getByRole('button', { name: 'Do it' }).count()) === 0, 'what was shown is not what would be done');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByRole('button', { name: 'Do it' }).click();
    await page.getByText(/^Asked for: /).waitFor();
    const routes = async () => (await (await context.request.get(`${origin}/api/v1/mitigations`)).json()).items.filter((one) => one.actor === 'admin').length;
    must((await routes()) === 1, 'nothing was asked for');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Undone.').waitFor();
    must((await routes()) === 0, 'it was not undone');
  });

  await step('what is grave takes a second person, and panic two steps', async () => {
    await page.getByRole('button', { name: 'Divert or blackhole…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Tell routers' });
    await dialog.locator('select').selectOption('blackhole');
    await dialog.getByLabel(/^Why/).fill('nothing else helps');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByText('the honest too').waitFor();
    await dialog.getByRole('button', { name: 'Do it' }).click();
    await page.getByText(/^Proposed: another person has to agree/).waitFor();
    await page.getByRole('button', { name: 'Close' }).first().click();
    const made = await page.evaluate(async () => {
      const body = JSON.stringify({ name: 'olga', role: 'operator', password: 'another long phrase', reason: 'a second person' });
      const headers = { 'Content-Type': 'application/json', 'X-Spillway-CSRF': localStorage.getItem('spillway.csrf') };
      return (await fetch('/api/v1/users', { method: 'POST', headers, body })).status;
    });
    must(made === 201, `no second person: ${made}`);
    const second = await browser.newContext({ locale: 'en-GB' });
    second.setDefaultTimeout(PATIENCE);
    const hers = await second.newPage();
    watch(hers, faults);
    await hers.goto(`${origin}/#/login`);
    await hers.getByLabel('User').fill('olga');
    await hers.getByLabel('Password').fill('another long phrase');
    await hers.getByRole('button', { name: 'Log in' }).click();
    await hers.getByText('olga (operator)').waitFor();
    // where the network is looked at, it can be agreed to
    await visit(hers, 'network');
    await hers.locator('article[data-proposal]').getByText('blackhole').first().waitFor();
    await hers.getByRole('button', { name: 'Agree…' }).click();
    const agree = hers.getByRole('dialog', { name: 'Agree' });
    await agree.getByLabel(/^Why/).fill('it is so');
    await agree.getByRole('button', { name: 'Agree', exact: true }).click();
    await hers.getByText('Agreed.').waitFor();
    await hers.getByText('Nothing waits for somebody to agree.').waitFor();
    await visit(hers, 'mitigation');
    const hole = (looks) => looks.locator('article[data-mitigation]').filter({ hasText: 'blackhole' });
    await hole(hers).getByText('active').waitFor();

    // the other's page hears of it by itself
    await visit(page, 'mitigation');
    await hole(page).getByText('active').waitFor();
    await page.getByRole('button', { name: 'Panic: withdraw everything…' }).click();
    const panic = page.getByRole('dialog', { name: 'Withdraw everything' });
    await look(page, 'the dialog of the panic button');
    must(/rules in the kernel, rules by hand and bans end/.test(await panic.innerText()), 'it does not say what ends');
    await panic.getByLabel(/^Why/).fill('a drill');
    await panic.getByRole('button', { name: 'Withdraw everything…' }).click();
    must((await hole(page).count()) === 1, 'one step was enough');
    await panic.getByRole('button', { name: 'Yes: Withdraw everything' }).click();
    await page.getByText('Everything is withdrawn.').waitFor();
    await page.getByText('somebody pressed the panic button').waitFor();
    await hers.getByText('somebody pressed the panic button').waitFor();
    await visit(hers, 'overview');
    await hers.locator('[data-mode]').getByText('panic: nothing acts').waitFor();
    await page.getByRole('button', { name: 'Let things begin again…' }).click();
    const resume = page.getByRole('dialog', { name: 'Let things begin again' });
    await resume.getByLabel(/^Why/).fill('the drill is over');
    await resume.getByRole('button', { name: 'Let things begin again' }).click();
    await page.getByRole('button', { name: 'Panic: withdraw everything…' }).waitFor();
    await second.close();
  });

  await step('panic needs no routers, and who filters by another rule is not nobody', async () => {
    const refused = { type: 'about:blank', title: 'Conflict', status: 409, detail: 'no router is spoken with', hint: 'name one below [routing]' };
    await page.route('**/api/v1/mitigations', (route) => route.fulfill({ status: 409, contentType: 'application/problem+json', json: refused }));
    await visit(page, 'overview');
    await page.locator('[data-mode]').getByText(/^enforce: filters act by themselves/).waitFor();
    await visit(page, 'mitigation');
    await page.getByText('no router is spoken with').waitFor();
    await page.getByRole('button', { name: 'Panic: withdraw everything…' }).waitFor();
    await page.unroute('**/api/v1/mitigations');
    const text = 'r1 dst 198.18.1.1/32 proto udp ttl 7 -> drop for 15m';
    const rule = { id: 'r1', text, action: 'drop', collateral: null, expires_at: null, attack: 'a1', state: 'suggested', reason: null, backend: null };
    const told = { id: 7, class: 'flowspec', what: 'r2 dst 198.18.1.1/32 proto udp -> drop for 15m', state: 'active', effect: 'it is dropped', peers: [], reason: 'attack a1: it suffices', until: new Date().toISOString() };
    await page.route('**/api/v1/rules', (route) => route.fulfill({ json: { items: [rule, { ...rule, id: 'r3', attack: 'a11' }], next: null } }));
    await page.route('**/api/v1/mitigations', (route) => route.fulfill({ json: { items: [told], next: null, frozen: false } }));
    await visit(page, 'overview');
    await visit(page, 'mitigation');
    const who = page.locator('#filters ~ * tbody tr');
    await who.filter({ hasText: 'routers, by another rule, as mitigation 7' }).waitFor();
    must((await who.filter({ hasText: 'nobody' }).count()) === 1, 'another attack has its routers, too');
    await page.unroute('**/api/v1/rules');
    await page.unroute('**/api/v1/mitigations');
    await visit(page, 'overview');
  });

  await step('the chart says that it does not count what routers drop', async () => {
    const { items } = await (await context.request.get(`${origin}/api/v1/attacks`)).json();
    const filtered = { ...items[0], state: 'active', severity: 'attack', ended_at: null, mitigation: { step: 'flowspec', reason: '', stands: '', in_force: [{ step: 'flowspec', effect: '', stopped: null, reason: '' }], rejected: [], proposals: [] } };
    // events are made here, and time is: all pages of a context have one clock
    const apart = await browser.newContext({ storageState: await context.storageState() });
    apart.setDefaultTimeout(PATIENCE);
    const fresh = await apart.newPage();
    watch(fresh, faults);
    await fresh.addInitScript(() => {
      globalThis.EventSource = class extends EventTarget {
        constructor() {
          super();
          globalThis.told = this;
          setTimeout(() => this.onopen?.(), 0);
        }
        close() {}
      };
    });
    await fresh.clock.install();
    await fresh.route('**/api/v1/attacks?**', (route) => route.fulfill({ json: { items: [filtered], next: null } }));
    await fresh.goto(`${origin}/#/overview`);
    await fresh.getByText('Routers filter 1 attack: what is dropped there is not counted in this chart.').waitFor();
    must((await fresh.getByText('Nothing is dropped here').count()) === 0, 'it contradicts itself');
    const hear = (target) => fresh.evaluate((attack) => globalThis.told.dispatchEvent(new MessageEvent('attack', { data: JSON.stringify(attack) })), { ...filtered, id: target, target });
    for (const target of ['198.18.1.1/32', '2001:db8::1/128', '198.18.1.3/32']) await hear(target);
    const news = fresh.locator('[aria-live=polite]', { hasText: 'attack' });
    await news.filter({ hasText: /^New attack on 198\.18\.1\.1\/32$/ }).waitFor({ state: 'attached' });
    await fresh.clock.fastForward(10_000);
    await news.filter({ hasText: /^2 new attacks, the last on 198\.18\.1\.3\/32$/ }).waitFor({ state: 'attached' });
    await apart.close();
  });

  await step('keys lead to pages', async () => {
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.getByRole('heading', { name: 'Attacks', exact: true }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('no-such-thing');
    await page.getByText('Show all.').waitFor();
    must(page.url().endsWith('find=no-such-thing'), 'the filter has no address');
    await page.getByText('Show all.').click();
    await page.locator('h1').click();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await look(page, 'the dialog of keys');
    await page.keyboard.press('Escape');
  });

  await step('a proof verifies in the browser and a forged one does not', async () => {
    await visit(page, 'ledger');
    await page.getByRole('button', { name: /^Verify here, entry / }).last().click();
    await page.locator('[data-proven=true]').first().waitFor();
    const read = async (path) => Buffer.from(await (await context.request.get(`${origin}${path}`)).body());
    const [entry, proof] = [await read('/api/v1/ledger/0'), await read('/api/v1/ledger/0/proof')];
    const forgedEntry = Buffer.from(entry.toString().replace('"time":"20', '"time":"21'));
    const lines = proof.toString().split('\n');
    const at = lines.findIndex((line) => line.startsWith('\u2014'));
    const mark = lines[at].lastIndexOf(' ') + 12;
    lines[at] = lines[at].slice(0, mark) + (lines[at][mark] === 'A' ? 'B' : 'A') + lines[at].slice(mark + 1);
    const forgedSignature = Buffer.from(lines.join('\n'));
    const grown = Buffer.from(proof.toString().replace('index 0', 'index 1'));
    must(!forgedEntry.equals(entry) && !forgedSignature.equals(proof) && !grown.equals(proof), 'nothing was forged');
    const form = page.locator('form[data-own]');
    const verdict = page.locator('p[data-proven]');
    for (const [what, file, by, proven] of [
      ['as it is', entry, proof, true],
      ['another entry', forgedEntry, proof, false],
      ['another signature', entry, forgedSignature, false],
      ['another place', entry, grown, false],
    ]) {
      await form.locator('[name=proof]').setInputFiles({ name: 'entry.proof', mimeType: 'text/plain', buffer: by });
      await form.locator('[name=file]').setInputFiles({ name: 'entry.json', mimeType: 'application/json', buffer: file });
      await verdict.waitFor({ state: 'detached' });
      await form.getByRole('button', { name: 'Verify' }).click();
      await verdict.waitFor();
      must((await verdict.getAttribute('data-proven')) === String(proven), `${what}: ${await verdict.innerText()}`);
    }
  });

  await step('a customer is added, and sees only what is its own', async () => {
    const attacks = (await (await context.request.get(`${origin}/api/v1/attacks`)).json()).items;
    const own = attacks.find((attack) => attack.id === id);
    await visit(page, 'settings');
    await page.getByText('Add one').click();
    await page.locator('[name=new-user]').fill('acme');
    await page.locator('[name=new-role]').selectOption('customer');
    await page.locator('[name=new-prefixes]').fill(own.targets.join(' '));
    await page.locator('[name=new-password]').fill('a long pass phrase');
    await page.locator('[name=new-reason]').fill('a test');
    await page.getByRole('button', { name: 'Add the user' }).click();
    await page.locator('tr[data-user=acme]').waitFor();
    await page.getByText('user.add').first().waitFor();

    // a narrow screen has no room for who is logged in: Settings say it
    const other = await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'dark', locale: 'en-GB', reducedMotion: 'reduce' });
    other.setDefaultTimeout(PATIENCE);
    const theirs = await other.newPage();
    watch(theirs, faults);
    await theirs.goto(`${origin}/#/login`);
    await theirs.getByLabel('User').fill('acme');
    await theirs.getByLabel('Password').fill('wrong pass phrase');
    await theirs.getByRole('button', { name: 'Log in' }).click();
    await theirs.getByText('does not have this password').waitFor();
    await theirs.getByLabel('Password').fill('a long pass phrase');
    await theirs.getByRole('button', { name: 'Log in' }).click();
    await theirs.getByText('acme (customer)').waitFor({ state: 'attached' });
    await theirs.locator(`article[data-attack="${id}"]`).waitFor();
    const shown = await theirs.locator('article[data-attack]').evaluateAll((all) => all.map((one) => one.dataset.attack));
    const theirOwn = attacks.filter((attack) => attack.targets.some((target) => own.targets.includes(target))).map((attack) => attack.id);
    must(shown.every((one) => theirOwn.includes(one)), `sees ${shown}, and ${theirOwn} is its own`);
    const names = await theirs.locator('nav a').allInnerTexts();
    must(!names.includes('Overview') && !names.includes('Network'), `offered: ${names}`);
    const wide = await theirs.evaluate(() => document.documentElement.scrollWidth);
    must(wide <= 390, `a narrow screen has to scroll sideways: ${wide} px`);
    // what was cut, by routers, and that it was taken back
    await theirs.locator(`article[data-attack="${id}"] [data-class=flowspec]`).filter({ hasText: /Routers dropped .* from \d\d:\d\d:\d\d UTC (to|until)/s }).first().waitFor();
    await theme(theirs, 'light');
    await look(theirs, "the customer's portal, light");
    await theirs.screenshot({ path: join(folder, 'customer-portal-narrow-light.png'), fullPage: true });
    await theme(theirs, 'dark');
    for (const path of ['portal', `attacks/${id}`, 'ledger']) {
      await visit(theirs, path);
      await look(theirs, `the customer's ${path}`);
      await theirs.screenshot({ path: join(folder, `customer-${path.split('/')[0]}-narrow.png`), fullPage: true });
    }
    await other.close();
  });

  await pages({ browser, page, origin, folder, id, patience: PATIENCE, step, must, visit, look, watch, faults });
  await map({ page, context, origin, step, must, visit, look });

  await step('a lost connection is said, comes back, and a reload stays logged in', async () => {
    const connection = page.locator('[data-connection]');
    await page.locator('[data-connection=live]').waitFor();
    await context.setOffline(true);
    await page.locator('[data-connection=lost]').waitFor();
    await context.setOffline(false);
    await page.locator('[data-connection=live]').waitFor();
    must(/resumed/.test(await connection.innerText()), 'nobody says that it came back');
    await page.reload();
    await page.getByText('admin (admin)', { exact: true }).waitFor();
    await page.locator('[data-connection=live]').waitFor();
  });

  await step('every page in both themes: nothing that axe finds', async () => {
    for (const colours of ['light', 'dark']) {
      await theme(page, colours);
      for (const path of [...PAGES, `attacks/${id}`]) {
        await visit(page, path);
        // the other theme has other colours, and nothing else
        await look(page, `${path}, ${colours}`, colours === 'light' ? undefined : ['color-contrast']);
        await page.screenshot({ path: join(folder, `${path.includes('/') ? 'attack' : path}-${colours}.png`), fullPage: true });
      }
    }
  });

  await step('on a narrow screen no page scrolls sideways', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of [...PAGES, `attacks/${id}`]) {
      await visit(page, path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      must(wide <= 390, `${path} is ${wide} px wide`);
    }
    await visit(page, 'overview');
    await page.screenshot({ path: join(folder, 'overview-narrow.png'), fullPage: true });
  });

  await page.setViewportSize({ width: 1280, height: 900 });
  await dialogs({ page, step, visit, look, theme, must });
  await disclosed({ browser, page, origin, patience: PATIENCE, step, must, visit, look, watch, faults, folder });
  await byHand({ page, origin, id, step, must, visit, look, folder });
  await closed({ page, origin, step, must, visit, look });
  await access({ page, origin, step, must, visit, look });
  await manual({ step, page, origin, look, must, folder });
  await evidence({ browser, page, origin, id, step, must, visit, look });

  await step('a screen on the wall has nothing to press', async () => {
    await page.setViewportSize({ width: 1920, height: 1080 });
    await page.goto(`${origin}/?kiosk=1#/overview`);
    await page.locator('[data-sentence]').filter({ hasNotText: 'Looking' }).waitFor();
    must((await page.locator('header button, header nav').count()) === 0, 'there are controls');
    must((await page.locator(':is(select, details, button):visible').count()) === 0, 'there is something to press');
    const boxes = await page.locator('main > *').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));
    must(boxes.length === 5 && boxes.every((box) => box.height > 0 && box.bottom <= 1080 && box.right <= 1920), `it does not fit: ${JSON.stringify(boxes)}`);
    must((await page.locator('.chart').boundingBox()).height > 200, 'no room for the chart');
    for (const [name, press] of [['dark', false], ['light', true]]) {
      // nothing to press there: whoever hangs it up has chosen a theme before
      if (press) await page.evaluate(() => { document.documentElement.dataset.theme = 'light'; });
      await look(page, `the wall, ${name}`);
      await page.screenshot({ path: join(folder, `overview-kiosk-${name}.png`) });
    }
    await page.goto(`${origin}/#/overview`);
  });

  await step('who logs out looks on and changes nothing', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await look(page, 'the login');
    await page.screenshot({ path: join(folder, 'login-dark.png') });
    await page.getByText('Look on without logging in').click();
    await page.getByText('looking on').waitFor();
    await visit(page, 'mitigation');
    must((await page.getByRole('button', { name: /Panic/ }).count()) === 0, 'a viewer is offered the panic button');
  });
  clean();
  must(faults.length === 0, `errors of pages: ${faults.join('; ')}`);
} catch (error) {
  console.error(`failed after ${steps.length} steps: ${error.stack ?? error}`);
  for (const fault of faults) console.error(fault);
  const pages = browser.contexts().flatMap((context) => context.pages());
  for (const [number, page] of pages.entries()) {
    await page.screenshot({ path: join(folder, `failed-${number}.png`) }).catch(() => undefined);
  }
  code = 1;
} finally {
  await browser.close();
}
process.exit(code);
