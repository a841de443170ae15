// Documents of the API, as far as pages read them.

export interface Page<T> {
  items: T[];
  next: string | number | null;
}

export interface Collateral {
  packets: number;
  bytes: number;
  peers: number;
  packets_upper95: number;
  bytes_upper95: number;
  peers_upper95: number;
}

export interface Rule {
  id: string;
  text: string;
  action: string;
  collateral: Collateral | null;
  expires_at: string | null;
  attack?: string;
  state?: string;
  reason?: string | null;
  backend?: string | null;
  decided_packets?: number | null;
  dropped_packets?: number | null;
}

export interface Vector {
  name: string;
  share: number;
  src_port: number | null;
  dst_port: number | null;
}

export interface Attack {
  id: string;
  state: 'active' | 'over';
  target: string;
  targets: string[];
  direction: 'in' | 'out';
  severity: 'attack' | 'suspicious';
  started_at: string;
  detected_at: string;
  ended_at: string | null;
  peak_pps: number;
  peak_bps: number;
  packets: number;
  bytes: number;
  vectors: Vector[];
  sources: { count: number; nature: string; confidence: number; top: { address: string; packets: number; share: number }[] };
  rules: Rule[];
  /** The last packet that a router told to have dropped, while that shows that it goes on. */
  dropped_until?: string;
  /** For routers, where those of `rules` ask for what FlowSpec cannot say. */
  router_rules?: Rule[];
  explain: string[];
  entries: { exporter: number; input_if: number | null; share: number }[];
  doubtful: boolean;
  withdrawn: { id: string; text: string; at: string; reason: string }[];
  stability: number | null;
  pseudonymous?: string;
  /** What routers are told of it, and why; absent where none are spoken with. */
  mitigation?: {
    step: string | null;
    reason: string | null;
    stands: string;
    in_force: { step: string; effect: string; stopped: [number, number] | null; reason: string }[];
    rejected: { step: string; reason: string }[];
    proposals: number[];
  } | null;
}

export interface Verdict {
  address: string;
  verdict: string;
  confidence: number;
  reasons: string[];
  packets: number;
  asn: number | null;
  country: string | null;
  vectors: string[];
  reflects: string | null;
  tool: string | null;
  lists: string[];
}

export interface SourcePage extends Page<Verdict> {
  as_of: string;
  nature: string;
  confidence: number;
  count: number;
  verdicts: Record<string, { sources: number; packets: number }>;
}

export interface Second {
  at: string;
  pps: number;
  bps: number;
  attack_pps: number;
  attack_bps: number;
  dropped_pps: number | null;
  usual: { pps: number; pps_deviation: number; bps: number; bps_deviation: number } | null;
}

export interface Status {
  version: string;
  ready: boolean;
  notes: string[];
  attacks_active: number;
  rules: number;
  configuration_taken: boolean;
}

export interface Exporter {
  index: number;
  address: string;
  formats: string[];
  flows: number;
  datagrams: number;
  sequence_lost: number;
  sampling_rate: number | null;
  sampling_source: string;
  heard: string;
  heard_since: string | null;
  doubtful: boolean;
  interfaces: Record<string, string>;
  last_seen: string | null;
  earliest_detection_seconds: number | null;
}

export interface Mitigation {
  id: number | null;
  class: string;
  what: string;
  state: string;
  effect: string;
  peers: { peer: string; state: string; reason: string | null }[];
  actor?: string;
  reason?: string;
  asked_at: string;
  started_at: string | null;
  until: string;
  approved_by?: string[];
  approvals_needed?: number;
  confirm_by?: string;
  outcome?: { is: string; reason: string };
}

export interface MitigationPage extends Page<Mitigation> {
  frozen: boolean;
}

/** How far the daemon goes where nothing narrower says it. */
export interface Stance {
  mode: { value: string };
  /** What the configuration says. */
  file: string;
  /** The decision by which nothing acts; `null`: none. */
  panic: { owner: string; reason: string; at: string } | null;
  /** Who said so, where that is not the configuration. */
  why: string | null;
  /** What it means here, in a sentence. */
  means: string;
}

