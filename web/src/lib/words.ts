// Attacks, rules and verdicts in plain words: for somebody who has never read a flow record.

import type { Attack, Rule, SourcePage, Vector, Verdict } from './model';
import { bps, count, percent, pps, span, since, time } from './units';

const VECTORS: Record<string, string> = {
  'tcp-syn-flood': 'a SYN flood: many requests to open a connection, which nobody means to use',
  'tcp-ack-flood': 'an ACK flood: packets of connections that do not exist',
  'tcp-rst-fin-flood': 'a flood of packets that end connections which do not exist',
  'tcp-odd-flags-flood': 'TCP packets with flags that make no sense',
  'tcp-synack-reflection': 'answers of servers to SYNs that somebody sent in your name',
  'tcp-middlebox-reflection': 'answers of middleboxes to requests that somebody sent in your name',
  'tcp-connection-flood': 'very many real connections at once',
  'tcp-slow': 'connections that are kept open and hardly used',
  'tls-handshake-flood': 'very many TLS handshakes',
  'http-flood': 'very many HTTP requests',
  'udp-flood': 'a flood of UDP packets',
  'udp-fragment-flood': 'a flood of fragments of UDP packets',
  'ip-fragment-flood': 'a flood of fragments',
  'icmp-flood': 'a flood of ICMP packets',
  'gre-flood': 'a flood of GRE packets',
  'other-protocol-flood': 'a flood of packets of an unusual protocol',
  'quic-flood': 'a flood of QUIC packets',
  'dns-query-flood': 'very many DNS queries',
  scan: 'somebody looks for open ports',
};

/** One vector. */
export function vector(one: Vector): string {
  const known = VECTORS[one.name];
  if (known) return known;
  const over = one.name.replace('udp-amplification-', '');
  if (over !== one.name) {
    return `an amplification over ${over.toUpperCase()}: open servers answer questions that somebody asked in your name`;
  }
  return one.name;
}

const NATURES: Record<string, string> = {
  spoofed: 'the sender addresses are forged, so they do not say who it is',
  reflectors: 'the senders are open servers that were misused; they are not the attackers',
  real: 'the senders are real machines, most likely infected ones',
  mixed: 'some senders are forged, some are real',
  unknown: 'it is not known yet whether the senders are real or forged',
};

export const nature = (word: string): string => NATURES[word] ?? word;

export const VERDICTS: Record<string, { sign: string; says: string }> = {
  spoofed: { sign: '◌', says: 'forged: whoever has this address sent nothing' },
  reflector: { sign: '↺', says: 'a misused server: it did send, and was made to' },
  bot: { sign: '■', says: 'a machine that took part, most likely infected' },
  real: { sign: '●', says: 'a real sender; whether willingly is not known' },
  legitimate: { sign: '✓', says: 'an honest client' },
  unknown: { sign: '?', says: 'not known' },
};

/** What a code among the reasons of a verdict says: the words of the manual. */
export const REASONS: Record<string, string> = {
  H1: 'it acknowledged what only the target\'s answer told, or brought the kernel\'s SYN cookie back',
  H2: 'it used the QUIC connection id that only the target\'s answer told, or greeted in TLS after a handshake',
  H3: 'half a conversation was seen: whole on its side, or begun by the target',
  P1: 'it answered, unasked, in a protocol that reflects',
  Q1: 'an ICMP error quotes what somebody sent it in the target\'s name',
  B1: 'nobody has this address: it is in special-purpose space',
  B2: 'no route leads to it, and all routes are known',
  B3: 'it came in by a neighbour behind whom its network is not',
  T1: 'its network is elsewhere, by the number of hops',
  T2: 'many unrelated networks arrive in one and the same way',
  D1: 'the addresses of its group look drawn at random',
  D2: 'it came again and again at a steady rate',
  F1: 'its packets have the shape of a known tool or botnet',
  R1: 'it was here in peace',
  X1: 'a list of others names it, and nothing speaks against that',
  C1: 'a list says that many people share this address',
};

/** Why a source has its verdict. */
export function why(one: Verdict): string {
  const codes = one.reasons.map((code) => (REASONS[code] ? `${REASONS[code]} (${code})` : code));
  const all = [...codes, ...(one.lists.length > 0 ? [`on the list${one.lists.length > 1 ? 's' : ''} ${one.lists.join(', ')}`] : [])];
  return all.length > 0 ? all.join('; ') : '—';
}

/** `/32` and `/128` are left out. */
export const address = (prefix: string): string => prefix.replace(/\/(32|128)$/, (all, bits) => (bits === '128' || !prefix.includes(':') ? '' : all));

/** While packets are dropped the daemon says so each 5 seconds; this many without word mean that none came. */
const TOLD_WITHIN = 12;

