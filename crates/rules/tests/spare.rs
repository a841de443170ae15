//! What is spared is spared, and nothing else is lost.

use base::Prefix;
use proptest::prelude::*;
use proptest::sample::select;
use rules::spare::{PIECES_MAX, both, without};
use rules::{Match, Numbers, eval};

use crate::make::{self, parsed};

/// Entries as allow lists have them, near the addresses of the packets: a source, a destination, perhaps a protocol and a port.
fn entry() -> impl Strategy<Value = Match> {
    let prefix = |v4: &str, v6: &str| {
        let (v4, v6): (std::net::IpAddr, std::net::IpAddr) = (v4.parse().unwrap(), v6.parse().unwrap());
        (any::<bool>(), 0..=8u8).prop_map(move |(four, shorter)| {
            if four { Prefix::of(v4, 32 - shorter) } else { Prefix::of(v6, 128 - shorter) }
        })
    };
    let source = prefix("192.0.2.1", "2001:db8::1");
    let destination = prefix("198.51.100.7", "2001:db8::7");
    let service = select(vec![(None, None), (Some(17), None), (Some(17), Some(53)), (Some(6), Some(443))]);
    (source, proptest::option::of(destination), service).prop_map(|(src, dst, (protocol, port))| Match {
        src: Some(src),
        dst,
        protocol,
        dst_port: port.map(|port: u32| Numbers::of([port])),
        ..Match::default()
    })
}

proptest! {
    /// IPv4 and IPv6: a packet of somebody who is allowed matches no piece; each other one that matched before still does.
    #[test]
    fn no_piece_of_a_rule_matches_an_allowed_source_and_nothing_else_is_lost(
        m in make::a_match(),
        entries in proptest::collection::vec(entry(), 1..4),
        packets in proptest::collection::vec(make::a_packet(), 30),
    ) {
        let Some(pieces) = without(&m, &entries) else { return Ok(()) };
        prop_assert!(pieces.len() <= PIECES_MAX);
        for piece in &pieces {
            for entry in &entries {
                prop_assert!(!rules::overlap::shares(piece, entry), "{piece:?} {entry:?}");
            }
        }
        for packet in packets {
            let bytes = packet.bytes();
            let p = parsed(&bytes);
            let hit = pieces.iter().any(|piece| eval::matches(piece, &p));
            let spared = entries.iter().any(|entry| eval::matches(entry, &p));
            prop_assert_eq!(hit, eval::matches(&m, &p) && !spared, "{:?} without {:?}: {:?}", m, entries, p.headers);
        }
    }

    /// An exception is exactly what both match.
    #[test]
    fn what_is_in_both_is_matched_by_both(
        m in make::a_match(),
        entry in entry(),
        packets in proptest::collection::vec(make::a_packet(), 30),
    ) {
        let common = both(&m, &entry);
        for packet in packets {
            let bytes = packet.bytes();
            let p = parsed(&bytes);
            let wanted = eval::matches(&m, &p) && eval::matches(&entry, &p);
            let hit = common.as_ref().is_some_and(|common| eval::matches(common, &p));
            prop_assert_eq!(hit, wanted);
        }
    }
}
