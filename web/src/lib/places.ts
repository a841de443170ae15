// Places on the map: what each verdict looks like there, and what a place says of itself.

import { count, pps } from './units';

export interface Share {
  sources: number;
  packets: number;
  pps: number;
}

export interface Origin extends Share {
  city: string | null;
  country: string | null;
  latitude: number | null;
  longitude: number | null;
  verdicts: Record<string, Share>;
}

export interface Site {
  prefix: string;
  city: string | null;
  country: string | null;
  latitude: number;
  longitude: number;
}

/** `GET /api/v1/map`. */
export interface Places {
  attacks: number;
  not_followed: number;
  places: Origin[];
  unplaced: Share;
  further: Share;
  sites: Site[];
}

/** A shape each, so that colour is not all that tells them apart: an outline around 0, 0 with the area of a circle of radius 1. */
export const MARKS: Record<string, { says: string; ink: string; hollow: boolean; path: string }> = {
  reflector: { says: 'misused servers', ink: 'warn', hollow: false, path: 'M0-1.55 1.35.78-1.35.78Z' },
  bot: { says: 'machines that took part', ink: 'bad', hollow: false, path: 'M-.89-.89H.89V.89H-.89Z' },
  real: { says: 'real senders', ink: 'arriving', hollow: false, path: 'M-1 0A1 1 0 1 0 1 0 1 1 0 1 0-1 0Z' },
  unknown: { says: 'not known yet', ink: 'dim', hollow: true, path: 'M-1 0A1 1 0 1 0 1 0 1 1 0 1 0-1 0Z' },
  spoofed: { says: 'forged: the address lies, and so does its place', ink: 'dim', hollow: true, path: 'M0-1.25 1.25 0 0 1.25-1.25 0Z' },
  legitimate: { says: 'honest', ink: 'passed', hollow: false, path: 'M-.4-1.2H.4V-.4H1.2V.4H.4V1.2H-.4V.4H-1.2V-.4H-.4Z' },
};

/** Verdicts of a place, the most packets first. */
export const ranked = (place: Origin): [string, Share][] => Object.entries(place.verdicts).sort(([, a], [, b]) => b.packets - a.packets);

export const mark = (verdict: string | undefined): (typeof MARKS)[string] => MARKS[verdict ?? 'unknown'] ?? MARKS.unknown!;

export const named = (place: { city: string | null; country: string | null }): string => {
  if (place.city && place.country) return `${place.city}, ${place.country}`;
  return place.city ?? place.country ?? 'without a name';
};

export const key = (place: Origin): string => `${place.latitude},${place.longitude},${place.country},${place.city}`;

/** `31 000 packets/s from 12 addresses`. */
export const says = (share: Share): string => `${share.pps > 0 ? pps(share.pps) : 'nothing now'} from ${count(share.sources)} address${share.sources === 1 ? '' : 'es'}`;
