//! All that is known of one attack: what happened, who sent it, and who says so.

use std::collections::BTreeMap;

use base::{Prefix, Timestamp};

use crate::finding::Finding;

/// One attack with its sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Dossier {
    /// What happened.
    pub incident: Incident,
    /// Who sent it, sorted by address.
    pub findings: Vec<Finding>,
    /// Who says so.
    pub reporter: Reporter,
}

/// Who says so; stands in every document that leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reporter {
    /// The organisation's name.
    pub organisation: String,
    /// Where it is reached by mail.
    pub contact: String,
    /// Its domain name.
    pub domain: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// 16 hex digits, as in the attack's document.
    pub id: String,
    /// The smallest prefix that covers all targets.
    pub target: Prefix,
    /// The smallest set of prefixes under attack.
    pub targets: Vec<Prefix>,
    /// Whether it leaves the protected networks instead of reaching them.
    pub outgoing: bool,
    /// First packet.
    pub started: Timestamp,
    /// When it was found.
    pub detected: Timestamp,
    /// Last packet, or the last one seen so far.
    pub last: Timestamp,
    /// Whether it is over.
    pub over: bool,
    /// Packets in the busiest sliding second.
    pub peak_pps: u64,
    /// Layer-3 bits in the busiest sliding second.
    pub peak_bps: u64,
    /// Packets, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets, estimated where sampled.
    pub bytes: u64,
    /// N of 1:N where packets were sampled, 1 where each was seen; `None` where nobody told.
    pub sampling: Option<u32>,
    /// What it consists of, the largest first.
    pub vectors: Vec<VectorFacts>,
    /// Filters derived for it, in the rule language.
    pub rules: Vec<String>,
    /// Distinct sources, also those that found no place among the findings.
    pub source_count: u64,
    /// Where it came in, where exporters told; empty where nobody did.
    pub ingress: Vec<Ingress>,
}

/// One way by which an attack came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Exporter and interface, as the operator knows them.
    pub interface: String,
    /// The neighbour's network behind it, where known.
    pub asn: Option<u32>,
    /// Whether only that network and those behind it may come in here, so that whoever else does is B3.
    pub cone: bool,
    /// Packets of the attack that came in here.
    pub packets: u64,
    /// Those of them whose source is forged by B1, B2 or B3.
    pub forged: u64,
}

/// Counts of values seen in packets; the counts sum to the packets that had such a value.
pub type Counts<K> = BTreeMap<K, u64>;

/// What is known of one vector of an attack. Tables of values are capped; what did not fit is in the packets alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorFacts {
    /// Fixed name of interface.md, such as `tcp-syn-flood`.
    pub name: String,
    /// Of the attack's packets, 0 to 1.
    pub share: f64,
    /// Packets.
    pub packets: u64,
    /// Layer-3 octets.
    pub bytes: u64,
    /// IP protocol number.
    pub ip_protocol: u8,
    /// First packet.
    pub started: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Packets by source port.
    pub src_ports: Counts<u16>,
    /// Packets by destination port.
    pub dst_ports: Counts<u16>,
    /// Packets by TCP flags.
    pub tcp_flags: Counts<u8>,
    /// Packets by TTL or hop limit as they arrived.
    pub ttls: Counts<u8>,
    /// Packets by layer-3 length.
    pub lengths: Counts<u32>,
    /// Packets by fragment offset in octets.
    pub fragment_offsets: Counts<u16>,
    /// Packets by ICMP type.
    pub icmp_types: Counts<u8>,
    /// DNS questions by name and type, from answers and queries.
    pub dns_questions: Counts<(String, u16)>,
    /// Share of its sources that are forged: estimate and 95 % interval; `None` where it cannot be measured.
    pub spoofed: Option<Share>,
    /// Shapes of its packets, the most frequent first: canonical text and packets.
    pub shapes: Vec<(String, u64)>,
    /// Tools and botnets whose shape its packets have: rule id, name and packets.
    pub tools: Vec<(String, String, u64)>,
}

/// A share with its 95 % interval, all 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The estimate.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}
