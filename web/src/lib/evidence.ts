// Evidence of an attack: whether it is as it was sealed, and a copy of it.

import { get, said } from './api';
import type { Evidence, Verification } from './model';
import { save } from './save';
import { count } from './units';

/** Where the API has it. */
export const place = (attack: string): string => `/api/v1/evidence/${encodeURIComponent(attack)}`;

/** What came of looking whether it is whole. */
export interface Looked {
  ok: boolean;
  text: string;
}

export async function looked(attack: string): Promise<Looked> {
  try {
    const told = await get<Verification>(`${place(attack)}/verification`);
    const whole = `${count(told.files)} files as they were sealed${told.signed_by ? ', and signed' : ''}${told.stamped ? ', with a time stamp' : ''}`;
    return { ok: told.valid, text: told.valid ? whole : told.faults.map((fault) => `${fault.path}: ${fault.what}`).join('; ') };
  } catch (error) {
    return { ok: false, text: said(error) };
  }
}

/** The order for a copy, as `Order.svelte` takes it. */
export const copying = (bag: Evidence): { title: string; says: string; path: string; done: string; act: (reason: string) => Promise<string> } => ({
  title: 'Take a copy',
  says: `You get a copy of ${count(bag.octets)} octets: packets and addresses of others. It is for the house's own keeping, and stands in the audit trail and in the ledger before the first octet goes. To hand it out, begin a disclosure: spillway disclosure new ORDER.toml --bag ${bag.attack}.`,
  path: '',
  done: '',
  act: async (reason) => {
    await save(`${place(bag.attack)}/download`, { reason }, 'application/x-tar', `evidence-${bag.attack}.tar`);
    return 'The copy is yours, and noted in the ledger.';
  },
});
