// The public API, and nothing else. What it refuses is told in its own words.

/** What an endpoint refused, and what to do about it (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly hint: string,
  ) {
    super(detail);
  }
}

const WORD = 'spillway.csrf';

/** The word that has to come with everything that changes something; all tabs share it. */
export const word = {
  get: (): string | null => localStorage.getItem(WORD),
  set: (value: string): void => localStorage.setItem(WORD, value),
  forget: (): void => localStorage.removeItem(WORD),
};

export async function send(method: string, path: string, body?: unknown, kind = 'application/json'): Promise<Response> {
  const headers: Record<string, string> = { Accept: kind };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const csrf = word.get();
  if (csrf && method !== 'GET') headers['X-Spillway-CSRF'] = csrf;
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, 'the daemon does not answer', 'look whether it runs, and whether you reach it');
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, told.detail ?? `status ${answer.status}`, told.hint ?? '');
}

export async function get<T>(path: string): Promise<T> {
  return (await send('GET', path)).json();
}

/** Octets as they are: whoever checks them hashes them. */
export async function octets(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await send('GET', path, undefined, '*/*')).arrayBuffer());
}

export async function text(path: string): Promise<string> {
  return (await send('GET', path, undefined, 'text/plain')).text();
}

export async function change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const answer = await send(method, path, body ?? (method === 'DELETE' ? undefined : {}));
  return answer.status === 204 ? (undefined as T) : answer.json();
}

export function said(error: unknown): string {
  if (error instanceof Problem) return error.hint ? `${error.detail} — ${error.hint}` : error.detail;
  return error instanceof Error ? error.message : String(error);
}
