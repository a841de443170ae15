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
  const polled = $state<{ value: T | undefined; error: string }>({ value: undefined, error: '' });
  let gone = false;
  const once = async (): Promise<void> => {
    try {
      const value = await ask();
      if (gone) return;
      polled.value = value;
      polled.error = '';
    } catch (error) {
      if (!gone) polled.error = said(error);
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
      return polled.value;
    },
    get error() {
      return polled.error;
    },
    again: () => void once(),
  };
}
