// What the open first page takes while attack follows attack: memory of the tab, and its share of a core.
//
//   node tests/bench.mjs LINK CHROMIUM MINUTES
//
// LINK logs in once to a demonstration, which is asked for attacks as fast as it takes them: some 480 in an hour, so an hour of it
// has the attacks of a very bad day. Prints a line per minute, and the figures as JSON last.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [link, executablePath, minutes] = process.argv.slice(2);
if (!(Number(minutes) > 0)) {
  console.error('usage: node tests/bench.mjs LINK CHROMIUM MINUTES');
  process.exit(2);
}
const origin = new URL(link).origin;
const MIB = 1024 * 1024;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--enable-precise-memory-info'] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB' });
const page = await context.newPage();
await page.goto(link);
await page.getByText('admin (admin)').waitFor();
const session = await context.newCDPSession(page);
await session.send('Performance.enable');

/** The renderer of this page: of all processes of this browser, the renderer with the most memory. */
function renderer() {
  const lines = execFileSync('ps', ['-eo', 'pid,ppid,rss,args'], { encoding: 'utf8' }).split('\n').slice(1);
  const all = lines.map((line) => line.trim().split(/\s+/)).filter(([one]) => one);
  const ours = new Set([String(process.pid)]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [one, parent] of all) {
      if (ours.has(parent) && !ours.has(one)) grown = Boolean(ours.add(one));
    }
  }
  const renderers = all.filter(([one, , , ...args]) => ours.has(one) && args.includes('--type=renderer'));
  return renderers.sort((a, b) => Number(b[2]) - Number(a[2]))[0]?.[0];
}

const pid = renderer();
/** Clock ticks of this kernel, 100 a second everywhere that Chromium runs. */
const cpu = () => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const status = (name) => (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024) / MIB;
/** What Chromium's task manager calls the memory footprint of a tab: what is not shared with its other processes. */
const own = () => status('RssAnon') + status('VmSwap');
const heap = async () => {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find((one) => one.name === 'JSHeapUsedSize').value / MIB;
};

let asked = 0;
async function steer() {
  const csrf = await page.evaluate(() => localStorage.getItem('spillway.csrf'));
  const { acts } = await (await context.request.get(`${origin}/api/v1/demo`)).json();
  for (const act of acts.filter((one) => one.attack && one.left === null)) {
    const headers = { 'X-Spillway-CSRF': csrf };
    const answer = await context.request.post(`${origin}/api/v1/demo`, { headers, data: { act: act.name, reason: 'a measurement' } });
    if (!answer.ok()) break;
    asked += 1;
  }
}

const rows = [];
let [before, since] = [cpu(), Date.now()];
for (let minute = 1; minute <= Number(minutes); minute += 1) {
  for (let second = 0; second < 60; second += 5) {
    await steer().catch(() => undefined);
    await page.waitForTimeout(5000);
  }
  const [now, at] = [cpu(), Date.now()];
  const row = { minute, attacks: asked, heap_mib: Math.round(10 * (await heap())) / 10, own_mib: Math.round(own()), rss_mib: Math.round(status('VmRSS')), core_percent: Math.round((1000 * (now - before)) / ((at - since) / 1000)) / 10 };
  [before, since] = [now, at];
  rows.push(row);
  console.log(JSON.stringify(row));
}
const most = (name) => Math.max(...rows.map((row) => row[name]));
const mean = rows.reduce((sum, row) => sum + row.core_percent, 0) / rows.length;
console.log(JSON.stringify({ minutes: rows.length, attacks: asked, heap_mib_max: most('heap_mib'), own_mib_max: most('own_mib'), rss_mib_max: most('rss_mib'), core_percent_mean: Math.round(10 * mean) / 10 }));
await browser.close();
