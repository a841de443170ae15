// Answers about flows as lines over time, and what can be read off them.

import type { FlowAnswer } from './model';

export interface Line {
  name: string;
  values: (number | null)[];
}

export interface Series {
  /** Seconds since 1970, without holes. */
  at: number[];
  lines: Line[];
}

/** Groups of a row, as a name. */
export const named = (row: (string | number | null)[], from: number, to: number): string =>
  row.slice(from, to).map((value) => value ?? 'not known').join(', ') || 'all';

/** Exporters tell of a second up to so many seconds later. */
const LATE = 5;

/** A series in steps of so many seconds; rates in packets/s or bit/s. Where nothing was told, nothing came: 0; but for the last seconds, of which nobody may have told yet. */
export function series(answer: FlowAnswer, step: number, sort: string): Series {
  const bytes = answer.columns.length - 3;
  const times = answer.rows.map((row) => Date.parse(String(row[0])) / 1000);
  if (times.length === 0) return { at: [], lines: [] };
  // from the first step in which anything was told: before, nobody may have recorded; then all, also those in which nothing came
  const first = Math.min(...times);
  const told = Math.max(Math.max(...times) + step, Date.parse(answer.to) / 1000 - LATE);
  const steps = Math.max(1, Math.ceil((Math.min(told, Date.parse(answer.to) / 1000) - first) / step));
  const at = Array.from({ length: steps }, (_, index) => first + index * step);
  const all = new Map<string, number[]>();
  answer.rows.forEach((row, index) => {
    const name = named(row, 1, bytes);
    const values = all.get(name) ?? Array.from({ length: steps }, () => 0);
    all.set(name, values);
    const sum = sort === 'packets' ? Number(row[bytes + 1]) : Number(row[bytes]) * 8;
    const place = Math.round((times[index]! - first) / step);
    if (place >= 0 && place < steps) values[place] = sum / step;
  });
  const total = (values: number[]): number => values.reduce((sum, value) => sum + value, 0);
  // the greatest first; what is left over last
  const lines = [...all].map(([name, values]) => ({ name, values })).sort((a, b) => Number(a.name.includes('(other)')) - Number(b.name.includes('(other)')) || total(b.values) - total(a.values));
  return { at, lines };
}

/** What 95 of 100 steps stay within, as transit is billed. */
export function p95(values: (number | null)[]): number {
  const sorted = values.map((value) => value ?? 0).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)] ?? 0;
}