export interface Peer {
  name: string;
  address: string;
  asn: number;
  state: string;
  silent_secs: number | null;
  last_down: string | null;
  carries: string[];
  wanted: number;
  held: number;
  quarantined: number;
}

export interface Load {
  bps?: number;
  pps?: number;
}

export interface Absorber {
  name: string;
  control: string;
  state: string;
  reason: string | null;
  kind: string | null;
  capacity: Load | null;
  free: Load | null;
  rules: number | null;
  prefixes: { prefix: string; state: string; received: Load | null; dropped: Load | null; returned: Load | null }[];
}

export interface Plan {
  value_kept: number;
  value_total: number;
  bound: number | null;
  kept: string[];
  sacrificed: { target: string; why: string }[];
  diverted: { target: string; entry: string; absorber: string }[];
  rules: { target: string; entry: string; id: string }[];
  solver: string;
}

export interface Head {
  size: number;
  checkpoint: string;
  policy: string;
}

export interface Me {
  name: string;
  role: string;
  via: string;
  may: string[];
  scoped: boolean;
}

export interface User {
  name: string;
  role: string;
  prefixes: string[];
  password: boolean;
  created_at: string;
}

export interface Token {
  id: string;
  user: string;
  role: string | null;
  label: string;
  created_at: string;
  expires_at: string | null;
  token?: string;
}

export interface AuditLine {
  number: number;
  at: string;
  actor: string;
  role: string;
  via: string;
  address: string;
  action: string;
  object: string;
  reason: string;
  done: boolean | null;
}

/** What flow samples add up to: rows have a value for each column; the last three are bytes, packets and samples. */
export interface FlowAnswer {
  columns: string[];
  rows: (string | number | null)[][];
  total: { bytes: number; packets: number; samples: number };
  crowded: boolean;
  kept: 'samples' | 'rollups';
  from: string;
  to: string;
  scanned: { partial: string | null };
}

/** A line of the journal of mitigations. */
export interface Past {
  number: number;
  at: string;
  mitigation: number | null;
  event: string;
  actor: string;
  reason: string;
  what: string;
}

export interface SamplePacket {
  at: string;
  vector: string | null;
  src: string;
  dst: string;
  ip_protocol: number;
  src_port: number | null;
  dst_port: number | null;
  tcp_flags: string | null;
  tcp_window: number | null;
  icmp: [number, number] | null;
  ttl: number | null;
  bytes: number;
  fragment: string;
  packets: number;
  sampling_rate: number | null;
  headers: string | null;
}

export interface PacketPage extends Page<SamplePacket> {
  as_of: string;
  seen: number;
}

export interface CampaignAttack {
  id: string;
  target: string;
  started_at: string;
  seconds: number;
  vectors: string[];
  score: number;
  because: { what: string; weight: number }[];
}

export interface Intelligence {
  attacks: number;
  from_folders: number;
  left_out: number;
  campaigns: { number: number; attacks: CampaignAttack[] }[];
  reflectors: { protocol: string; asn: number | null; sources: number; packets: number; attacks: number }[];
  networks: { asn: number | null; sources: number; packets: number; attacks: number }[];
}

/** A disclosure, as whoever looks after evidence sees it. */
export interface Disclosure {
  id: string;
  step: string;
  draft: {
    recipient: string;
    recipient_source: string;
    recipient_class: string;
    purpose: string;
    basis: { kind: string; [more: string]: string | boolean };
    jurisdiction: string;
    tlp: string;
    pap: string;
    consent: string;
    customer: string | null;
    data: string[];
    profile: string;
    extent: string;
    retention_days: number;
    created: string;
    expires: string;
    ticket: string;
    embargo_until: string | null;
    author: string;
  };
  approvals: { by: string; at: string }[];
  /** What it needs before it may leave. */
  missing: string | null;
  /** When an order has to be followed. */
  due: string | null;
  compared: { attacks: number; names: number; told: number } | null;
  sent: string | null;
  ledgered: number | null;
}

/** What would leave. */
export interface Payload {
  payload_sha256: string;
  octets: number;
  kind: 'text' | 'capture' | 'archive' | 'other';
  text: string | null;
  files: { path: string; octets: number }[];
  cut: boolean;
}

