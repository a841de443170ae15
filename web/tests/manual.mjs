// The manual in the browser: it is found from the dashboard, searched, read on a narrow screen, and has nothing that axe finds.

import { join } from 'node:path';

export async function manual({ step, page, origin, look, must, folder }) {
  await step('the manual is a link away, is searched without any script, and fits a narrow screen', async () => {
    await page.getByRole('link', { name: 'Manual', exact: true }).click();
    await page.getByRole('heading', { name: 'Spillway', exact: true }).waitFor();
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByLabel('Search').fill('sampling rate');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByRole('status').filter({ hasText: 'places say' }).waitFor();
    await look(page, 'the search of the manual');
    await page.locator('.hits a').first().click();
    await page.locator('main h1').waitFor();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const path of ['how-to/export', 'reference/vectors']) {
        await page.goto(`${origin}/manual/${path}`);
        await look(page, `the manual's ${path}, ${colorScheme}`);
      }
    }
    await page.screenshot({ path: join(folder, 'manual-dark.png') });
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of ['how-to/export', 'reference/configuration', 'reference/metrics', 'how-to/junos']) {
      await page.goto(`${origin}/manual/${path}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      must(wide <= 390, `the manual's ${path} is ${wide} px wide`);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`${origin}/#/overview`);
  });
}
