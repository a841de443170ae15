// Proofs of the ledger, checked here and by nobody else: SHA-256 and Ed25519 of the browser, the rest on this page.
// Forms: c2sp.org/tlog-proof, signed-note, tlog-checkpoint, tlog-policy, tlog-cosignature.

const utf8 = new TextEncoder();

function base64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) throw new Error('not base64');
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

const hex = (octets: Uint8Array): string => Array.from(octets, (one) => one.toString(16).padStart(2, '0')).join('');

function joined(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((one, at) => one === b[at]);

async function sha256(octets: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', octets as BufferSource));
}

/** A key: NAME+HASH+KEY, of a log (type 1) or a witness (type 4). */
interface Key {
  name: string;
  kind: number;
  id: string;
  octets: Uint8Array;
}

async function key(text: string): Promise<Key> {
  const [name, id, ...rest] = text.split('+');
  const octets = base64(rest.join('+'));
  const kind = octets[0] ?? 0;
  if (!name || !id || (kind !== 1 && kind !== 4) || octets.length !== 33) throw new Error('a key of the policy cannot be read');
  const hash = await sha256(joined(utf8.encode(`${name}\n`), octets));
  if (hex(hash.slice(0, 4)) !== id) throw new Error(`the key of ${name} does not have its own hash`);
  return { name, kind, id, octets: octets.slice(1) };
}

interface Signed {
  text: string;
  by: { name: string; id: string; octets: Uint8Array }[];
}

function note(text: string): Signed {
  const at = text.lastIndexOf('\n\n');
  if (at < 0) throw new Error('the head of the log is not signed');
  const by = text
    .slice(at + 2)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [dash, name = '', signature = ''] = line.split(' ');
      const octets = base64(signature);
      if (dash !== '\u2014' || octets.length < 5) throw new Error('a signature cannot be read');
      return { name, id: hex(octets.slice(0, 4)), octets: octets.slice(4) };
    });
  return { text: text.slice(0, at + 1), by };
}

/** Whether the key signed it; a signature in its name that does not fit is a forgery. */
async function signed(by: Key, what: Signed): Promise<boolean> {
  let found = false;
  for (const signature of what.by.filter((one) => one.name === by.name && one.id === by.id)) {
    const public_key = await crypto.subtle.importKey('raw', by.octets as BufferSource, 'Ed25519', false, ['verify']);
    let [message, octets] = [what.text, signature.octets];
    if (by.kind === 4) {
      const seconds = new DataView(octets.buffer, octets.byteOffset, 8).getBigUint64(0);
      message = `cosignature/v1\ntime ${seconds}\n${what.text}`;
      octets = octets.slice(8);
    }
    const fits = await crypto.subtle.verify('Ed25519', public_key, octets as BufferSource, utf8.encode(message));
    if (!fits) throw new Error(`the signature of ${by.name} does not fit: the head of the log or the signature was changed`);
    found = true;
  }
  return found;
}

/** Whether the policy believes the note. */
async function believed(policy: string, what: Signed, origin: string): Promise<void> {
  let log = false;
  let quorum: string | undefined;
  const agree = new Map<string, boolean>();
  for (const line of policy.split('\n')) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    const [first, name = '', third = ''] = words;
    if (first === undefined || first.startsWith('#')) continue;
    if (first === 'log') {
      const by = await key(name);
      if (by.name === origin && by.kind === 1) log = (await signed(by, what)) || log;
    } else if (first === 'witness') {
      const by = await key(third);
      agree.set(name, by.kind === 4 && (await signed(by, what)));
    } else if (first === 'group') {
      const members = words.slice(3);
      const least = third === 'all' ? members.length : third === 'any' ? 1 : Number(third);
      if (!Number.isInteger(least) || least < 1) throw new Error('a group of the policy cannot be read');
      agree.set(name, members.filter((member) => agree.get(member)).length >= least);
    } else if (first === 'quorum') {
      quorum = name;
    } else {
      throw new Error(`the policy has a line that begins with ${first}`);
    }
  }
  if (!log) throw new Error(`no log of the policy signed it: ${origin} did not, with a key that the policy names`);
  if (quorum === undefined) throw new Error('the policy has no quorum line');
  if (quorum !== 'none' && !agree.get(quorum)) throw new Error(`too few witnesses signed it: the policy asks for ${quorum}`);
}

