// A rule by hand in a real browser, against a daemon whose filters are in the kernel and see packets.
//
//   node tests/kernel.mjs API CHROMIUM FOLDER TARGET
//
// Somebody asks UDP port 8080 of TARGET all the time, and `olga` is an operator there. FOLDER gets the screenshots. Prints a line
// per step; ends with 1 where one fails.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [origin, executablePath, folder, target] = process.argv.slice(2);
if (!target) {
  console.error('usage: node tests/kernel.mjs API CHROMIUM FOLDER TARGET');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
/** Nothing here takes so long on a busy machine. */
const PATIENCE = 30_000;

function must(holds, what) {
  if (!holds) throw new Error(what);
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const faults = [];
let code = 0;
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  const made = async () => (await (await context.request.get(`${origin}/api/v1/rules/made`)).json()).items;
  await page.goto(`${origin}/#/login`);
  await page.getByLabel('User').fill('olga');
  await page.getByLabel('Password').fill('a phrase of an operator');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('olga (operator)').waitFor();
  await page.evaluate(() => (location.hash = '/mitigation'));

  await page.getByRole('button', { name: 'Make a rule…' }).click();
  const dialog = page.getByRole('dialog', { name: 'A rule by hand' });
  await dialog.locator('[name=rule]').fill(`dst ${target}/32 proto udp dst-port 8080 -> drop`);
  await dialog.getByLabel(/^Why/).fill('trying');
  await dialog.getByRole('button', { name: 'Show what it would do' }).click();
  const would = dialog.locator('[data-would]');
  await would.getByText('What it would do:').waitFor();
  console.log(`ok: shown before it is made: ${(await would.innerText()).replaceAll(/\s+/g, ' ')}`);
  must((await made()).length === 0, 'it was made when it was only shown');
  await page.screenshot({ path: join(folder, 'kernel-rule-shown.png') });

  await dialog.getByRole('button', { name: 'Do it' }).click();
  await page.getByText(/^Rule \S+ goes into the kernel, until/).waitFor();
  const [rule] = await made();
  must(rule?.owner === 'olga' && rule.reason === 'trying', `who made it? ${JSON.stringify(rule)}`);
  await page.locator(`article[data-made="${rule.rule}"]`).waitFor();
  const row = page.locator('#filters ~ * tbody tr').filter({ hasText: rule.rule });
  await row.getByText('active').waitFor();
  const hits = row.getByText(/^[1-9][\d\s]* packets dropped$/);
  await hits.waitFor();
  console.log(`ok: it acts in the kernel, and is counted: ${await hits.innerText()}; by ${await row.locator('td').nth(2).innerText()}`);
  await page.screenshot({ path: join(folder, 'kernel-rule-acts.png'), fullPage: true });

  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Undone.').waitFor();
  await row.waitFor({ state: 'detached' });
  must((await made()).length === 0, 'it is not undone');
  console.log('ok: undone');
  must(faults.length === 0, `errors of the page: ${faults.join('; ')}`);
} catch (error) {
  console.error(`failed: ${error.stack ?? error}`);
  for (const [number, page] of browser.contexts().flatMap((context) => context.pages()).entries()) {
    await page.screenshot({ path: join(folder, `kernel-failed-${number}.png`) }).catch(() => undefined);
  }
  code = 1;
} finally {
  await browser.close();
}
process.exit(code);
