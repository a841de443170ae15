// A step of tests/dashboard.mjs: what waits to leave is looked at and agreed to by two persons. The test has prepared it, as TLP:AMBER.

import { join } from 'node:path';

/** Opens the dialog of the one that waits. */
async function opened(page) {
  await page.locator('article[data-disclosure]').getByRole('button', { name: /^Look, and agree to / }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Agree to what leaves' });
  await dialog.locator('pre.leaves').waitFor();
  return dialog;
}

export async function disclosed({ browser, page, origin, patience, step, must, visit, look, watch, faults, folder }) {
  await step('what would leave is shown, and two persons agree to exactly that', async () => {
    const ask = async (path) => (await page.context().request.get(`${origin}/api/v1/${path}`)).json();
    await visit(page, 'ledger');
    const waiting = page.locator('article[data-disclosure]').first();
    await waiting.getByText('Nobody has agreed yet. Still needed: two persons have to agree').waitFor();
    const before = (await ask('ledger')).size;
    const dialog = await opened(page);
    const [one] = (await ask('disclosures')).items;
    const told = await dialog.innerText();
    for (const part of ['abuse@hoster.example', 'abuse-report', 'TLP:AMBER', 'aggregates', one.payload_sha256, '{"sources": 12}', 'nobody yet', 'two persons have to agree']) must(told.includes(part), `the dialog hides ${part}: ${told}`);
    for (const colours of ['dark', 'light']) {
      // an open dialog leaves nothing else to press
      await page.evaluate((to) => { document.documentElement.dataset.theme = to; }, colours);
      await look(page, `the dialog of a disclosure, ${colours}`);
      await page.screenshot({ path: join(folder, `disclosure-${colours}.png`) });
    }
    await page.setViewportSize({ width: 390, height: 844 });
    const box = await dialog.boundingBox();
    must(box.x >= 0 && box.x + box.width <= 390, `the dialog does not fit: ${JSON.stringify(box)}`);
    await page.screenshot({ path: join(folder, 'disclosure-narrow.png') });
    await page.setViewportSize({ width: 1280, height: 900 });
    // it became something else while somebody looked
    await page.route('**/disclosures/*/approval', (route) => route.fulfill({ status: 409, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Conflict', status: 409, detail: 'not what you looked at: look again', hint: '' } }));
    await dialog.getByLabel(/^Why/).fill('looked at');
    await dialog.getByRole('button', { name: 'Agree to exactly this' }).click();
    await dialog.getByText('look again').waitFor();
    await page.unroute('**/disclosures/*/approval');
    await dialog.locator('pre.leaves').waitFor();
    const [sent] = await Promise.all([page.waitForRequest('**/disclosures/*/approval'), dialog.getByRole('button', { name: 'Agree to exactly this' }).click()]);
    must(sent.postDataJSON().payload_sha256 === one.payload_sha256, `agreed to something else: ${sent.postData()}`);
    await page.getByText(/^You agree\. Still needed: two persons/).waitFor();
    await waiting.getByText('You agreed; an account counts once.').waitFor();

    const made = await page.evaluate(async () => {
      const body = JSON.stringify({ name: 'otto', role: 'evidence-officer', password: 'a phrase of an officer', reason: 'four eyes' });
      const headers = { 'Content-Type': 'application/json', 'X-Spillway-CSRF': localStorage.getItem('spillway.csrf') };
      return (await fetch('/api/v1/users', { method: 'POST', headers, body })).status;
    });
    must(made === 201, `no officer: ${made}`);
    const second = await browser.newContext({ locale: 'en-GB' });
    second.setDefaultTimeout(patience);
    const theirs = await second.newPage();
    watch(theirs, faults);
    await theirs.goto(`${origin}/#/login`);
    await theirs.getByLabel('User').fill('otto');
    await theirs.getByLabel('Password').fill('a phrase of an officer');
    await theirs.getByRole('button', { name: 'Log in' }).click();
    await theirs.getByText('otto (evidence-officer)').waitFor();
    await visit(theirs, 'ledger');
    const again = await opened(theirs);
    must((await again.innerText()).includes('admin, '), 'it does not say who agreed');
    await again.getByLabel(/^Why/).fill('the second pair of eyes');
    await again.getByRole('button', { name: 'Agree to exactly this' }).click();
    await theirs.getByText(/^You agree; it may go/).waitFor();
    await theirs.locator('article[data-step=reviewed]').getByText('Agreed: admin, otto.').waitFor();
    await second.close();

    const { items } = await ask('audit?limit=20');
    const words = items.filter((line) => line.action === 'disclosure.approve' && line.object === one.id && line.done).map((line) => line.actor);
    must(words.join() === 'otto,admin', `who agreed, by the audit trail: ${words}`);
    while ((await ask('ledger')).size < before + 2) await page.waitForTimeout(100);
    must((await ask('disclosures')).items[0].missing === null, 'something is missing still');
    await visit(page, 'intelligence');
    const row = page.locator('[aria-labelledby=queue] tbody tr').first();
    await row.getByText('legitimate-interest; TLP:AMBER').waitFor();
  });
}
