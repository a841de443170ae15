// Asking again and again, while somebody looks.

import { said } from './api';

/** What was asked for, and what stood in the way the last time. */
export interface Polled<T> {
  value: T | undefined;
  error: string;
  again: () => void;
}

/** Asks at once, then every so many milliseconds while the page is seen; ends with its component. */
export function poll<T>(ask: () => Promise<T>, every: number): Polled<T> {
  // whole documents are replaced, never changed: nothing in them has to be watched
  let told = $state.raw<{ value: T | undefined; error: string }>({ value: undefined, error: '' });
  let gone = false;
  const once = async (): Promise<void> => {
    try {
      const value = await ask();
      if (gone) return;
      told = { value, error: '' };
    } catch (error) {
      if (!gone) told = { value: told.value, error: said(error) };
    }
  };
  $effect(() => {
    gone = false;
    void once();
    const timer = setInterval(() => {
      if (!document.hidden) void once();
    }, every);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  });
  return {
    get value() {
      return told.value;
    },
    get error() {
      return told.error;
    },
    again: () => void once(),
  };
}
