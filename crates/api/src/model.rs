//! The documents that the API serves, as the OpenAPI document describes them.
//!
//! Attacks and rules are printed by the engine and pass through as they are; the types here are their description, and a
//! test of the daemon reads real documents with them (unknown fields denied), so the two cannot drift apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One attack in its present or final state.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Always `attack`.
    pub event: String,
    /// `active` or `over`.
    pub state: String,
    /// First 16 hex digits of SHA-256 over target, direction and start.
    pub id: String,
    /// Smallest cover of `targets`.
    pub target: String,
    /// Smallest set of prefixes that is attacked.
    pub targets: Vec<String>,
    /// `in`: towards the own networks; `out`: from them.
    pub direction: String,
    /// `attack` or `suspicious`.
    pub severity: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// End of the tick that decided.
    pub detected_at: String,
    /// `null` while active.
    pub ended_at: Option<String>,
    /// Packets/s of the busiest sliding second.
    pub peak_pps: u64,
    /// Bits/s of the busiest sliding second.
    pub peak_bps: u64,
    /// What it is made of.
    pub vectors: Vec<Vector>,
    /// Where it comes from.
    pub sources: Sources,
    /// Filters derived for it.
    pub rules: Vec<Rule>,
    /// Why, in sentences.
    pub explain: Vec<String>,
    /// Packets counted to the attack so far, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets counted to the attack so far, estimated where sampled.
    pub bytes: u64,
    /// Where it enters, the largest first.
    pub entries: Vec<Entry>,
    /// Most of it was told by exporters whose own counters belie them: nothing acts on it.
    pub doubtful: bool,
    /// Rules that were seen to hit more honest traffic than predicted, the latest last; they are not derived again.
    pub withdrawn: Vec<Withdrawn>,
    /// Share of bootstrap runs, 0 to 1, whose rules drop the same examples as these rules; `null` without rules.
    pub stability: Option<f64>,
    /// SYNs that attacked hosts usually get, where that was learned; a challenge spares so many.
    pub usual_syns: Vec<UsualSyns>,
    /// The last of its packets that a router told to have dropped (sFlow discarded packets), as long as that shows that it goes on:
    /// what is dropped does not count as traffic. Absent: nobody tells of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_until: Option<String>,
    /// Filters for routers, where those of `rules` ask for what FlowSpec cannot say (TTL, TCP window, payload), with a price of their
    /// own. Absent: `rules` can be said, or nothing that can tells the attack from honest traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub router_rules: Vec<Rule>,
    /// Addresses and prefixes of others in this document are pseudonyms, under the key of this day (`2026-11-26`): so it is once the
    /// attack is over. Absent: they are what they seem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonymous: Option<String>,
}

/// What a host usually gets.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsualSyns {
    /// The host, as a prefix.
    pub target: String,
    /// SYNs a second at most, at this hour.
    pub pps: u32,
}

/// A rule that was taken back.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// Its id.
    pub id: String,
    /// In the rule language, as it was.
    pub text: String,
    /// RFC 3339, UTC.
    pub at: String,
    /// What it was seen to hit, and what was predicted.
    pub reason: String,
}

/// One way into the network.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `index` of the exporter.
    pub exporter: u32,
    /// ifIndex of the interface it came in by.
    pub input_if: Option<u32>,
    /// Of the attack's packets.
    pub share: f64,
}

/// One vector of an attack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// As listed in the manual.
    pub name: String,
    /// Of the attack's packets.
    pub share: f64,
    /// Where one source port stands out.
    pub src_port: Option<u16>,
    /// Where one destination port stands out.
    pub dst_port: Option<u16>,
}

/// The sources of an attack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// Distinct sources.
    pub count: u64,
    /// `spoofed`, `reflectors`, `real`, `mixed` or `unknown`.
    pub nature: String,
    /// 0 to 1.
    pub confidence: f64,
    /// The busiest ones.
    pub top: Vec<Source>,
}

/// One source of an attack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// As it stood in the packets: a claim.
    pub address: String,
    /// Its packets.
    pub packets: u64,
    /// Of the attack's packets.
    pub share: f64,
}

/// A filter of an attack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique within its attack.
    pub id: String,
    /// The rule as `spillway rules` reads it.
    pub text: String,
    /// `drop`, `rate`, …
    pub action: String,
    /// What it would cost honest traffic; `null` without evidence of honest traffic.
    pub collateral: Option<Collateral>,
    /// End of its lease.
    pub expires_at: Option<String>,
    /// Whose rule it is; in `/api/v1/rules` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<String>,
    /// `active` or `dry-run` while the kernel has it, `installing`, `failed` where it could not be put there, else
    /// `suggested`, or `observed` in observe mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why it does not act, where it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who enforces; in `/api/v1/rules` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Packets that it decided since the kernel has it; in `/api/v1/rules` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_packets: Option<u64>,
    /// Of these, packets that it dropped, or would have in a dry run; in `/api/v1/rules` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_packets: Option<u64>,
    /// It only counts. Absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry: Option<bool>,
}

/// Shares of honest traffic that a rule would hit, each with its upper 95 % bound.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Collateral {
    /// Of packets.
    pub packets: f64,
    /// Of bytes.
    pub bytes: f64,
    /// Of distinct peers.
    pub peers: f64,
    /// Upper bound.
    pub packets_upper95: f64,
    /// Upper bound.
    pub bytes_upper95: f64,
    /// Upper bound.
    pub peers_upper95: f64,
}

