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

/** In the order of time; `done` is the history of mitigations, where it may be seen. */
export function marks(attack: Attack, done: Past[]): Mark[] {
  const all: Mark[] = [
    { at: attack.started_at, sign: '▶', text: 'first packet' },
    { at: attack.detected_at, sign: '!', text: `found, ${span(since(attack.started_at, attack.detected_at, 0))} later` },
    ...attack.withdrawn.map((rule) => ({ at: rule.at, sign: '↶', text: `rule ${rule.id} taken back: ${rule.reason}` })),
  ];
  const names = attack.targets.map(address);
  const end = attack.ended_at ?? '9999';
  for (const one of done) {
    const ours = names.some((name) => one.what.split(/[\s/]/).includes(name)) || attack.targets.some((target) => one.what.includes(target));
    if (ours && one.at >= attack.started_at && one.at <= end) all.push({ at: one.at, sign: '✋', text: `${one.event}: ${one.what} (${one.actor})` });
  }
  if (attack.ended_at) all.push({ at: attack.ended_at, sign: '■', text: 'last packet' });
  return all.sort((a, b) => a.at.localeCompare(b.at));
}
