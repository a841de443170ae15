//! What routers tell over BMP: octets by hand, recorded streams of three vendors with a second opinion, and noise.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use proptest::prelude::*;
use wire::bgp::{Handling, Open, Update};
use wire::bmp::{Down, Frame, Message, Peer, Tlv, frame};
use wire::emit::Writer;
use wire::{Fault, bgp};

/// A message of this type.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let length = u32::try_from(6 + body.len()).unwrap();
    Writer::new(&mut out).u8(3).u32(length).u8(kind).bytes(body);
    out
}

/// A per-peer header with these flags.
fn peer(kind: u8, flags: u8, address: IpAddr) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.u8(kind).u8(flags).zeros(8);
    match address {
        IpAddr::V4(v4) => writer.zeros(12).bytes(&v4.octets()),
        IpAddr::V6(v6) => writer.bytes(&v6.octets()),
    };
    writer.u32(65_551).bytes(&[192, 0, 2, 9]).u32(1_700_000_000).u32(250_000);
    out
}

fn read(octets: &[u8]) -> Result<Message<'_>, Fault> {
    let frame = frame(octets)?.unwrap();
    assert_eq!(frame.length, octets.len());
    // A frame may be kept longer than the message read of it.
    let Frame { kind, body, length } = frame;
    Message::read(&Frame { kind, body, length })
}

#[test]
fn a_router_says_who_it_is_and_who_its_peers_are() {
    let name = [&[0, 2, 0, 5][..], b"edge1", &[0, 1, 0, 3], b"FRR"].concat();
    let octets = message(4, &name);
    let Message::Initiation(tlvs) = read(&octets).unwrap() else { panic!() };
    let all: Vec<(u16, &[u8])> = tlvs.map(|tlv| tlv.map(|tlv| (tlv.kind, tlv.value)).unwrap()).collect();
    assert_eq!(all, [(Tlv::SYS_NAME, &b"edge1"[..]), (Tlv::SYS_DESCR, &b"FRR"[..])]);
    for (address, flags) in [("198.51.100.1", 0), ("2001:db8::1", 0x80)] {
        let address: IpAddr = address.parse().unwrap();
        let octets = message(2, &[peer(0, flags | 0x40 | 0x20, address), vec![2, 0, 24]].concat());
        let Message::PeerDown(told, down) = read(&octets).unwrap() else { panic!() };
        assert_eq!((told.address, told.asn, down), (address, 65_551, Down::LocalEvent(24)));
        assert_eq!(told.at.to_string(), "2023-11-14T22:13:20.250000000Z");
        assert!(told.post_policy && told.two_octet_as && !told.outgoing);
    }
    // The local RIB has no flags of a session.
    let octets = message(
        0,
        &[peer(3, 0x80, IpAddr::from([0, 0, 0, 0])), bgp::update::end_of_rib(bgp::Family::IPV4)].concat(),
    );
    let Message::RouteMonitoring(Peer { kind: 3, address, .. }, body) = read(&octets).unwrap() else {
        panic!()
    };
    assert!(address.is_ipv4() && address.is_unspecified());
    assert_eq!(Update::read(body, true).unwrap().end_of_rib, Some(bgp::Family::IPV4));
}

#[test]
fn counters_are_read_whatever_their_count_claims() {
    let octets = message(
        1,
        &[
            &peer(0, 0, IpAddr::from([192, 0, 2, 1])),
            &[0xff; 4][..],
            &[0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 4, 0],
            &[0, 0, 0, 4, 0, 0, 0, 9],
            &[0, 1],
        ]
        .concat(),
    );
    let Message::Statistics(_, tlvs) = read(&octets).unwrap() else { panic!() };
    let all: Vec<_> = tlvs.map(|tlv| tlv.map(|tlv| (tlv.kind, tlv.number()))).collect();
    assert_eq!((all[0], all[1], all.len()), (Ok((Tlv::ADJ_RIB_IN, Some(1024))), Ok((0, Some(9))), 3));
    assert!(all[2].is_err());
}

