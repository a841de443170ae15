//! Sources as observables: addresses, the networks that announce them, what they sent.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::ddosch::Place;
use super::super::{Shared, time};
use super::object::Objects;
use crate::finding::Finding;

/// Observables of these sources, by id.
pub(super) fn of(objects: &mut Objects, shared: &Shared<'_>, picked: &[&Finding]) -> BTreeSet<String> {
    let mut refs = BTreeSet::new();
    for finding in picked {
        let place = Place::of(finding.address);
        let network = finding
            .asn
            .map(|asn| objects.observable("autonomous-system", json!({"number": asn}), Value::Null));
        let kind = if finding.address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
        let more = network.as_ref().map_or(Value::Null, |network| json!({"belongs_to_refs": [network]}));
        let address = objects.observable(kind, json!({"value": place.to_string()}), more);
        refs.extend(network);
        refs.extend(traffic(objects, shared, finding, &address));
        refs.insert(address);
    }
    refs
}

/// What a source sent, where it has ports: of other protocols the address says all.
fn traffic(objects: &mut Objects, shared: &Shared<'_>, finding: &Finding, address: &str) -> Option<String> {
    let (src_port, dst_port) = finding.ports?;
    let transport = match finding.ip_protocol {
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        _ => return None,
    };
    let family = if finding.address.is_ipv4() { "ipv4" } else { "ipv6" };
    let mut naming = Map::new();
    naming.insert("src_ref".into(), json!(address));
    naming.insert("src_port".into(), json!(src_port));
    naming.insert("dst_port".into(), json!(dst_port));
    naming.insert("protocols".into(), json!([family, transport]));
    naming.insert("start".into(), json!(time::zulu(finding.first)));
    naming.insert("end".into(), json!(time::zulu(finding.last)));
    if let Some(target) = shared.target() {
        let kind = if target.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
        let text = Place(target).to_string();
        naming.insert("dst_ref".into(), json!(objects.observable(kind, json!({"value": text}), Value::Null)));
    }
    let more = json!({
        "is_active": false,
        "src_packets": finding.packets,
        "src_byte_count": finding.bytes,
    });
    Some(objects.observable("network-traffic", Value::Object(naming), more))
}
