// README's screenshots: four pages of the demonstration.
//
//   node tests/screenshots.mjs LINK CHROMIUM FOLDER
//
// LINK logs in once. Waits for the story to get somewhere, then takes each page as it is. Ends with 1 where a file is too large.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { small } from '../tools/png.mjs';

const [link, executablePath, folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node tests/screenshots.mjs LINK CHROMIUM FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const origin = new URL(link).origin;
/** Octets of a file at most: it is in the repository. */
const LARGE = 200 * 1024;
const PATIENCE = 90_000;
/** Milliseconds after which a chart shows something. */
const LASTS = 15_000;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-lcd-text'] });
let code = 0;
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark', locale: 'en-GB', reducedMotion: 'reduce' });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(link);
  await page.getByText('admin (admin)').waitFor();
  const ask = async (path) => (await context.request.get(`${origin}${path}`)).json();
  const visit = async (path) => {
    await page.evaluate((to) => (location.hash = `/${to}`), path);
    await page.locator('main h1').first().waitFor();
    await page.waitForFunction(() => !/Looking…|Asking the daemon/.test(document.querySelector('main')?.textContent ?? ''));
  };
  const shoot = async (name, theme, height) => {
    await page.setViewportSize({ width: 1280, height });
    const now = await page.evaluate(() => document.documentElement.dataset.theme);
    if (now !== theme) await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    await page.mouse.move(0, 0);
    // charts follow their size with the next frame
    await page.waitForTimeout(1000);
    const png = small(await page.screenshot());
    writeFileSync(join(folder, `${name}.png`), png);
    const octets = png.length;
    console.log(`${name}.png: ${(octets / 1024).toFixed(0)} KiB`);
    if (octets > LARGE) {
      console.error(`${name}.png has more than ${LARGE / 1024} KiB`);
      code = 1;
    }
  };

  /** Presses the first button of the demonstration that starts an amplification. */
  const started = async () => {
    await visit('overview');
    const button = page.getByRole('button', { name: /^Start .* amplification$/ }).and(page.locator(':enabled')).first();
    if (await button.isVisible()) await button.click();
  };
  // an amplification that goes on for a while, with what is known of its sources
  const attack = await (async () => {
    for (let tries = 0; ; tries += 1) {
      if (tries % 120 === 119) await started();
      if (tries > 600) throw new Error('no amplification showed a hundred sources in five minutes');
      const { items } = await ask('/api/v1/attacks');
      const lasts = (one) => one.state === 'active' && Date.now() - Date.parse(one.started_at) > LASTS;
      for (const one of items.filter((one) => lasts(one) && one.vectors.some((vector) => vector.name.startsWith('udp-amplification')))) {
        const { count, verdicts } = await ask(`/api/v1/attacks/${one.id}/sources`);
        if (count > 100 && verdicts.reflector) return one;
      }
      await page.waitForTimeout(500);
    }
  })();
  await visit('overview');
  await page.locator('svg[data-map] [data-place]').first().waitFor();
  await page.waitForFunction(() => (document.querySelector('svg[data-map] .land')?.getAttribute('d')?.length ?? 0) > 10_000);
  await page.waitForFunction(() => document.querySelectorAll('main tr[data-attack]').length >= 2);
  await shoot('overview', 'dark', 1500);
  await visit(`attacks/${attack.id}`);
  await page.locator('#sources ~ div table tbody tr').first().waitFor();
  await shoot('attack', 'light', 1500);
  await visit('explore?by=target&then=class&last=900');
  await page.locator('main table tbody tr:has(button.link)').first().waitFor();
  await shoot('explore', 'light', 1100);
  await visit('mitigation');
  await page.locator('main table tbody tr, article[data-rule]').first().waitFor();
  await shoot('mitigation', 'dark', 1100);
} catch (error) {
  console.error(error.stack ?? error);
  code = 1;
} finally {
  await browser.close();
}
process.exit(code);
