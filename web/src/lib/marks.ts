// Moments of an attack that are worth a mark: what was seen, and what was done.

import { address } from './words';
import type { Attack, Past } from './model';
import { since, span } from './units';

export interface Mark {
  /** RFC 3339. */
  at: string;
  /** One sign, so that marks differ by more than their place. */
  sign: string;
  text: string;
}

/** What was done at routers, each by its sign. */
const SIGNS: Record<string, string> = { proposed: '◇', approved: '✓', started: '⊘', ended: '⟲' };
const SAYS: Record<string, string> = { proposed: 'asked for', approved: 'agreed to', started: 'routers were told', ended: 'taken back from routers' };
/** What begins so soon after it was asked for waited for nobody. */
const AT_ONCE = 1000;

/** In the order of time; `done` is the history of mitigations, where it may be seen. */
export function marks(attack: Attack, done: Past[]): Mark[] {
  const all: Mark[] = [
    { at: attack.started_at, sign: '▶', text: 'first packet' },
    { at: attack.detected_at, sign: '!', text: `found, ${span(since(attack.started_at, attack.detected_at, 0))} later` },
    ...attack.withdrawn.map((rule) => ({ at: rule.at, sign: '↶', text: `rule ${rule.id} taken back: ${rule.reason}` })),
  ];
  const names = attack.targets.map(address);
  const end = attack.ended_at ?? '9999';
  const about = (one: Past): boolean => {
    // what the engine did says for which attack; a person's word is taken by its target
    if (one.reason.startsWith('attack ')) return one.reason.startsWith(`attack ${attack.id}:`);
    const ours = names.some((name) => one.what.split(/[\s/]/).includes(name)) || attack.targets.some((target) => one.what.includes(target));
    return ours && one.at >= attack.started_at && one.at <= end;
  };
  const asked = new Map(done.filter((one) => one.event === 'proposed' && about(one)).map((one) => [one.mitigation, one]));
  const began = new Map(done.filter((one) => one.event === 'started').map((one) => [one.mitigation, Date.parse(one.at)]));
  for (const one of done) {
    const ask = asked.get(one.mitigation);
    const sign = SIGNS[one.event];
    if (!ask || !sign) continue;
    if (one.event === 'proposed' && (began.get(one.mitigation) ?? Infinity) - Date.parse(one.at) < AT_ONCE) continue;
    all.push({ at: one.at, sign, text: `${SAYS[one.event]}: ${ask.what} (${one.actor})` });
  }
  if (attack.ended_at) all.push({ at: attack.ended_at, sign: '■', text: 'last packet' });
  return all.sort((a, b) => a.at.localeCompare(b.at));
}