#[test]
fn what_is_no_bmp_ends_the_stream_and_what_is_damaged_only_its_message() {
    assert_eq!(frame(&[]), Ok(None));
    assert_eq!(frame(&[3, 0, 0]), Ok(None));
    assert_eq!(frame(&[3, 0, 0, 0, 7, 4]), Ok(None));
    assert_eq!(frame(b"GET /"), Err(Fault::Version { found: 71 }));
    for length in [0_u32, 5, 1 << 20, u32::MAX] {
        let octets = [&[3][..], &length.to_be_bytes(), &[0]].concat();
        assert!(matches!(frame(&octets), Err(Fault::Length { .. })), "{length}");
    }
    let short = message(0, &[0; 10]);
    assert!(matches!(read(&short), Err(Fault::Truncated { .. })));
    let other = message(9, &[1, 2, 3]);
    assert_eq!(read(&other), Ok(Message::Other(9)));
    // An UPDATE that claims more than there is, and something else in its place.
    for (length, kind) in [(0xffff_u16, 2), (18, 2), (23, 4)] {
        let mut body = peer(0, 0, IpAddr::from([192, 0, 2, 1]));
        Writer::new(&mut body).bytes(&[0xff; 16]).u16(length).u8(kind).zeros(4);
        assert!(read(&message(0, &body)).is_err(), "{length} {kind}");
    }
}

/// Addresses and ports.
type Connection = (IpAddr, IpAddr, u16, u16);

/// The TCP streams of a capture, by connection, as far as they are in order.
fn streams(pcap: &[u8]) -> Vec<Vec<u8>> {
    let little = pcap.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]);
    let number = |octets: &[u8]| {
        let octets: [u8; 4] = octets.try_into().unwrap();
        usize::try_from(if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }).unwrap()
    };
    let mut streams: BTreeMap<Connection, (u32, Vec<u8>)> = BTreeMap::new();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let length = number(&rest[8..12]);
        let packet = &rest[16..16 + length];
        rest = &rest[16 + length..];
        // Ethernet, perhaps one VLAN, IPv4, TCP.
        let ip = if packet[12..14] == [0x81, 0] { &packet[18..] } else { &packet[14..] };
        if ip[0] >> 4 != 4 || ip[9] != 6 {
            continue;
        }
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = &ip[usize::from(ip[0] & 15) * 4..total];
        let at = |n: usize| u16::from_be_bytes([tcp[n], tcp[n + 1]]);
        let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        let key = (
            IpAddr::from([ip[12], ip[13], ip[14], ip[15]]),
            IpAddr::from([ip[16], ip[17], ip[18], ip[19]]),
            at(0),
            at(2),
        );
        // Made-up captures carry octets in their SYN.
        if tcp[13] & 2 != 0 && payload.is_empty() {
            streams.insert(key, (sequence.wrapping_add(1), Vec::new()));
        } else if !payload.is_empty() {
            let (next, stream) = streams.entry(key).or_insert_with(|| (sequence, Vec::new()));
            if *next == sequence {
                stream.extend(payload);
                *next = sequence.wrapping_add(u32::try_from(payload.len()).unwrap());
            }
        }
    }
    streams.into_values().map(|(_, stream)| stream).collect()
}

/// The text of a field in a line of JSON.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = line.split_once(&format!("\"{name}\":"))?;
    behind.split([',', '}']).next().map(|text| text.trim_matches('"'))
}

/// What a message is called in the recordings' second opinion, and what it says of the peer.
fn told(message: &Message<'_>) -> (&'static str, Option<Peer>) {
    match message {
        Message::RouteMonitoring(peer, _) => ("RouteMonitoring", Some(*peer)),
        Message::Statistics(peer, _) => ("StatisticsReport", Some(*peer)),
        Message::PeerDown(peer, _) => ("PeerDownNotification", Some(*peer)),
        Message::PeerUp(peer, _) => ("PeerUpNotification", Some(*peer)),
        Message::Initiation(_) => ("Initiation", None),
        Message::Termination(_) => ("Termination", None),
        Message::Mirroring(peer) => ("RouteMirroring", Some(*peer)),
        Message::Other(_) => ("Other", None),
    }
}

