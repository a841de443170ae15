// What may come next in a filter of flow samples: fields, tests, values. The language itself is the daemon's.

/** Fields, with what they are. */
const FIELDS: Record<string, string> = {
  src: 'who sent',
  dst: 'who received',
  'src-port': 'port of who sent',
  'dst-port': 'port of who received',
  host: 'either end',
  port: 'either port',
  target: 'the own host',
  foreign: 'the other end',
  'target-port': 'port of the own host',
  'foreign-port': 'port of the other end',
  proto: 'protocol',
  'tcp-flags': 'TCP flags',
  class: 'class of traffic',
  direction: 'in or out',
  packets: 'packets, scaled',
  bytes: 'octets, scaled',
  asn: 'network of the other end',
  country: 'country of the other end',
  attack: 'attack, by its id',
  customer: 'customer',
  exporter: 'who told',
  'input-if': 'interface it came in by',
  'output-if': 'interface it left by',
};
const TESTS: Record<string, string> = { '=': 'is', '!=': 'is not', in: 'one of, or within', 'not in': 'none of', '>': 'more than', '>=': 'at least', '<': 'less than', '<=': 'at most' };
const JOINS: Record<string, string> = { and: 'both', or: 'either' };
const VALUES: Record<string, string[]> = {
  direction: ['in', 'out'],
  proto: ['tcp', 'udp', 'icmp', 'icmp6', 'gre'],
  class: ['tcp-syn', 'tcp-synack', 'tcp-rst-fin', 'tcp-ack', 'tcp-data', 'tcp-odd', 'udp-quic', 'udp-dns-query', 'udp-other', 'udp-fragment', 'ip-fragment', 'icmp-echo', 'icmp-error', 'icmp-other', 'gre', 'other', 'dns', 'ntp', 'memcached', 'cldap', 'ssdp', 'snmp', 'chargen'],
  attack: ['none'],
  'tcp-flags': ['syn', 'syn+ack', 'rst', 'ack'],
};

export interface Offer {
  /** What is put there. */
  text: string;
  says: string;
}

export interface Completion {
  /** Where the word begins that is replaced. */
  from: number;
  offers: Offer[];
}

const OFFERS_MAX = 12;

/** What may stand at the end of `text`; `seen` has values of the last answers by field. */
export function complete(text: string, seen: Map<string, Set<string>>): Completion {
  const begin = /(?:"[^"]*|[^\s()",]*)$/.exec(text)!;
  const [from, word] = [begin.index, begin[0].replace('"', '').toLowerCase()];
  const before = text.slice(0, from).trimEnd();
  const tokens = before.match(/"[^"]*"|[()]|,|[<>!=]=?|[^\s()",<>=!]+/g) ?? [];
  const last = tokens.at(-1)?.toLowerCase() ?? '';
  const of = (all: Record<string, string>): Offer[] => Object.entries(all).map(([one, says]) => ({ text: one, says }));
  let offers: Offer[];
  // the field that the last test is of
  const field = [...tokens].reverse().find((token: string) => token.toLowerCase().replace('_', '-') in FIELDS)?.toLowerCase() ?? '';
  const values = (): Offer[] => [...new Set([...(seen.get(field) ?? []), ...(VALUES[field] ?? [])])].map((value) => ({ text: /^[\w.:/*+-]+$/.test(value) ? value : `"${value}"`, says: field }));
  const open = before.lastIndexOf('(') > before.lastIndexOf(')');
  const list = open && /(?:^|\s)in\s*\([^()]*$/i.test(before);
  const valued = /^[<>!=]/.test(tokens.at(-2) ?? '');
  if (valued && !/^[<>!=(]/.test(last)) {
    offers = of(JOINS);
  } else if (last === '' || last === 'and' || last === 'or' || (last === '(' && !list) || (last === 'not' && !(tokens.at(-2)?.toLowerCase() === field))) {
    offers = [...of(FIELDS), { text: 'not', says: 'the opposite' }];
  } else if (last in FIELDS) {
    offers = of(TESTS);
  } else if (/^[<>!=]/.test(last) || last === 'has') {
    offers = values();
  } else if (last === 'in' || ((last === '(' || last === ',') && list)) {
    offers = last === 'in' ? [{ text: '(', says: 'a list' }, ...values()] : values();
  } else {
    offers = of(JOINS);
  }
  return { from, offers: offers.filter((one) => one.text.toLowerCase().replace('"', '').startsWith(word) && one.text.toLowerCase() !== word).slice(0, OFFERS_MAX) };
}