/// What is said of one source of an attack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// As it stood in the packets: a claim, unless the verdict has its proof.
    pub address: String,
    /// `spoofed`, `real`, `reflector`, `bot`, `legitimate` or `unknown`.
    pub verdict: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Codes, like `H1`.
    pub reasons: Vec<String>,
    /// Packets of the attack, estimated where sampled.
    pub packets: u64,
    /// Number of the network that announces it, where known.
    pub asn: Option<u32>,
    /// ISO 3166 two-letter country, where known.
    pub country: Option<String>,
    /// Layer-3 octets of the attack, estimated where sampled.
    pub bytes: u64,
    /// Its first packet of the attack, RFC 3339.
    pub first: String,
    /// Its last one.
    pub last: String,
    /// Vectors it takes part in.
    pub vectors: Vec<String>,
    /// The announced prefix that covers it, where known.
    pub prefix: Option<String>,
    /// City, where known.
    pub city: Option<String>,
    /// Of a reflector, the protocol.
    pub reflects: Option<String>,
    /// Rule that its packets follow, where they look like a tool's.
    pub tool: Option<String>,
    /// Lists of others on which it stands, by name.
    #[serde(default)]
    pub lists: Vec<String>,
}

/// Sources and packets.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Distinct sources.
    pub sources: u64,
    /// Their packets.
    pub packets: u64,
}

/// Sources that are neither forged nor honest, of one place.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Country, number of a network, or prefix; `null`: not known.
    #[schema(value_type = Option<String>)]
    pub name: serde_json::Value,
    /// Distinct sources.
    pub sources: u64,
    /// Their packets.
    pub packets: u64,
}

/// Part of the sources of an attack, and what all of them are.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcePage {
    /// The attack's id.
    pub attack: String,
    /// Up to when, RFC 3339.
    pub as_of: String,
    /// Whether the attack is over.
    pub over: bool,
    /// `spoofed`, `reflectors`, `real`, `mixed` or `unknown`.
    pub nature: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Distinct sources, also those that are not listed.
    pub count: u64,
    /// By verdict.
    pub verdicts: std::collections::BTreeMap<String, Amount>,
    /// By country, at most 50.
    pub countries: Vec<Row>,
    /// By network, at most 50.
    pub networks: Vec<Row>,
    /// By announced prefix, at most 50.
    pub prefixes: Vec<Row>,
    /// The most packets first.
    pub items: Vec<Verdict>,
    /// Give it as `after` to get the next page; `null` on the last one.
    pub next: Option<u32>,
}

/// Somebody who sends us flow export.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Exporter {
    /// As `entries` of attacks name it.
    pub index: u32,
    /// Its address; UDP source addresses are claims.
    pub address: String,
    /// Formats it speaks.
    pub formats: Vec<String>,
    /// Datagrams taken in.
    pub datagrams: u64,
    /// Flow records and packet samples taken in.
    pub flows: u64,
    /// Export datagrams that never came, by sequence numbers.
    pub sequence_lost: u64,
    /// N of 1:N as last resolved; `null` when unknown.
    pub sampling_rate: Option<u32>,
    /// Who said so: `sample`, `header`, `record`, `sampler`, `domain`, `exporter`, `config` or `none`.
    pub sampling_source: String,
    /// Templates held.
    pub templates: u64,
    /// Octets that wait for their template.
    pub buffered_bytes: u64,
    /// Names of its interfaces, by ifIndex, as far as it told them.
    pub interfaces: std::collections::BTreeMap<String, String>,
    /// Faults inside its datagrams, by name.
    pub faults: std::collections::BTreeMap<String, u64>,
    /// Time of the last datagram, RFC 3339.
    pub last_seen: Option<String>,
    /// Where it tells of flows: seconds from the first packet to the arrival of 99 of 100; `null` while few came.
    pub export_delay_seconds: Option<f64>,
    /// How long 99 of 100 of its flows last: its active timeout in effect.
    pub flow_duration_seconds: Option<f64>,
    /// Earliest possible detection of what it alone tells, seconds after the first packet.
    pub earliest_detection_seconds: Option<f64>,
    /// How many times what its samples say its interfaces count, over the last five minutes; `null` while that is not known.
    pub truth_factor: Option<f64>,
    /// That was beyond 1.3, either way, for a quarter of an hour.
    pub truth_off: bool,
    /// Flows that were told to be faster than their interface; they are cut down to what it passes.
    #[serde(default)]
    pub flows_too_fast: u64,
    /// Beyond 3, or again and again flows faster than their interface: attacks that it tells of are shown, and nothing acts on
    /// them.
    pub doubtful: bool,
    /// `whole`: as usual; `part`: most of it is lost, or far less comes than usual; `silent`; `unknown` within its first minute.
    pub heard: String,
    /// Since when it is heard like that, RFC 3339.
    pub heard_since: Option<String>,
    /// What it usually tells: flow records and packet samples per second.
    pub usual_records_per_second: Option<f64>,
}

/// One page of attacks.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AttackPage {
    /// Newest first.
    pub items: Vec<Attack>,
    /// Give it as `after` to get the next page; `null` on the last one.
    pub next: Option<String>,
}

/// The rules whose lease runs.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RulePage {
    /// By attack, then id.
    pub items: Vec<Rule>,
    /// Always `null`: one page.
    pub next: Option<String>,
}

/// The exporters.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExporterPage {
    /// By address.
    pub items: Vec<Exporter>,
    /// Always `null`: one page.
    pub next: Option<String>,
}

/// One event of the stream, by its fields (WHATWG HTML, section 9.2.6). Lines that begin with a colon keep the line alive.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct StreamEvent {
    /// `attack`, `rule`, `mitigation`, or `reset`.
    pub event: String,
    /// A document, on one line.
    pub data: String,
    /// To go on behind it; a `reset` has none.
    pub id: Option<String>,
}
