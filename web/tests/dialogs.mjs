// Steps of tests/dashboard.mjs: every dialog that asks for a reason is opened and looked at, in both themes. Nothing is asked for:
// what the lists would have is made up, so that each has one.

const soon = new Date(Date.now() + 900_000).toISOString();

/** A mitigation as it would be listed. */
const told = (id, state, more = {}) => ({ id, class: 'flowspec', what: `r${id} dst 198.18.1.${id}/32 proto udp -> drop for 15m`, state, effect: 'udp to it is dropped', peers: [], actor: 'olga', reason: 'it suffices', until: soon, approved_by: [], approvals_needed: 1, ...more });
const rule = { id: 'r1', text: 'r1 dst 198.18.1.1/32 proto udp ttl 7 -> drop for 15m', action: 'drop', collateral: null, expires_at: soon, attack: 'a1', state: 'active', reason: null, backend: 'kernel' };
const byHand = { kind: 'rule', id: 4, rule: 'm4', text: 'm4 @1 dst 198.18.1.1/32 proto udp src-port 123 -> drop', owner: 'olga', reason: 'trying', at: soon, until: soon, confirm_by: soon };
const exception = { id: 3, target: '198.18.1.1/32', rule: 'dst 198.18.1.1/32 proto udp -> drop', until: soon, owner: 'olga', reason: 'too wide' };
const bag = { attack: '3f9a0c41d2e85b76', state: 'sealed', octets: 1000, seal: 'f'.repeat(64), target: '198.18.1.1/32', started_at: soon, ended_at: soon, hold: null };

const LISTS = {
  'rules': { items: [rule], next: null },
  'mitigations': { items: [told(1, 'proposed'), told(2, 'active', { confirm_by: soon })], next: null, frozen: false },
  'rules/made': { items: [byHand], next: null },
  'exceptions': { items: [exception], next: null },
  'evidence?**': { items: [bag, { ...bag, attack: '4f9a0c41d2e85b76', hold: { at: soon, reason: 'case 17', person: 'olga' } }], next: null },
};

/** Page, button, title; a dangerous one is looked at in its second step, too. */
const DIALOGS = [
  ['network', 'Agree…', 'Agree'],
  ['network', 'Reject…', 'Reject'],
  ['mitigation', 'Agree…', 'Agree'],
  ['mitigation', 'Reject…', 'Reject'],
  ['mitigation', 'Confirm…', 'Confirm'],
  ['mitigation', 'Renew…', 'Renew'],
  ['mitigation', 'Withdraw…', 'Withdraw'],
  ['mitigation', 'Take it back: rule r1…', 'Take it back'],
  ['mitigation', 'Panic: withdraw everything…', 'Withdraw everything'],
  ['mitigation', 'Confirm rule m4…', 'Confirm'],
  ['mitigation', 'Another hour for rule m4…', 'Let it go on'],
  ['mitigation', 'End it: rule m4…', 'End it'],
  ['mitigation', 'End the exception 3…', 'End the exception'],
  ['mitigation', 'Make a rule…', 'A rule by hand'],
  ['ledger', /^Hold the evidence/, 'Hold it'],
  ['ledger', /^Let go of the evidence/, 'Let go of it'],
  ['ledger', /^Take a copy of the evidence of 3/, 'Take a copy'],
  ['settings', 'Make a backup…', 'Make a backup'],
];

export async function dialogs({ page, step, visit, look, theme, must }) {
  await step('every dialog in both themes: nothing that axe finds', async () => {
    for (const [path, json] of Object.entries(LISTS)) {
      await page.route(`**/api/v1/${path}`, (route) => (route.request().method() === 'GET' ? route.fulfill({ json }) : route.abort()));
    }
    await visit(page, 'overview');
    for (const colours of ['light', 'dark']) {
      await theme(page, colours);
      for (const [path, button, title] of DIALOGS) {
        if (!page.url().endsWith(`#/${path}`)) await visit(page, path);
        await page.getByRole('button', { name: button, exact: typeof button === 'string' }).first().click();
        const dialog = page.getByRole('dialog', { name: title, exact: true });
        const why = dialog.getByLabel(/^Why/);
        await why.waitFor();
        // the other theme has other colours, and nothing else
        await look(page, `the dialog “${title}” of ${path}, ${colours}`, colours === 'light' ? undefined : ['color-contrast']);
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
      }
    }
    for (const path of Object.keys(LISTS)) await page.unroute(`**/api/v1/${path}`);
    await theme(page, 'light');
    await visit(page, 'overview');
    return `${DIALOGS.length} dialogs`;
  });

  await step('what is refused is said in the dialog, and axe finds nothing there', async () => {
    await visit(page, 'settings');
    await page.route('**/api/v1/backup', (route) => route.fulfill({ status: 409, contentType: 'application/problem+json', json: { type: 'about:blank', title: 'Conflict', status: 409, detail: 'the disk is full', hint: 'make room' } }));
    await page.getByRole('button', { name: 'Make a backup…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Make a backup' });
    await dialog.getByLabel(/^Why/).fill('a test');
    await dialog.getByRole('button', { name: 'Make a backup', exact: true }).click();
    await dialog.getByText('the disk is full — make room').waitFor();
    for (const colours of ['light', 'dark']) {
      // an open dialog leaves nothing else to press
      await page.evaluate((to) => { document.documentElement.dataset.theme = to; }, colours);
      await look(page, `a refusal, ${colours}`);
    }
    await page.evaluate(() => { document.documentElement.dataset.theme = 'light'; });
    await page.unroute('**/api/v1/backup');
    await dialog.getByRole('button', { name: 'Make a backup', exact: true }).click();
    await page.getByText('The backup is made; the audit trail says where it is.').waitFor();
    const { items } = await (await page.context().request.get(`${new URL(page.url()).origin}/api/v1/audit?limit=20`)).json();
    must(items.some((line) => line.action === 'backup.create' && line.reason === 'a test' && line.done), `no backup: ${JSON.stringify(items.slice(0, 3))}`);
  });
}