/** The root that the hashes lead to (RFC 9162 §2.1.3.2). */
async function root(leaf: Uint8Array, index: bigint, size: bigint, hashes: Uint8Array[]): Promise<Uint8Array> {
  if (index >= size) throw new Error('the log has no entry of this number');
  const node = (left: Uint8Array, right: Uint8Array): Promise<Uint8Array> => sha256(joined(Uint8Array.of(1), left, right));
  let [at, last, hash] = [index, size - 1n, leaf];
  for (const sibling of hashes) {
    if (last === 0n) throw new Error('the proof is longer than the log is high');
    if ((at & 1n) === 1n || at === last) {
      hash = await node(sibling, hash);
      while ((at & 1n) === 0n && at !== 0n) {
        at >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    at >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new Error('the proof is shorter than the log is high');
  return hash;
}

/** JSON with one spelling (RFC 8785, integers and ASCII keys). */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}

interface Opening {
  entry: { what: Record<string, { commitment?: string; payload?: string; record?: { payload: string } }> };
  salt: string;
  record?: { payload: string };
}

/** Whether the entry commits to the file. */
async function fits(opening: Opening, file: Uint8Array): Promise<boolean> {
  const salt = Uint8Array.from(opening.salt.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const commit = async (content: Uint8Array): Promise<string> => hex(await sha256(joined(salt, content)));
  const [is, committed] = [(hash?: string): boolean => hash === committed, await commit(file)];
  const { decision, disclosure, sealed, unsealed } = opening.entry.what;
  if (decision) return is(decision.commitment);
  if (disclosure) return is(disclosure.payload);
  if (unsealed) return is(unsealed.record?.payload);
  if (!sealed || !opening.record) return false;
  return is(opening.record.payload) && (await commit(utf8.encode(canonical(opening.record)))) === sealed.commitment;
}

export interface Proven {
  index: number;
  size: number;
  origin: string;
  /** The file is the entry itself, and not what the entry commits to. */
  isEntry: boolean;
}

/** Checks a file against a proof under a policy. Throws what is wrong. */
export async function verify(proof: string, file: Uint8Array, policy: string): Promise<Proven> {
  const cut = proof.indexOf('\n\n');
  const lines = proof.slice(0, Math.max(cut, 0)).split('\n');
  if (cut < 0 || lines.shift() !== 'c2sp.org/tlog-proof@v1') throw new Error('this is not a proof: the first line of one is c2sp.org/tlog-proof@v1');
  const extra = lines[0]?.startsWith('extra ') ? base64(lines.shift()?.slice(6) ?? '') : undefined;
  const number = lines.shift()?.match(/^index (0|[1-9][0-9]*)$/)?.[1];
  if (number === undefined) throw new Error('the proof has no index');
  const hashes = lines.map(base64);
  if (hashes.some((hash) => hash.length !== 32)) throw new Error('a hash of the proof cannot be read');
  const head = note(proof.slice(cut + 2));
  const [origin = '', size = '', top = ''] = head.text.split('\n');
  if (!/^(0|[1-9][0-9]*)$/.test(size)) throw new Error('the head of the log has no size');
  await believed(policy, head, origin);
  const opening: Opening | undefined = extra && JSON.parse(new TextDecoder().decode(extra));
  const entry = opening ? utf8.encode(canonical(opening.entry)) : file;
  const leaf = await sha256(joined(Uint8Array.of(0), entry));
  if (!same(await root(leaf, BigInt(number), BigInt(size), hashes), base64(top))) {
    throw new Error('the proof does not lead to the signed root: the file was changed, or the proof belongs to another one');
  }
  if (opening && !(await fits(opening, file))) {
    throw new Error(`entry ${number} stands in the log, but commits to another file: this one was changed, or belongs to another proof`);
  }
  return { index: Number(number), size: Number(size), origin, isEntry: !opening };
}