#[test]
fn three_vendors_are_read_as_a_second_reader_reads_them() {
    let root = std::env::var_os("SPILLWAY_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join("bgp/netgauze");
    if !folder.is_dir() {
        println!("skipped: {} is not there; set SPILLWAY_TEST_DATA", folder.display());
        return;
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for name in [
        "203-BMP-HUAWEI-dump__traffic-00",
        "205-BMP-6wind-FRR-peer_down__traffic-00",
        "peers-with-different-caps__example",
    ] {
        let pcap = std::fs::read(folder.join(format!("{name}.pcap"))).unwrap();
        let opinion = std::fs::read_to_string(folder.join(format!("{name}-bmp.json"))).unwrap();
        let mut lines = opinion.lines();
        let (mut compared, mut routes) = (0, 0);
        for stream in streams(&pcap) {
            let mut rest = stream.as_slice();
            // What is left at the end is a message that the capture cut.
            while let Ok(Some(one)) = frame(rest) {
                rest = &rest[one.length..];
                let message = Message::read(&one).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                let Some(line) = lines.next() else { panic!("{name}: more than the second reader") };
                let (kind, peer) = told(&message);
                *kinds.entry(kind).or_default() += 1;
                compared += 1;
                let update = match message {
                    Message::RouteMonitoring(peer, body) => {
                        Some(Update::read(body, !peer.two_octet_as).unwrap())
                    }
                    _ => None,
                };
                routes += update.as_ref().map_or(0, |u| u.announced.len() + u.withdrawn.len() + u.other);
                if !line.starts_with("{\"V3\"") {
                    // The second reader refuses a message for what is inside; ours refuses that when it is read.
                    let refused = match message {
                        Message::PeerUp(_, up) => {
                            Open::read(up.sent).is_err() || Open::read(up.received).is_err()
                        }
                        _ => update.is_some_and(|update| update.handling != Handling::Fine),
                    };
                    assert!(refused, "{name}: {line}");
                    continue;
                }
                assert!(line.starts_with(&format!("{{\"V3\":{{\"{kind}\":")), "{name}: {kind}, {line}");
                let Some(peer) = peer else { continue };
                let text = |name| field(line, name).unwrap_or("null").to_owned();
                assert_eq!(text("peer_as"), peer.asn.to_string(), "{line}");
                assert_eq!(text("bgp_id"), peer.id.to_string(), "{line}");
                let local_rib = text("address") == "null";
                assert!(local_rib || text("address") == peer.address.to_string(), "{line}");
                let second =
                    if peer.at == base::Timestamp::ZERO { "null".to_owned() } else { peer.at.to_string() };
                assert!(text("timestamp").get(..19) == second.get(..19), "{second} {line}");
            }
        }
        println!("{name}: {compared} messages, {routes} routes and octets of other families");
        assert!(compared > 90, "{name}: {compared}");
    }
    for kind in
        ["RouteMonitoring", "PeerUpNotification", "PeerDownNotification", "StatisticsReport", "Initiation"]
    {
        assert!(kinds.get(kind).is_some_and(|count| *count > 0), "{kind} in {kinds:?}");
    }
}

proptest! {
    #[test]
    fn noise_is_a_message_or_a_fault(kind in 0_u8..9, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let octets = message(kind, &noise);
        if let Ok(Message::Initiation(tlvs) | Message::Termination(tlvs) | Message::Statistics(_, tlvs)) = read(&octets) {
            let octets: usize = tlvs.flatten().map(|tlv| tlv.value.len() + 4).sum();
            prop_assert!(octets <= noise.len());
        }
        let _ = frame(&noise);
    }
}
