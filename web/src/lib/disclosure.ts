// A disclosure in words: to whom, by which right, and how far it has come.

import type { Disclosure } from './model';

/** How far one has come, in the order in which somebody has to do something. */
export const STEPS: Record<string, { sign: string; says: string; order: number }> = {
  minimised: { sign: '○', says: 'waits for somebody to agree', order: 0 },
  reviewed: { sign: '◐', says: 'agreed to; not in the ledger yet', order: 1 },
  ledgered: { sign: '◑', says: 'in the ledger; not sent yet', order: 2 },
  bounced: { sign: '✕', says: 'did not arrive', order: 3 },
  sent: { sign: '●', says: 'sent; no answer yet', order: 4 },
  acknowledged: { sign: '✓', says: 'the recipient has it', order: 5 },
  withdrawn: { sign: '↶', says: 'the recipient was asked to forget it', order: 6 },
  expired: { sign: '◻', says: 'its time is over', order: 7 },
};

/** What somebody has to do something about first, then the newest. */
export const queued = (all: Disclosure[]): Disclosure[] =>
  [...all].sort((a, b) => (STEPS[a.step]?.order ?? 9) - (STEPS[b.step]?.order ?? 9) || b.draft.created.localeCompare(a.draft.created));

/** What can still be agreed to: it is not in the ledger, and its time is not over. */
export const open = (one: Disclosure): boolean => one.step === 'minimised' || one.step === 'reviewed';

/** `production-order eu-2023-1543, Az 1`. */
export function basis({ kind, ...more }: Disclosure['draft']['basis']): string {
  const named = Object.values(more).filter((value) => typeof value === 'string' && value !== '');
  return [kind, ...named].join(' ') + (more.emergency === true ? ', an emergency' : '');
}

/** What it lacks still; empty: nothing. */
export const needed = (one: Disclosure): string => (one.missing ?? '').replace(/^review: /, '');

/** With what it was compared. */
export function compared(one: Disclosure): string {
  const found = one.compared;
  if (!found) return 'It is what an order asks for: whoever is in it leaves.';
  if (found.attacks === 0) return `It names ${found.names} addresses. No attack is kept with whose sources it could be compared.`;
  return `It names ${found.names} addresses, ${found.told} of them verified sources, and nobody who must not leave (${found.attacks} attacks looked at).`;
}
