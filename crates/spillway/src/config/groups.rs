//! Groups of hosts with fixed limits, as the file has them.

use std::collections::BTreeMap;

use base::Prefix;
use engine::settings::{Group, Limit, Limits};
use serde::Deserialize;
use toml::Spanned;

use super::check::{Owned, Problems};
use super::values::{Bits, Packets};

/// All groups by name.
pub(super) type Sections = BTreeMap<Spanned<String>, Section>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    networks: Vec<Spanned<Prefix>>,
    incoming: LimitsSection,
    outgoing: LimitsSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSection {
    packets: Option<Packets>,
    bits: Option<Bits>,
    tcp_packets: Option<Packets>,
    tcp_bits: Option<Bits>,
    udp_packets: Option<Packets>,
    udp_bits: Option<Bits>,
    icmp_packets: Option<Packets>,
    icmp_bits: Option<Bits>,
    syn_packets: Option<Packets>,
    syn_bits: Option<Bits>,
    fragment_packets: Option<Packets>,
    fragment_bits: Option<Bits>,
}

impl From<&LimitsSection> for Limits {
    fn from(s: &LimitsSection) -> Self {
        let limit = |packets: Option<Packets>, bits: Option<Bits>| Limit {
            pps: packets.map(|rate| rate.0),
            bps: bits.map(|rate| rate.0),
        };
        let Limit { pps, bps } = limit(s.packets, s.bits);
        Self {
            pps,
            bps,
            tcp: limit(s.tcp_packets, s.tcp_bits),
            udp: limit(s.udp_packets, s.udp_bits),
            icmp: limit(s.icmp_packets, s.icmp_bits),
            syn: limit(s.syn_packets, s.syn_bits),
            fragment: limit(s.fragment_packets, s.fragment_bits),
        }
    }
}

/// The groups in order of their names; a narrower prefix may stand inside a wider one, but each prefix has one group.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    networks: &[Spanned<Prefix>],
    sections: &Sections,
) -> Vec<Group> {
    let members = sections
        .iter()
        .flat_map(|(name, section)| section.networks.iter().map(|prefix| (name.get_ref().as_str(), prefix)));
    let one = Owned { kind: "group", rule: "a prefix has one group", clash: |a, b| a == b };
    one.check(problems, networks, &members.collect::<Vec<_>>());
    for (name, section) in sections {
        let (start, name) = (name.span().start, name.get_ref());
        match (name == Group::DEFAULT, section.networks.is_empty()) {
            (true, false) => problems.at(
                start,
                "the group `default` is everything that no other group names; remove its networks, or give it another name".to_owned(),
            ),
            (false, true) => problems.at(
                start,
                format!("the group `{name}` has no networks; add a line like networks = [\"198.51.100.0/28\"]"),
            ),
            _ => {}
        }
    }
    let group = |(name, section): (&Spanned<String>, &Section)| Group {
        name: name.get_ref().clone(),
        networks: section.networks.iter().map(|p| *p.get_ref()).collect(),
        incoming: (&section.incoming).into(),
        outgoing: (&section.outgoing).into(),
    };
    sections.iter().map(group).collect()
}
