//! The TC challenge, octet by octet.

use std::net::IpAddr;

use dataplane::{Challenge, Clock, Plane, Policy, Protection};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane_with};
use crate::make::{Packet, udp};
use crate::segment::{RST, Segment, checksum};

const DROP: u32 = 1;
const PASS: u32 = 2;
const TX: u32 = 3;
const SECOND: u64 = 1_000_000_000;

fn install(plane: &Plane, protection: Protection) {
    let text = "u proto udp dst-port 53 -> challenge\nt proto tcp -> challenge\n";
    let rules = RuleSet::new(parse::rules(text).unwrap());
    plane.install(&Policy { rules, protection, ..Policy::default() }).unwrap();
    plane.set_clock(1000 * SECOND).unwrap();
}

/// A query for `www.example.org`, with what comes behind the question.
fn query(flags: [u8; 2], counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
    let mut b = vec![0xab, 0xcd];
    b.extend(flags);
    b.extend(counts.iter().flat_map(|count| [0, *count]));
    b.extend(b"\x03www\x07example\x03org\0");
    b.extend([0, 1, 0, 1]);
    b.extend(rest);
    b
}

fn packet(six: bool, payload: Vec<u8>) -> Packet {
    let (src, dst) = if six { ("2001:db8::9", "2001:db8:1::7") } else { ("198.51.100.9", "203.0.113.7") };
    let [src, dst] = [src, dst].map(|address| address.parse().unwrap());
    Packet { src, dst, ports: (40_000, 53), payload, dont: false, ..udp() }
}

/// The payload of an answer whose addresses, ports, lengths and checksums are right.
fn read(six: bool, out: &[u8]) -> Vec<u8> {
    let (ip, udp) = out[14..].split_at(if six { 40 } else { 20 });
    let addresses = if six { &ip[8..40] } else { &ip[12..20] };
    let wanted: Vec<u8> = ["203.0.113.7", "198.51.100.9", "2001:db8:1::7", "2001:db8::9"]
        .iter()
        .flat_map(|address| match address.parse().unwrap() {
            IpAddr::V4(address) if !six => address.octets().to_vec(),
            IpAddr::V6(address) if six => address.octets().to_vec(),
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(addresses, wanted);
    if six {
        assert_eq!(usize::from(u16::from_be_bytes([ip[4], ip[5]])), udp.len());
    } else {
        assert_eq!(checksum(&[ip]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), out.len() - 14);
    }
    assert_eq!(udp[..4], [0, 53, 0x9c, 0x40]);
    assert_eq!(usize::from(u16::from_be_bytes([udp[4], udp[5]])), udp.len());
    let pseudo = [addresses, &[0, 17, udp[4], udp[5]]].concat();
    assert_eq!(checksum(&[&pseudo, udp]), 0);
    udp[8..].to_vec()
}

#[test]
fn a_query_is_answered_with_its_question_and_the_bit_that_sends_it_to_tcp() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, Protection::default());
    // OPT with 1232 octets, DO, and a cookie (RFC 7873).
    let opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let bare_opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
    for six in [false, true] {
        for (rest, back) in [(&[][..], &[][..]), (&opt[..], &bare_opt[..]), (&[1, 2, 3][..], &[][..])] {
            let asked = query([1, 0x10], [1, 0, 0, u8::from(!rest.is_empty())], rest);
            let sent = frame(&packet(six, asked.clone()).bytes());
            let (action, out) = plane.answer(&sent).unwrap();
            assert_eq!(action, TX);
            assert!(out.len() <= sent.len());
            let answer = read(six, &out);
            assert_eq!(answer, query([0x83, 0x10], [1, 0, 0, u8::from(!back.is_empty())], back));
        }
    }
}

#[test]
fn what_is_no_query_goes_on_and_who_came_by_tcp_is_let_in() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    install(&plane, Protection { challenge: Challenge::Reset, ..Protection::default() });
    let mut endless = query([1, 0], [1, 0, 0, 0], &[]);
    endless.truncate(20);
    for (what, payload) in [
        ("an answer", query([0x81, 0], [1, 1, 0, 0], &[])),
        ("a notification", query([0x21, 0], [1, 0, 0, 0], &[])),
        ("two questions", query([1, 0], [2, 0, 0, 0], &[])),
        ("a name without end", endless),
        ("a pointer for a name", [&query([1, 0], [1, 0, 0, 0], &[])[..12], &[0xc0, 12, 0, 1, 0, 1]].concat()),
        ("three octets", vec![1, 2, 3]),
        ("long labels", [&query([1, 0], [1, 0, 0, 0], &[])[..12], &[63; 600]].concat()),
    ] {
        for six in [false, true] {
            let (action, _) = plane.answer(&frame(&packet(six, payload.clone()).bytes())).unwrap();
            assert_eq!(action, PASS, "{what}");
        }
    }
    let asked = frame(&packet(false, query([1, 0], [1, 0, 0, 0], &[])).bytes());
    assert_eq!(plane.answer(&asked).unwrap().0, TX);
    let syn = Segment { ports: (40_001, 53), ..Segment::syn(false) };
    let number = syn.answered(&plane.answer(&syn.frame()).unwrap().1).ack;
    let reset = Segment { sequence: number, flags: RST, ..syn };
    assert_eq!(plane.answer(&reset.frame()).unwrap().0, DROP);
    assert_eq!(plane.answer(&asked).unwrap().0, PASS, "its source is real");
}
