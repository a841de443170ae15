//! Packets whose time to live ends on the way back: their senders are told, within the caps of all that is told.

use std::net::IpAddr;

use dataplane::Clock;
use dataplane::returning::{Kind, Returning};

use crate::agreement::{frame, plane, plane_with};
use crate::elsewhere::inside;
use crate::make::Packet;
use crate::returning::{brought, counted, declared, left, policy, roads, ways};
use crate::segment::checksum;

const DROP: u32 = 1;
const TX: u32 = 3;
const REDIRECT: u32 = 4;

/// A packet of so many octets that has one hop left.
fn last_hop(six: bool, octets: usize) -> Packet {
    let payload = (0..octets - if six { 48 } else { 28 }).map(|n| u8::try_from(n % 251).unwrap()).collect();
    Packet { payload, ttl: 1, ..declared(six) }
}

/// Checks a message that time is exceeded about a packet that came in this frame; who says so, and how much it shows.
fn told(message: &[u8], sent: &[u8], ip: &[u8]) -> (IpAddr, usize) {
    assert_eq!((&message[..6], &message[6..12]), (&sent[6..12], &sent[..6]), "where it came from");
    let message = &message[14..];
    let (from, shown): (IpAddr, &[u8]) = if ip[0] >> 4 == 4 {
        assert_eq!(checksum(&[&message[..20]]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])), message.len());
        assert_eq!((message[9], &message[16..20]), (1, &ip[12..16]));
        assert_eq!(checksum(&[&message[20..]]), 0);
        assert_eq!((&message[20..22], &message[24..28]), (&[11, 0][..], &[0; 4][..]));
        (<[u8; 4]>::try_from(&message[12..16]).unwrap().into(), &message[28..])
    } else {
        let length = u32::try_from(message.len() - 40).unwrap();
        assert_eq!(u32::from(u16::from_be_bytes([message[4], message[5]])), length);
        assert_eq!((message[6], &message[24..40]), (58, &ip[8..24]));
        assert_eq!(checksum(&[&message[8..40], &length.to_be_bytes(), &[0, 0, 0, 58], &message[40..]]), 0);
        assert_eq!((&message[40..42], &message[44..48]), (&[3, 0][..], &[0; 4][..]));
        (<[u8; 16]>::try_from(&message[8..24]).unwrap().into(), &message[48..])
    };
    assert_eq!(shown, &ip[..shown.len()], "the front of what came");
    (from, shown.len())
}

#[test]
fn who_traces_a_path_sees_the_absorber_on_it() {
    if !inside("expired::who_traces_a_path_sees_the_absorber_on_it") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut count = 0;
    for (kind, six_around) in [(Kind::Gre, false), (Kind::Ipip, true)] {
        let all = ways(kind, six_around);
        let returning = Returning { ways: all.clone(), answers_net_max: 1000, ..Returning::default() };
        plane.install(&policy(returning, "")).unwrap();
        for (way, six) in all.iter().zip([false, true]) {
            let short = if six { 48 } else { 28 };
            for (octets, shows) in [(short, short), (60, short), (552, short), (553, 504), (1400, 504)] {
                let ip = last_hop(six, octets).bytes();
                for sent in [frame(&ip), frame(&brought(&ip, kind, six))] {
                    let (verdict, got) = plane.answer(&sent).unwrap();
                    assert_eq!(verdict, TX, "{octets} octets");
                    let (from, shown) = told(&got, &frame(&ip), &ip);
                    assert_eq!(shown, shows, "of {octets} octets");
                    let teller = if six == six_around { way.local } else { declared(six).dst };
                    assert_eq!(from, teller, "our end, or who it was for where that is of the other family");
                    count += 1;
                }
            }
            let more = Packet { ttl: 2, ..last_hop(six, 60) };
            assert_eq!(plane.answer(&frame(&more.bytes())).unwrap().0, REDIRECT, "a hop is left");
        }
    }
    assert_eq!((left(&plane, "told"), left(&plane, "expired")), (count, 0));
}

#[test]
fn nobody_is_told_who_must_not_be_and_networks_hear_no_more_than_their_share() {
    if !inside("expired::nobody_is_told_who_must_not_be_and_networks_hear_no_more_than_their_share") {
        return;
    }
    let Some(plane) = plane_with(Clock::Set) else { return };
    roads();
    plane.set_clock(1 << 40).unwrap();
    let install = |answers_net_max| {
        let returning = Returning { ways: ways(Kind::Gre, false), answers_net_max, ..Returning::default() };
        plane.install(&policy(returning, "")).unwrap();
    };
    install(1000);
    let mut silent = 0;
    for six in [false, true] {
        let source = if six { "fe80::1" } else { "127.0.0.1" };
        let error = if six { 3 } else { 11 };
        for packet in [
            Packet { src: source.parse().unwrap(), ..last_hop(six, 60) },
            Packet { protocol: if six { 58 } else { 1 }, icmp: (error, 0), ..last_hop(six, 60) },
            Packet { offset: 8, ..last_hop(six, 60) },
        ] {
            assert_eq!(plane.answer(&frame(&packet.bytes())).unwrap().0, DROP, "{packet:?}");
            silent += 1;
        }
    }
    assert_eq!((left(&plane, "expired"), left(&plane, "told")), (silent, 0));
    let counts = ["203.0.113.0/24", "2001:db8:1::/48"].map(|name| counted(&plane, name).expired);
    assert_eq!(counts.iter().sum::<u64>(), silent, "each was counted where it was for");

    let processors = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    install(8 * processors);
    plane.set_clock(1 << 41).unwrap();
    let heard = (0..200).filter(|n| {
        let packet =
            Packet { src: IpAddr::from([100, 64, 7, u8::try_from(*n).unwrap()]), ..last_hop(false, 60) };
        plane.answer(&frame(&packet.bytes())).unwrap().0 == TX
    });
    let heard = u32::try_from(heard.count()).unwrap();
    assert!((8..=8 * processors).contains(&heard), "one network: {heard}");
    install(0);
    assert_eq!(
        plane.answer(&frame(&last_hop(false, 60).bytes())).unwrap().0,
        DROP,
        "where nobody shall be told"
    );
}
