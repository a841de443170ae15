// Who looks, and what he may.

import { change, get, Problem, word } from './api';
import type { Me } from './model';

export const session = $state<{
  /** `null`: nobody in particular. */
  me: Me | null;
  may: string[];
  banner: string | null;
  /** Whether this is a demonstration, whose world can be asked for things. */
  demo: boolean;
  /** `null`: not known yet. */
  open: boolean | null;
}>({ me: null, may: [], banner: null, demo: false, open: null });

export const may = (permission: string): boolean => session.may.includes(permission);

/** Whether something can be changed here: the right to, and the word that says that it is meant. */
export const acts = (permission: string): boolean => may(permission) && session.me !== null && word.get() !== null;

interface Greeting {
  banner: string | null;
  anonymous: boolean;
  demo: boolean;
}

interface Matrix {
  items: { permission: string; roles: string[] }[];
}

/** Asks who we are. Throws when nobody answers. */
export async function meet(): Promise<void> {
  const greeting = await get<Greeting>('/api/v1/greeting');
  session.banner = greeting.banner;
  session.demo = greeting.demo;
  try {
    session.me = await get<Me>('/api/v1/me');
    session.may = session.me.may;
    session.open = true;
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 401 && error.status !== 403)) throw error;
    session.me = null;
    session.may = [];
    session.open = greeting.anonymous && (await looksOn());
  }
}

async function looksOn(): Promise<boolean> {
  try {
    await get('/api/v1/attacks?limit=1');
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return false;
    throw error;
  }
  const matrix = await get<Matrix>('/api/v1/roles');
  session.may = matrix.items.filter((line) => line.roles.includes('viewer') && line.permission !== 'own').map((line) => line.permission);
  return true;
}

async function opened(path: string, body: unknown): Promise<void> {
  const made = await change<{ csrf: string }>('POST', path, body);
  word.set(made.csrf);
  await meet();
}

export const logIn = (user: string, password: string): Promise<void> => opened('/api/v1/session', { user, password });
export const byLink = (secret: string): Promise<void> => opened('/api/v1/session/link', { secret });

export async function logOut(): Promise<void> {
  try {
    await change('DELETE', '/api/v1/session');
  } finally {
    word.forget();
    await meet();
  }
}
