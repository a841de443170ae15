// Steps of tests/dashboard.mjs: what the pages of attacks, flows, intelligence, mitigation and settings show and do.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file that a click hands over. */
async function downloaded(page, button) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return { name: file.suggestedFilename(), octets: readFileSync(await file.path()) };
}

/** `id`: an attack that goes on. */
export async function pages({ browser, page, origin, folder, id, patience, step, must, visit, look, watch, faults }) {
  await step('an attack is drawn over time with its marks, and some of its packets are shown', async () => {
    await visit(page, `attacks/${id}`);
    await page.locator('#over-time ~ figure canvas').waitFor();
    const marks = await page.locator('#over-time ~ figure .legend').innerText();
    must(/first packet/.test(marks) && /found, .* later/.test(marks), `marks are missing: ${marks}`);
    const packets = page.locator('table[data-packets] tbody tr');
    await packets.first().waitFor();
    must(/octets/.test(await packets.first().innerText()), 'no number has its unit');
    await page.locator('table[data-packets] details summary').first().click();
    // an IP header begins with its version
    must(/^0000 {2}[46]/.test(await page.locator('table[data-packets] pre').first().innerText()), 'the headers are no IP packet');
    await page.emulateMedia({ media: 'print' });
    must(!(await page.getByRole('button', { name: 'Print this page as a report' }).isVisible()), 'paper has buttons');
    await page.emulateMedia({ media: null });
    return `${await packets.count()} packets`;
  });

  await step('a filter is completed while it is written', async () => {
    await visit(page, 'explore?by=class&last=900');
    const box = page.getByRole('combobox', { name: /^Filter/ });
    await page.locator('table[data-greatest] tbody tr').first().waitFor();
    await box.click();
    await box.pressSequentially('dire');
    for (const key of ['ArrowDown', 'Tab', 'ArrowDown', 'Tab', 'ArrowDown', 'Tab']) await box.press(key);
    must((await box.inputValue()) === 'direction = in ', `it became: ${await box.inputValue()}`);
    await box.pressSequentially('and class = ');
    const offers = await page.locator('#offers [role=option]').allInnerTexts();
    const seen = await page.locator('table[data-greatest] tbody td.mono').first().innerText();
    must(offers.some((one) => one.startsWith(seen)), `${seen} was in the answer, and is not offered: ${offers}`);
    await box.press('Escape');
    must((await page.locator('#offers [role=option]').count()) === 0, 'the list stays');
    await box.fill('direction = in');
    await box.press('Escape');
    await box.press('Enter');
    await page.waitForFunction(() => new URLSearchParams(location.hash.split('?')[1]).get('filter') === 'direction = in');
  });

  await step('flows are seen as lines, stacked, as a heat map and as a Sankey diagram, each with its table', async () => {
    for (const view of ['stacked', 'heat', 'sankey', 'lines']) {
      await visit(page, `explore?by=target&then=${view === 'sankey' ? 'class' : ''}&last=900&sort=packets&view=${view}&before=1`);
      await page.locator(`section[data-view=${view}] ${view === 'heat' || view === 'sankey' ? 'svg[role=img]' : 'canvas'}`).first().waitFor();
      await page.locator('table[data-greatest] tbody tr').first().waitFor();
      if (view !== 'sankey') must((await page.locator(`section[data-view=${view}] summary`).innerText()) === 'The same as a table', `${view} has no table`);
      await look(page, `explore as ${view}`);
      await page.screenshot({ path: join(folder, `explore-${view}-light.png`), fullPage: true });
    }
    must(/95 % of the \d+ steps since .* stay within .* packets\/s/.test(await page.locator('section[data-view]').innerText()), 'no 95th percentile');
    await page.locator('[data-before]').waitFor();
    await page.getByRole('button', { name: 'Fix the times' }).click();
    await page.waitForFunction(() => ['from', 'to'].every((end) => /^\d{4}-/.test(new URLSearchParams(location.hash.split('?')[1]).get(end) ?? '')));
    // the last samples of that time may still be on their way
    const again = async () => {
      await page.reload();
      await page.locator('table[data-greatest] tbody tr').first().waitFor();
      return page.locator('table[data-greatest] tbody').innerText();
    };
    let rows = await again();
    for (let tries = 0; ; tries += 1) {
      const now = await again();
      if (now === rows) break;
      must(tries < 8, 'the same address shows something else each time');
      rows = now;
    }
  });

  await step('what is explored is had as CSV and as Parquet', async () => {
    const csv = await downloaded(page, 'As CSV');
    must(csv.name === 'flows.csv' && csv.octets.toString().startsWith('target,'), `not a table: ${csv.octets.subarray(0, 40)}`);
    const parquet = await downloaded(page, 'As Parquet');
    const [begin, end] = [parquet.octets.subarray(0, 4).toString(), parquet.octets.subarray(-4).toString()];
    must(parquet.name === 'flows.parquet' && begin === 'PAR1' && end === 'PAR1', `not Parquet: ${begin} ${end}`);
    return `${csv.octets.length} and ${parquet.octets.length} octets`;
  });

  await step('intelligence says what attacks have in common', async () => {
    await visit(page, 'intelligence');
    await page.getByText(/^Of \d+ attacks/).waitFor();
    for (const name of [/^Campaigns/, 'Networks that send most', 'Misused servers', 'Reports and other disclosures']) await page.getByRole('heading', { name }).waitFor();
    const told = await (await page.context().request.get(`${origin}/api/v1/intelligence`)).json();
    must(told.attacks > 0 && told.campaigns.some((one) => one.attacks.some((attack) => attack.id === id)), 'the attack is in no campaign');
  });

  await step('a threshold is tried on what was recorded; channels, profiles and the doctor are there', async () => {
    await visit(page, 'settings');
    const attack = await (await page.context().request.get(`${origin}/api/v1/attacks/${id}`)).json();
    await page.locator('[name=simulate-prefix]').fill(attack.targets[0]);
    await page.locator('[name=simulate-limit]').fill('1');
    await page.locator('[name=simulate-other]').fill('900000000000');
    await page.getByRole('button', { name: 'Simulate' }).click();
    const came = page.locator('[data-simulated]');
    await came.waitFor();
    const text = await came.innerText();
    must(/At 1 packets\/s: [1-9]/.test(text) && /At 900 G packets\/s: never/.test(text), `not so: ${text.slice(0, 400)}`);
    must(/1\.0 min|60 s/.test(text) && /What this cannot tell/.test(text), 'it hides how coarse it is');
    for (const name of ['Doctor', 'Notifications', 'Profiles', 'Backup']) await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.locator('[data-finding], .findings .good').first().waitFor();
    await look(page, 'settings with a simulation');
  });

  await step('there is room for rules, and the plan waits for persons', async () => {
    await visit(page, 'mitigation');
    await page.locator('table[data-capacity] tbody tr').first().waitFor();
    must(/all routers/.test(await page.locator('table[data-capacity]').innerText()), 'no bound is told');
    await visit(page, 'network');
    await page.getByRole('heading', { name: 'What waits for a person' }).waitFor();
    await page.getByText('Nothing waits for somebody to agree.').waitFor();
  });

  await step('the planner’s decision is told with its order and its alternatives', async () => {
    // the demonstration has no absorber: what the daemon would tell is made up, the planner that is asked is its own
    const hosts = ['198.18.1.1/32', '198.18.1.2/32', '198.18.1.3/32'];
    const document = {
      targets: hosts.map((prefix, index) => ({ prefix, value: [5, 2, 2][index], max_bps: 10_000_000, max_pps: 0 })),
      entries: [{ name: 'e1', link_bps: 10_000_000, flowspec_slots: 4 }],
      absorbers: [{ name: 'a1', capacity_bps: 9_000_000, capacity_pps: 10_000, cost_per_gbps: 1, reaches: ['e1'] }],
      attacks: hosts.map((target, index) => ({ target, entry: 'e1', bps: [9_000_000, 4_000_000, 4_000_000][index], pps: 1_000, legit_bps: 100_000, rules: [] })),
    };
    const headers = { 'X-Spillway-CSRF': await page.evaluate(() => localStorage.getItem('spillway.csrf')) };
    const planned = await page.context().request.post(`${origin}/api/v1/plan`, { data: { document }, headers });
    const plan = await planned.json();
    must(planned.ok(), JSON.stringify(plan));
    // what is in force is another plan than those that are found anew
    const [most, ...others] = hosts;
    const inForce = { ...plan, kept: [most], sacrificed: others.map((target) => ({ target, why: 'no room' })), diverted: [{ target: most, entry: 'e1', absorber: 'a1' }] };
    const lot = (target) => ({ target, sacrificed: inForce.sacrificed.some((one) => one.target === target), absorber: inForce.diverted.find((one) => one.target === target)?.absorber ?? null, entries: ['e1'], rules: { e1: ['r1'] }, why: 'so it is' });
    const told = { at: new Date().toISOString(), mode: 'protect-most-valuable', switch: 'stays', targets: hosts.map(lot), left_out: ['a2 is down'], plan: inForce, document };
    await page.route('**/api/v1/plan', (route) => (route.request().method() === 'GET' ? route.fulfill({ json: told }) : route.continue()));
    await visit(page, 'overview');
    await visit(page, 'network');
    await page.locator('table[data-decision] tbody tr').nth(2).waitFor();
    await page.getByText('In what order targets would be given up').click();
    must(/198\.18\.1\.2\/32, value 2/.test(await page.locator('main ol li').first().innerText()), 'the least worth is not the first');
    await page.getByRole('button', { name: 'Show what else could be decided' }).click();
    await page.locator('table[data-alternatives] tbody tr').nth(1).waitFor();
    await look(page, 'network with a plan');
    await page.screenshot({ path: join(folder, 'network-plan-light.png'), fullPage: true });
    const first = page.locator('table[data-alternatives] tbody tr').first();
    must(/keeps 198\.18\.1\.2\/32/.test(await first.innerText()), `nobody says what it keeps: ${await first.innerText()}`);
    await first.getByRole('button', { name: 'Divert 198.18.1.2/32…' }).waitFor();
    // a step of another plan is previewed by the daemon, proposed, and withdrawn
    await first.getByRole('button', { name: 'Give up 198.18.1.1/32…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Tell routers' });
    must((await dialog.locator('select').inputValue()) === 'blackhole', 'another step is chosen');
    await dialog.getByLabel(/^Why/).fill('the other plan keeps more');
    await dialog.getByRole('button', { name: 'Show what it would do' }).click();
    await dialog.getByText('the honest too').waitFor();
    await look(page, 'the dialog of a step of another plan');
    await dialog.getByRole('button', { name: 'Do it' }).click();
    await page.getByText(/^Proposed: another person has to agree: 198\.18\.1\.1/).waitFor();
    const proposed = async () => (await (await page.context().request.get(`${origin}/api/v1/mitigations`)).json()).items.filter((one) => one.class === 'blackhole' && one.reason === 'the other plan keeps more');
    must((await proposed()).length === 1, 'nothing was proposed');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Undone.').waitFor();
    must((await proposed()).length === 0, 'it was not undone');
    await page.unroute('**/api/v1/plan');
    return (await page.locator('table[data-alternatives] tbody').innerText()).replaceAll(/\s+/g, ' ');
  });

  await step('a customer has a report without anything of others', async () => {
    const { targets } = await (await page.context().request.get(`${origin}/api/v1/attacks/${id}`)).json();
    const made = await page.evaluate(async (prefixes) => {
      const body = JSON.stringify({ name: 'birch', role: 'customer', prefixes, password: 'one more long phrase', reason: 'a test' });
      const headers = { 'Content-Type': 'application/json', 'X-Spillway-CSRF': localStorage.getItem('spillway.csrf') };
      return (await fetch('/api/v1/users', { method: 'POST', headers, body })).status;
    }, targets);
    must(made === 201, `no customer: ${made}`);
    const other = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB' });
    other.setDefaultTimeout(patience);
    const theirs = await other.newPage();
    watch(theirs, faults);
    await theirs.goto(`${origin}/#/login`);
    await theirs.getByLabel('User').fill('birch');
    await theirs.getByLabel('Password').fill('one more long phrase');
    await theirs.getByRole('button', { name: 'Log in' }).click();
    await theirs.locator(`article[data-attack="${id}"]`).waitFor();
    await theirs.getByText('Nothing that you may be told of.').waitFor();
    await theirs.emulateMedia({ media: 'print' });
    await theirs.getByText(/^Report on attacks on the networks of birch/).waitFor();
    must((await theirs.locator('header').isVisible()) === false, 'paper has a menu');
    await theirs.emulateMedia({ media: null });
    await visit(theirs, `attacks/${id}`);
    await theirs.locator('table[data-packets] tbody tr').first().waitFor();
    await visit(theirs, 'explore?by=class&last=900');
    await theirs.locator('table[data-greatest] tbody tr').first().waitFor();
    const parquet = await downloaded(theirs, 'As Parquet');
    must(parquet.octets.subarray(0, 4).toString() === 'PAR1', 'not Parquet');
    const refused = await Promise.all(['intelligence', 'capacity', 'notifications', 'disclosures'].map(async (path) => (await other.request.get(`${origin}/api/v1/${path}`)).status()));
    must(refused.every((status) => status === 403), `a customer is told: ${refused}`);
    await other.close();
  });
}
