//! Messages of BGP sessions: our own, and recorded ones where the test data is.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use wire::bgp::attribute::{Segment, community};
use wire::bgp::traffic::Traffic;
use wire::bgp::{
    Attributes, Capability, Family, GracefulRestart, Kind, Notification, Open, keepalive, message, update,
};

use super::recorded;

/// The OPEN of a router of this AS.
pub fn open(asn: u32) -> Vec<u8> {
    let restart = GracefulRestart {
        restarting: false,
        notification: true,
        time: 120,
        families: Family::ALL.map(|family| (family, true)).to_vec(),
    };
    let mut capabilities: Vec<Capability> = Family::ALL.map(Capability::Multiprotocol).to_vec();
    capabilities.extend([Capability::RouteRefresh, Capability::FourOctetAs(asn), Capability::Role(0)]);
    capabilities.push(Capability::GracefulRestart(restart));
    Open { asn, hold_time: 90, id: Ipv4Addr::new(192, 0, 2, 2), capabilities }.write()
}

/// Streams behind an octet that chooses the length of AS numbers.
pub fn bgp() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        [&[0], open(65020).as_slice(), &keepalive()].concat(),
        [&[0], Notification::shutdown("maintenance").write().as_slice()].concat(),
        [&[0], message(Kind::RouteRefresh, &[0, 1, 0, 133]).unwrap_or_default().as_slice()].concat(),
    ];
    for (family, hop, routes) in routes() {
        let mut stream = vec![0];
        update::announce(family, hop, &attributes(), &routes, true).0.iter().for_each(|m| stream.extend(m));
        update::withdraw(family, &routes).0.iter().for_each(|m| stream.extend(m));
        stream.extend(update::end_of_rib(family));
        seeds.push(stream);
    }
    seeds.extend(captures().iter().filter_map(|octets| captured(octets)));
    seeds
}

fn attributes() -> Attributes {
    let mut attributes = Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![65020, 64496])]),
        med: Some(1),
        communities: vec![community::BLACKHOLE, community::NO_EXPORT],
        large: vec![[7; 12]],
        only_to_customer: Some(65020),
        ..Attributes::default()
    };
    Traffic::RateBytes(0.0).put(&mut attributes);
    Traffic::Action { sample: true, goes_on: true }.put(&mut attributes);
    attributes
}

type Routes = (Family, Option<IpAddr>, Vec<Vec<u8>>);

fn routes() -> Vec<Routes> {
    let v6 = [&[128, 0x20, 1, 0x0d, 0xb8][..], &[1; 12]].concat();
    vec![
        (Family::IPV4, Some(Ipv4Addr::new(192, 0, 2, 9).into()), vec![vec![32, 198, 51, 100, 7], vec![0]]),
        (Family::IPV6, Some("2001:db8::9".parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))), vec![v6]),
        (Family::FLOWSPEC4, None, vec![vec![9, 1, 32, 198, 51, 100, 7, 3, 0x81, 17]]),
        (Family::FLOWSPEC6, None, vec![vec![7, 1, 32, 0, 0x20, 1, 0x0d, 0xb8]]),
    ]
}

fn captures() -> Vec<Vec<u8>> {
    let list = |folder: &str| -> Vec<PathBuf> {
        std::fs::read_dir(recorded::folder().join("bgp").join(folder))
            .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
            .unwrap_or_default()
    };
    let mut files = [list("bgp-rs"), list("netgauze")].concat();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "cap" || kind == "pcap"));
    files.sort();
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

/// The first messages of a capture, one behind the other, wherever a marker begins one.
fn captured(octets: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 4_000;
    let mut out = vec![0];
    let mut at = 0;
    while let Some(rest) = octets.get(at..).filter(|rest| rest.len() >= 19 && out.len() < MOST) {
        match wire::bgp::frame(rest) {
            Ok(Some(message)) => {
                out.extend(rest.iter().take(message.length));
                at += message.length;
            }
            _ => at += 1,
        }
    }
    (out.len() > 1).then_some(out)
}