/** What happened, in a few sentences. */
export function summary(attack: Attack, now: number): string[] {
  const lead = attack.vectors[0];
  const long = span(since(attack.started_at, attack.ended_at, now));
  const what = lead ? vector(lead) : 'traffic of no kind that is known';
  const where = attack.targets.length > 1 ? `${attack.targets.length} networks inside ${attack.target}` : address(attack.target);
  const out: string[] = [];
  const verb = attack.direction === 'in' ? (attack.state === 'active' ? 'is hit by' : 'was hit by') : attack.state === 'active' ? 'gets from your network' : 'got from your network';
  const more = attack.vectors.length > 1 ? `, and ${attack.vectors.length - 1} more kind${attack.vectors.length > 2 ? 's' : ''} of traffic` : '';
  out.push(`${where} ${verb} ${what}${more}.`);
  out.push(
    attack.state === 'active'
      ? `It began at ${time(attack.started_at)}, ${long} ago, and was found ${span(since(attack.started_at, attack.detected_at, now))} after its first packet.`
      : `It lasted ${long}, from ${time(attack.started_at)} to ${time(attack.ended_at)}, and was found ${span(since(attack.started_at, attack.detected_at, now))} after its first packet.`,
  );
  out.push(`At its peak ${pps(attack.peak_pps)} arrived, ${bps(attack.peak_bps)}, from ${count(attack.sources.count)} addresses.`);
  if (attack.state === 'active' && attack.dropped_until) {
    const told = `the last of its packets that a router told to have dropped came at ${time(attack.dropped_until)}`;
    out.push(since(attack.dropped_until, null, now) <= TOLD_WITHIN ? `It still arrives and is filtered: ${told}.` : `It was filtered, and may be ending: ${told}.`);
  }
  if (attack.doubtful) out.push('The router that told most of it contradicts its own counters: nothing acts on it.');
  return out;
}

const STEPS: Record<string, string> = { kernel: 'this machine filters', flowspec: 'routers filter', diversion: 'it is diverted to an absorber', blackhole: 'it is given up upstream' };

/** How well what is done helps: the daemon's word, in a sentence. */
const EFFECTS: Record<string, string> = { 'not judged yet': 'whether it helps is not known yet' };

/** What routers and absorbers do about it; empty: nothing. */
export const elsewhere = (attack: Attack): { step: string; says: string; effect: string; reason: string }[] =>
  (attack.state === 'active' ? (attack.mitigation?.in_force ?? []) : []).filter((one) => one.step !== 'kernel').map((one) => ({ step: one.step, says: STEPS[one.step] ?? one.step, effect: EFFECTS[one.effect] ?? one.effect, reason: one.reason }));

/** What is done about attacks where this machine counts nothing, in a sentence; empty: nothing. */
export function uncounted(attacks: Attack[]): string {
  const by = (step: string): number => attacks.filter((attack) => elsewhere(attack).some((one) => one.step === step)).length;
  const some = (n: number): string => `${n} attack${n === 1 ? '' : 's'}`;
  const [filtered, diverted, given] = [by('flowspec'), by('diversion'), by('blackhole')];
  const parts = [
    ...(filtered > 0 ? [`routers filter ${some(filtered)}`] : []),
    ...(diverted > 0 ? [`absorbers get ${some(diverted)}`] : []),
    ...(given > 0 ? [`the targets of ${some(given)} are given up upstream`] : []),
  ];
  const all = parts.join(', ');
  return all === '' ? '' : `${all.charAt(0).toUpperCase()}${all.slice(1)}: what is dropped there is not counted in this chart.`;
}

/** How a rule stands; nobody has said anything yet of one that was only just derived. */
export function standing(attack: Attack, rule: Rule): string {
  if (rule.state) return rule.state;
  const ended = rule.expires_at !== undefined && rule.expires_at !== null && Date.parse(rule.expires_at) <= Date.now();
  return attack.state === 'active' && !ended ? 'derived' : 'ended';
}

/** What is done about it, in a cell of a table. */
export function inShort(attack: Attack): string {
  const beyond = elsewhere(attack).map((one) => one.says);
  const all = attack.rules.length;
  if (all === 0) return beyond.join('; ') || 'no rule yet';
  const [first] = attack.rules;
  const rules = first ? `${all} rule${all === 1 ? '' : 's'} ${standing(attack, first)}` : '';
  return [...beyond, beyond.length > 0 && first?.state !== 'active' ? '' : rules].filter((part) => part !== '').join('; ');
}

/** What is done about it. */
export function done(attack: Attack): string {
  const beyond = elsewhere(attack);
  if (beyond.length > 0) {
    const all = beyond.map((one) => `${one.says}: ${one.effect}`).join('; ');
    return `${all.charAt(0).toUpperCase()}${all.slice(1)}.`;
  }
  const acting = attack.rules.filter((rule) => rule.state === 'active').length;
  const all = attack.rules.length;
  if (attack.state === 'over') return 'It is over; its rules have ended or end with their lease.';
  if (all === 0) return 'No rule hits it and spares the others yet.';
  const rules = (n: number): string => `${n} rule${n === 1 ? '' : 's'}`;
  if (acting > 0) return `${rules(acting)} of ${all} ${acting === 1 ? 'is' : 'are'} in force.`;
  if (attack.rules.some((rule) => rule.state === 'dry-run')) return `${rules(all)} only count${all === 1 ? 's' : ''} what would be dropped: this is a dry run.`;
  return `${rules(all)} would cut it; none acts, for this installation ${attack.rules.some((rule) => rule.state === 'observed') ? 'observes' : 'suggests'}.`;
}

