// Numbers with their units. Rates have decimal prefixes, as networks do; three digits are told, no more.

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** `1234567` of `bit/s` is `1.23 Mbit/s`. */
export function scaled(value: number, unit: string): string {
  let at = 0;
  let left = Math.abs(value);
  while (left >= 999.5 && at < PREFIXES.length - 1) {
    left /= 1000;
    at += 1;
  }
  const digits = at === 0 && Number.isInteger(value) ? 0 : left >= 99.95 ? 0 : left >= 9.995 ? 1 : 2;
  // `k packets/s`, for that is a word
  const gap = unit.startsWith('packets') && at > 0 ? ' ' : '';
  return `${value < 0 ? '−' : ''}${left.toFixed(digits)} ${PREFIXES[at]}${gap}${unit}`;
}

export const pps = (value: number): string => scaled(value, 'packets/s');
export const bps = (value: number): string => scaled(value, 'bit/s');
export const count = (value: number): string => value.toLocaleString('en-GB').replaceAll(',', ' ');
export const percent = (share: number): string => {
  const value = share * 100;
  if (value > 0 && value < 0.01) return '< 0.01 %';
  if (value < 100 && value >= 99.5) return '> 99 %';
  return `${value.toFixed(value >= 10 || value === 0 ? 0 : 2)} %`;
};

/** `2026-11-26T20:13:43.25Z` is `20:13:43`, with its day where that is not today's. All times are UTC. */
export function time(at: string | null | undefined): string {
  if (!at) return '—';
  const today = new Date().toISOString().slice(0, 10);
  const [day, rest] = [at.slice(0, 10), at.slice(11, 19)];
  return day === today ? `${rest} UTC` : `${day} ${rest} UTC`;
}

/** Seconds in words: `2 h 5 min`, `12 s`, `0.25 s`. */
export function span(secs: number): string {
  if (secs < 10) return `${secs.toFixed(secs < 1 ? 2 : 1)} s`;
  if (secs < 120) return `${Math.round(secs)} s`;
  if (secs < 7200) return `${Math.floor(secs / 60)} min ${Math.round(secs % 60)} s`;
  return `${Math.floor(secs / 3600)} h ${Math.floor((secs % 3600) / 60)} min`;
}

export const since = (from: string, to: string | null, now: number): number =>
  Math.max(0, ((to ? Date.parse(to) : now) - Date.parse(from)) / 1000);
