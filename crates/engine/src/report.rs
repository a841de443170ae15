//! An attack as the outside sees it: one JSON document, the same from `replay`, the API and the notifications.

use base::{Prefix, Timestamp};
use detect::class::Class;
use serde::{Deserialize, Serialize};

/// One attack. The last document of an id is its final state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Always `attack`.
    pub event: Event,
    /// Whether it goes on.
    pub state: State,
    /// First 16 hex digits of SHA-256 over target, direction and start.
    pub id: String,
    /// The smallest prefix that covers all targets.
    pub target: Prefix,
    /// The smallest set of prefixes under attack.
    pub targets: Vec<Prefix>,
    /// Towards us or from us.
    pub direction: Direction,
    /// Whether we would act on it.
    pub severity: Severity,
    /// First packet of the attack.
    pub started_at: Timestamp,
    /// End of the tick that decided.
    pub detected_at: Timestamp,
    /// Last packet of the attack, once it is over.
    pub ended_at: Option<Timestamp>,
    /// Packets in the busiest sliding second.
    pub peak_pps: u64,
    /// Layer-3 bits in the busiest sliding second.
    pub peak_bps: u64,
    /// What it consists of, the largest first.
    pub vectors: Vec<Vector>,
    /// Who sends it.
    pub sources: Sources,
    /// What would stop it, in order of precedence.
    pub rules: Vec<RuleReport>,
    /// Why we say so, one term a line.
    pub explain: Vec<String>,
    /// Packets counted to the attack so far, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets counted to the attack so far, estimated where sampled.
    pub bytes: u64,
    /// Where it enters, by exporter and interface, where the telemetry tells; the largest first.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Most of it was told by exporters whose own counters belie them: it is told on, and nothing acts on it.
    #[serde(default)]
    pub doubtful: bool,
    /// Rules that were seen to hit more honest traffic than predicted, the latest last; they are not derived again.
    #[serde(default)]
    pub withdrawn: Vec<Withdrawn>,
    /// Share of bootstrap runs, 0…1, whose rules drop the same examples as these rules; `null` without rules.
    #[serde(default)]
    pub stability: Option<f64>,
    /// SYNs that attacked hosts usually get, where that was learned; a challenge spares so many.
    #[serde(default)]
    pub usual_syns: Vec<UsualSyns>,
    /// The last of its packets that a device told to have dropped, as long as that shows that it goes on: what is dropped does not
    /// count as traffic. Absent: nobody tells of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_until: Option<Timestamp>,
    /// What stops it where those of `rules` ask for what FlowSpec cannot say (TTL, TCP window, payload): rules for routers, in order
    /// of precedence, with a price of their own. Absent: `rules` can be said, or nothing that can tells it from honest traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub router_rules: Vec<RuleReport>,
    /// Addresses of others in it are pseudonyms, under the key of this day (`2026-11-26`); absent: they are what they seem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonymous: Option<String>,
    /// Share of the attack's examples, 0 to 1, that the rules drop together; for those who decide, and not in the document.
    #[serde(skip)]
    pub covered: Option<f64>,
    /// The same of the rules for routers.
    #[serde(skip)]
    pub covered_by_routers: Option<f64>,
    /// Who behaves in the way of its vectors that are known by behaviour; for those who look at senders one by one, and not in
    /// the document.
    #[serde(skip)]
    pub culprits: Vec<std::net::IpAddr>,
}

/// What a host usually gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualSyns {
    /// The host.
    pub target: Prefix,
    /// SYNs a second at most, at this hour.
    pub pps: u32,
}

/// A rule that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Its id.
    pub id: String,
    /// In the rule language, as it was.
    pub text: String,
    /// When.
    pub at: Timestamp,
    /// What it was seen to hit, and what was predicted.
    pub reason: String,
}

/// The tag of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// An attack.
    Attack,
}

/// Whether an attack goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    Active,
    /// It has ended.
    Over,
}

/// Seen from the protected networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards them.
    In,
    /// From them.
    Out,
}

impl Direction {
    /// `in` or `out`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look, nothing acts.
    Suspicious,
    /// An attack.
    Attack,
}

/// One kind of traffic in an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// Fixed name.
    pub name: String,
    /// Of the attack's packets.
    pub share: f64,
    /// Source port, where one port dominates.
    pub src_port: Option<u16>,
    /// Destination port, where one port dominates.
    pub dst_port: Option<u16>,
}

/// What was counted to one vector of an attack that goes on, from its first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The class of traffic that it is found by; it stays, while names follow what is seen.
    pub class: Class,
    /// The vector's name by now; several classes may have the same.
    pub name: String,
    /// Packets, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets, likewise.
    pub bytes: u64,
}

/// Who sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sources {
    /// Distinct addresses.
    pub count: u64,
    /// What they are.
    pub nature: Nature,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// The busiest, by packets.
    pub top: Vec<TopSource>,
}

/// What the sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nature {
    /// Forged addresses.
    Spoofed,
    /// Servers that answered forged requests.
    Reflectors,
    /// Hosts that send under their own address.
    Real,
    /// Several of these.
    Mixed,
    /// Not to be told.
    Unknown,
}

/// One busy source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopSource {
    /// Its address, as claimed.
    pub address: std::net::IpAddr,
    /// Packets counted.
    pub packets: u64,
    /// Of the attack's packets.
    pub share: f64,
}

/// A rule derived for an attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Stable id.
    pub id: String,
    /// In the rule language; `spillway rules` accepts it unchanged.
    pub text: String,
    /// The action's name.
    pub action: String,
    /// What honest traffic it would hit; `null` without benign evidence.
    pub collateral: Option<Collateral>,
    /// When its lease ends.
    pub expires_at: Timestamp,
}

/// Share of honest traffic that a rule would hit, with 95 % upper bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collateral {
    /// Of benign packets.
    pub packets: f64,
    /// Of benign octets.
    pub bytes: f64,
    /// Of distinct benign peers.
    pub peers: f64,
    /// Upper bound of `packets`.
    pub packets_upper95: f64,
    /// Upper bound of `bytes`.
    pub bytes_upper95: f64,
    /// Upper bound of `peers`.
    pub peers_upper95: f64,
}

/// One way into the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Index of the exporter, in order of appearance.
    pub exporter: u32,
    /// SNMP index of the interface it came in by.
    pub input_if: Option<u32>,
    /// Of the attack's packets.
    pub share: f64,
}