/** States of rules, with what they mean. */
export const RULE_STATES: Record<string, { sign: string; says: string }> = {
  derived: { sign: '…', says: 'derived, and not in force yet' },
  active: { sign: '●', says: 'in force' },
  'dry-run': { sign: '◐', says: 'counts, and drops nothing' },
  installing: { sign: '…', says: 'on its way' },
  failed: { sign: '✕', says: 'could not be put there' },
  suggested: { sign: '○', says: 'suggested: this machine does not act' },
  observed: { sign: '○', says: 'observed: this machine does not act' },
};

/** What a rule asks that no router can be told by FlowSpec. */
export function beyondRouters(text: string): string[] {
  const asked = (text.split(' -> ')[0] ?? '').split(' ');
  const words: Record<string, string> = { ttl: 'TTL', window: 'TCP window', payload: 'content', 'tcp-options': 'TCP options' };
  return Object.entries(words).filter(([key]) => asked.includes(key)).map(([, word]) => word);
}

/** The price of a rule. */
export function price(rule: Rule): string {
  const c = rule.collateral;
  if (!c) return 'What it would cost honest traffic is not known: none was seen.';
  const most = Math.max(c.packets_upper95, c.bytes_upper95, c.peers_upper95);
  return `Hits ${percent(c.packets)} of honest packets, ${percent(c.bytes)} of bytes, ${percent(c.peers)} of peers; with 95 % confidence no more than ${percent(most)} of any.`;
}

/** `237,240-242` is `237 or 240 to 242`. */
const or = (list: string): string => list.replaceAll(',', ' or ').replaceAll(/(\d)-(\d)/g, '$1 to $2').replaceAll('>=', 'at least ').replaceAll('<=', 'at most ');

const KEYS: Record<string, (value: string) => string> = {
  dst: (v) => `to ${address(v)}`,
  src: (v) => `from ${address(v)}`,
  proto: (v) => v.toUpperCase(),
  'src-port': (v) => `from port ${or(v)}`,
  'dst-port': (v) => `to port ${or(v)}`,
  port: (v) => `from or to port ${or(v)}`,
  'tcp-flags': (v) => `with the TCP flags ${v}`,
  length: (v) => `of ${or(v)} octets`,
  ttl: (v) => `with a TTL of ${or(v)}`,
  window: (v) => `with a TCP window of ${or(v)}`,
  dscp: (v) => `with DSCP ${v}`,
  'icmp-type': (v) => `of ICMP type ${v}`,
  'icmp-code': (v) => `of ICMP code ${v}`,
  fragment: (v) => ({ is: 'that are later fragments', first: 'that are first fragments', last: 'that are last fragments', none: 'that are no fragments', dont: 'that must not be fragmented' })[v] ?? `fragment ${v}`,
};

const ACTIONS: Record<string, string> = { drop: 'are dropped', pass: 'pass', challenge: 'have to prove their sender' };

/** A rule of the rule language, in words. */
export function rule(text: string): string {
  const [match = '', rest = ''] = text.split(' -> ');
  const words = match.trim().split(/\s+/).filter((word, at) => !(at === 0 && !KEYS[word]) && !word.startsWith('@'));
  const parts: string[] = [];
  let proto = '';
  for (let at = 0; at < words.length; at += 2) {
    const [key = '', value = ''] = [words[at], words[at + 1]];
    if (key === 'proto') proto = `${KEYS.proto?.(value)} `;
    else if (key === 'payload') parts.push(`whose content has ${value}`);
    else parts.push(KEYS[key]?.(value) ?? `${key} ${value}`);
  }
  const [action = '', ...more] = rest.trim().split(/\s+/);
  const lease = more.includes('for') ? `, for ${more[more.indexOf('for') + 1]}` : '';
  const does = action === 'rate' ? `pass at ${more[0]} at most` : action === 'redirect' ? `go to ${more[0]}` : (ACTIONS[action] ?? action);
  return `${proto}packets ${parts.join(', ')} ${does}${lease}.`;
}

/** Who the sources are, in a sentence. */
export function sources(page: SourcePage): string {
  if (page.count === 0) return `No sender was looked at until ${time(page.as_of)}: that takes packets or flows that reach a router's sampler, after the attack was found. What a filter drops before is not looked at.`;
  return `Of ${count(page.count)} addresses, as of ${time(page.as_of)}: ${nature(page.nature)} (${percent(page.confidence)} sure).`;
}
