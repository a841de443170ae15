//! Sources as observables: addresses, the networks that announce them, what they sent.

use std::collections::BTreeSet;

use super::super::ddosch::Place;
use super::super::{Shared, time};
use super::object::Objects;
use super::observable::TrafficName;
use crate::finding::Finding;

/// Observables of these sources, by id.
pub(super) fn of(objects: &mut Objects, shared: &Shared<'_>, picked: &[&Finding]) -> BTreeSet<String> {
    let target = shared.target().filter(|_| picked.iter().any(|finding| transport(finding).is_some()));
    // once for all of them
    let target = target.map(|target| objects.address(target.is_ipv4(), Place(target).to_string(), None));
    let mut refs = BTreeSet::new();
    for finding in picked {
        let place = Place::of(finding.address);
        let network = finding.asn.map(|asn| objects.network(asn));
        let address = objects.address(finding.address.is_ipv4(), place.to_string(), network.as_deref());
        refs.extend(network);
        refs.extend(traffic(objects, finding, &address, target.as_deref()));
        refs.insert(address);
    }
    refs
}

/// What a source sent, where it has ports: of other protocols the address says all.
fn traffic(objects: &mut Objects, finding: &Finding, address: &str, target: Option<&str>) -> Option<String> {
    let (transport, (src_port, dst_port)) = transport(finding)?;
    let family = if finding.address.is_ipv4() { "ipv4" } else { "ipv6" };
    let (start, end) = (time::zulu(finding.first), time::zulu(finding.last));
    let name = TrafficName {
        dst_port,
        dst_ref: target,
        end: &end,
        protocols: [family, transport],
        src_port,
        src_ref: address,
        start: &start,
    };
    Some(objects.traffic(&name, finding.packets, finding.bytes))
}

/// By what it was sent, where that has ports, and those.
fn transport(finding: &Finding) -> Option<(&'static str, (u16, u16))> {
    let transport = match finding.ip_protocol {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        _ => return None,
    };
    Some((transport, finding.ports?))
}
