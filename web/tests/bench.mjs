// What the open first page takes while attack follows attack: memory of the tab, and its share of a core.
//
//   node tests/bench.mjs SPILLWAY CHROMIUM MINUTES [calm]
//
// Starts the demonstration of SPILLWAY and asks it for attacks as fast as it takes them: some 300 in an hour, so two hours of it have the
// attacks of a very bad day. With `calm` it asks for none: an act each 105 s by itself, as on a day of 700 attacks. Chromium opens the page by itself, without a debugger: that would keep every answer in the tab.
// Prints a line per minute, and the figures last.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [spillway, chromium, minutes, pace] = process.argv.slice(2);
if (!(Number(minutes) > 0) || (pace && pace !== 'calm')) {
  console.error('usage: node tests/bench.mjs SPILLWAY CHROMIUM MINUTES [calm]');
  process.exit(2);
}
const ACTS = ['dns-amplification', 'syn-flood', 'carpet-bombing', 'ntp-amplification', 'ack-flood', 'memcached-amplification', 'udp-flood'];
/** Clock ticks a second, everywhere that Chromium runs on Linux. */
const TICKS = 100;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const demo = spawn(spillway, ['demo', '--stay'], { env: { ...process.env, NO_COLOR: '1', DEMO_SEED: '8' }, stdio: ['pipe', 'pipe', 'inherit'] });
let told = '';
demo.stdout.on('data', (text) => (told += text));
const profile = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
let browser;

/** Ends both, and removes what they leave. */
async function end(code) {
  for (const one of [browser, demo]) {
    if (!one || one.exitCode !== null) continue;
    one.kill('SIGTERM');
    await new Promise((resolve) => one.once('exit', resolve));
  }
  await wait(500);
  rmSync(profile, { recursive: true, force: true });
  process.exit(code);
}
process.on('SIGINT', () => void end(130));

while (!/http:\S+#\/login\/\S+/.test(told)) {
  if (demo.exitCode !== null) await end(1);
  await wait(200);
}
const link = /http:\S+#\/login\/\S+/.exec(told)[0];
const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--window-size=1280,900', `--user-data-dir=${profile}`];
browser = spawn(chromium, [...flags, link], { stdio: 'ignore' });
await wait(15_000);

const field = (pid, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
/** The renderer of this browser with the most memory: by its profile's folder nobody else's is found. */
const renderers = readdirSync('/proc').filter((pid) => {
  if (!/^\d+$/.test(pid)) return false;
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return line.includes('--type=renderer') && line.includes(profile);
  } catch {
    return false;
  }
});
const [pid] = renderers.sort((a, b) => field(b, 'VmRSS') - field(a, 'VmRSS'));
if (!pid) {
  console.error('no renderer was found');
  await end(1);
}
const cpu = () => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};

const rows = [];
let [before, since] = [cpu(), Date.now()];
for (let minute = 1; minute <= Number(minutes); minute += 1) {
  for (let second = 0; second < 60; second += 10) {
    // what goes on already is refused
    if (!pace) demo.stdin.write(`${ACTS.join('\n')}\n`);
    await wait(10_000);
  }
  const [now, at] = [cpu(), Date.now()];
  // what Chromium's task manager calls the footprint of a tab: what it does not share with other processes
  const own = field(pid, 'RssAnon') + field(pid, 'VmSwap');
  const attacks = (told.match(/ATTACK on [^ ]+: [^ ]+, /g) ?? []).length;
  const row = { minute, attacks, own_mib: Math.round(own), rss_mib: Math.round(field(pid, 'VmRSS')), core_percent: Math.round((1000 * (now - before)) / ((at - since) / 1000)) / 10 };
  [before, since] = [now, at];
  rows.push(row);
  console.log(JSON.stringify(row));
}
const most = (name) => Math.max(...rows.map((row) => row[name]));
const mean = rows.reduce((sum, row) => sum + row.core_percent, 0) / rows.length;
console.log(JSON.stringify({ minutes: rows.length, attacks: most('attacks'), own_mib_max: most('own_mib'), rss_mib_max: most('rss_mib'), core_percent_mean: Math.round(10 * mean) / 10 }));
await end(0);
