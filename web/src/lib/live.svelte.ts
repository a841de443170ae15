// What happens, as it happens: one stream of events for all pages, and the list of attacks that it keeps up to date.

import { get } from './api';
import type { Attack, Page } from './model';

/** Until a stream that was refused is asked for again. */
const AGAIN_MS = 2000;
/** Documents of attacks that go on are told rarely; their numbers are asked for so often. */
const REFRESH_MS = 4000;
/** Attacks that are held; older ones are asked for by their own page. */
const ATTACKS_MAX = 200;
/** Who listens is told at most so often; what happens meanwhile is summed. */
const NEWS_MS = 10_000;

export const live = $state<{
  state: 'connecting' | 'live' | 'lost';
  attacks: Attack[];
  loaded: boolean;
  /** Grows with each mitigation or rule that changed. */
  changes: number;
  now: number;
  /** Told to whoever listens; at most every ten seconds. */
  news: string;
  /** How often the stream came back. */
  resumed: number;
}>({ state: 'connecting', attacks: [], loaded: false, changes: 0, now: Date.now(), news: '', resumed: 0 });

let source: EventSource | undefined;
let timers: ReturnType<typeof setInterval>[] = [];
let again: ReturnType<typeof setTimeout> | undefined;
/** What was not told yet: networks that are newly attacked, and those that are not any more. */
let untold: { begun: string[]; over: string[] } = { begun: [], over: [] };
let quiet: ReturnType<typeof setTimeout> | undefined;

export async function reload(): Promise<void> {
  const page = await get<Page<Attack>>(`/api/v1/attacks?limit=${ATTACKS_MAX}`);
  live.attacks = page.items;
  live.loaded = true;
}

function take(attack: Attack): void {
  const at = live.attacks.findIndex((one) => one.id === attack.id);
  const known = live.attacks[at];
  if (known) {
    live.attacks[at] = attack;
  } else {
    live.attacks.unshift(attack);
    live.attacks.sort((a, b) => b.started_at.localeCompare(a.started_at));
    live.attacks.splice(ATTACKS_MAX);
  }
  if (attack.severity === 'attack' && (!known || known.severity !== 'attack')) untold.begun.push(attack.target);
  else if (attack.state === 'over' && known?.state === 'active') untold.over.push(attack.target);
  else return;
  if (quiet === undefined) announce();
}

/** Says what was not told yet, and then nothing for a while. */
function announce(): void {
  quiet = undefined;
  const { begun, over } = untold;
  if (begun.length + over.length === 0) return;
  untold = { begun: [], over: [] };
  const parts = [
    begun.length > 1 ? `${begun.length} new attacks, the last on ${begun.at(-1)}` : begun.map((target) => `New attack on ${target}`).join(),
    over.length > 1 ? `${over.length} attacks are over, the last on ${over.at(-1)}` : over.map((target) => `The attack on ${target} is over`).join(),
  ];
  live.news = parts.filter((part) => part !== '').join('; ');
  quiet = setTimeout(announce, NEWS_MS);
}

async function refresh(): Promise<void> {
  if (document.hidden || live.state !== 'live') return;
  const page = await get<Page<Attack>>('/api/v1/attacks?state=active&limit=100');
  for (const attack of page.items) {
    const at = live.attacks.findIndex((one) => one.id === attack.id);
    if (at >= 0) live.attacks[at] = attack;
    else take(attack);
  }
}

function lost(): void {
  live.state = 'lost';
}

function listen(): void {
  clearTimeout(again);
  source?.close();
  const stream = new EventSource('/api/v1/events');
  source = stream;
  stream.onopen = () => {
    if (live.state === 'lost') live.resumed += 1;
    live.state = 'live';
    // what happened before the stream began, or while it was gone
    void reload().catch(() => undefined);
    live.changes += 1;
  };
  stream.addEventListener('attack', (event) => take(JSON.parse(event.data)));
  stream.addEventListener('rule', () => (live.changes += 1));
  stream.addEventListener('mitigation', () => (live.changes += 1));
  stream.addEventListener('reset', () => void reload().catch(() => undefined));
  stream.onerror = () => {
    lost();
    // the browser comes back by itself, unless it was refused
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(listen, AGAIN_MS);
  };
}

const offline = (): void => {
  source?.close();
  lost();
};

export function start(): void {
  stop();
  live.state = 'connecting';
  listen();
  addEventListener('offline', offline);
  addEventListener('online', listen);
  timers = [setInterval(() => (live.now = Date.now()), 1000), setInterval(() => void refresh().catch(() => undefined), REFRESH_MS)];
}

export function stop(): void {
  source?.close();
  clearTimeout(again);
  clearTimeout(quiet);
  [quiet, untold] = [undefined, { begun: [], over: [] }];
  timers.forEach(clearInterval);
  removeEventListener('offline', offline);
  removeEventListener('online', listen);
  live.attacks = [];
  live.loaded = false;
}