/** A disclosure, as the customer whom it concerns sees it. */
export interface OwnDisclosure {
  sent: string;
  recipient_class: string;
  purpose: string;
  basis: string;
  jurisdiction: string;
  data: string[];
  retention_days: number;
  approvals: number;
  ledgered: number | null;
  step: string;
}

export interface Channel {
  name: string;
  kind: string;
  to: string;
  fallback: string | null;
  waiting: number;
  dead: number;
  last_failure: string | null;
}

export interface Tried {
  channel: string;
  id: string;
  arrived: boolean;
  answer: string;
}

export interface Room {
  kind: 'kernel' | 'router' | 'all-routers';
  name: string;
  of: string;
  used: number;
  max: number | null;
  well: boolean;
}

export interface Target {
  prefix: string;
  customer: string | null;
  profile: string;
  mode: string;
  exceptions: number;
}

export interface Profile {
  name: string;
  title: string;
  why: string;
}

export interface Levels {
  p95: number;
  p99: number;
  greatest: number;
}

export interface Simulated {
  fired: number;
  hosts: number;
  parts: { from: string; to: string; step_seconds: number; kept: string; steps: number; pps: Levels; bps: Levels; hosts_left_out: boolean; partial: string | null }[];
  days: { day: string; fired: number }[];
  times: { target: string; from: string; to: string; peak_pps: number; peak_bps: number; step_seconds: number }[];
  times_left_out: number;
  caveat: string;
}

export interface Finding {
  check: string;
  severity: 'ok' | 'note' | 'warning' | 'error';
  about: string | null;
  what: string;
  why: string | null;
  cure: string | null;
}

/** The plan for all attacks that go on, with what it was made from. */
export interface LivePlan {
  at: string;
  mode: string;
  switch: string;
  targets: { target: string; sacrificed: boolean; absorber: string | null; entries: string[] | null; rules: Record<string, string[]>; why: string }[];
  left_out: string[];
  plan: Plan;
  document: { targets: { prefix: string; value: number }[] };
}

/** How an attack ran, by vector. */
export interface Course {
  from: string;
  step_seconds: number;
  vectors: { name: string; packets: number[]; bytes: number[] }[];
}

export interface Evidence {
  attack: string;
  state: 'open' | 'sealed' | 'none';
  octets: number;
  /** SHA-256 of its tag manifest. */
  seal: string | null;
  target: string | null;
  started_at: string | null;
  ended_at: string | null;
  hold: { at?: string; reason?: string; person?: string | null } | null;
}

/** What `spillway evidence verify` says. */
export interface Verification {
  valid: boolean;
  files: number;
  octets: number;
  seal: string | null;
  signed_by: string | null;
  trusted: boolean;
  stamped: boolean;
  faults: { path: string; what: string }[];
}

/** What somebody wrote to an attack. */
export interface Note {
  at: string;
  actor: string;
  text: string;
}

/** What was done about an attack's packets, by this machine (`kernel`) or by routers. */
export interface Measures {
  items: { class: string; what: string; state: 'waits' | 'holds' | 'ended'; from: string | null; to: string | null; dropped_packets: number | null; dry: boolean }[];
  packets: number;
  complete: boolean;
}

interface Sum {
  bytes: number;
  packets: number;
}

/** A rule by hand (`rule`), or one of the engine that can be taken back (`derived`). */
export interface HeldRule {
  kind: string;
  /** `null`: only what would be. */
  rule: string | null;
  text: string;
  owner: string;
  reason: string;
  until: string | null;
  confirm_by?: string | null;
  notes?: string[];
  /** What it would have hit in the last hour. */
  preview?: { rules: { unknown: string[]; attacks: Sum; others: Sum; hosts: { target: string; packets: number }[]; partial: string | null }[] } | null;
  no_preview?: string | null;
}

/** What a person took back: it is not set again for a while. */
export interface Exception {
  id: number;
  target: string;
  rule: string;
  until: string | null;
  owner?: string;
  reason?: string;
}
