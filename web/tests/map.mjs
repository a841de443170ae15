// The map and the steering of the demonstration: an attack that is asked for appears, and the map shows where it comes from.

/** `kit` is what dashboard.mjs has: step, must, visit, look; `page` is the administrator's. */
export async function map({ page, context, origin, step, must, visit, look }) {
  const ask = async (path) => (await context.request.get(`${origin}${path}`)).json();
  let target = '';

  await step('an attack that is asked for begins, and appears', async () => {
    await visit(page, 'overview');
    const act = page.locator('[data-act=udp-flood]');
    await act.getByRole('button', { name: 'Start UDP flood' }).click();
    await page.getByText(/^The world does it: UDP flood on /).waitFor();
    await act.getByText(/s left, on /).waitFor();
    must(await act.getByRole('button').isDisabled(), 'it can be asked for twice');
    ({ target } = (await ask('/api/v1/demo')).acts.find((one) => one.name === 'udp-flood'));
    const host = target.replace(/\/(32|128)$/, '');
    await page.locator('main tr[data-attack]').filter({ hasText: host }).first().waitFor();
    const trail = await ask('/api/v1/audit');
    must(trail.items.some((line) => line.action === 'demo.act' && line.object === 'udp-flood' && line.done), 'nobody wrote down who asked');
    return `${target}`;
  });

  await step('the map shows places, and its table says the same', async () => {
    await page.locator('svg[data-map] [data-place]').first().waitFor();
    await page.waitForFunction(() => (document.querySelector('svg[data-map] .land')?.getAttribute('d')?.length ?? 0) > 10_000);
    await page.getByText('The same as a table').nth(1).click();
    // both are drawn from one document, so they are looked at in one breath
    const seen = await page.evaluate(() => {
      const of = (selector) => [...document.querySelectorAll(selector)].map((one) => one.dataset.place ?? one.dataset.site);
      return { marks: of('svg[data-map] [data-place]'), rows: of('tr[data-place]'), sites: of('svg[data-map] [data-site]') };
    });
    must(seen.marks.length > 10 && seen.sites.length > 0, `${seen.marks.length} places, ${seen.sites.length} sites`);
    must(new Set(seen.rows).size === seen.rows.length && seen.marks.every((one) => seen.rows.includes(one)), 'the table lacks what is on the map');
    const told = (await ask('/api/v1/map')).places.map((place) => `${place.latitude},${place.longitude},${place.country},${place.city}`);
    must(seen.rows.filter((one) => told.includes(one)).length > 10, 'the API names other places');
    const most = page.locator('ol.most button').first();
    await most.focus();
    await page.keyboard.press('Enter');
    must((await page.locator('svg[data-map] g.picked').count()) === 1, 'no place is picked by a key');
    await look(page, 'the map');
    return `${seen.marks.length} places, ${seen.sites.length} own`;
  });
}
