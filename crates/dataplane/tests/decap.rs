//! Tunnels that end here: what is inside meets the rules, what is no tunnel of ours stays as it is.

use std::net::IpAddr;

use dataplane::decap::{Decap, LOCALS_MAX, PEERS_MAX};
use dataplane::{Error, Plane, Policy};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane};
use crate::make::{Packet, udp};

const DROP: u32 = 1;
const PASS: u32 = 2;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An IP header before `inner`, of the protocol, from and to.
pub(crate) fn outer(src: &str, dst: &str, protocol: u8, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap();
    match (address(src), address(dst)) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let [a, b] = (length + 20).to_be_bytes();
            let head = [0x45, 0, a, b, 0, 1, 0, 0, 64, protocol, 0, 0];
            [&head[..], &src.octets(), &dst.octets(), inner].concat()
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let [a, b] = length.to_be_bytes();
            [&[0x60, 0, 0, 0, a, b, protocol, 64][..], &src.octets(), &dst.octets(), inner].concat()
        }
        _ => panic!("one family"),
    }
}

pub(crate) fn gre(flags: u8, kind: u16, options: &[u8], inner: &[u8]) -> Vec<u8> {
    let [a, b] = kind.to_be_bytes();
    [&[flags, 0, a, b][..], options, inner].concat()
}

fn ready(plane: &Plane) {
    let policy = Policy {
        rules: RuleSet::new(
            parse::rules("in proto udp dst-port 53 -> drop\nout @9 proto gre -> drop\n").unwrap(),
        ),
        decap: Some(Decap {
            peers: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8:77::/48".parse().unwrap()],
            locals: vec![address("198.51.100.1"), address("2001:db8:1::1")],
        }),
        ..Policy::default()
    };
    plane.install(&policy).unwrap();
}

#[test]
fn what_comes_out_of_a_peers_tunnel_meets_the_rules() {
    let Some(plane) = plane() else { return };
    ready(&plane);
    let four = udp().bytes();
    let six = Packet { src: address("2001:db8::5"), dst: address("2001:db8::6"), ..udp() }.bytes();
    let other = Packet { ports: (1024, 54), ..udp() }.bytes();
    let mut through = 0;
    for (src, dst) in [("203.0.113.9", "198.51.100.1"), ("2001:db8:77::9", "2001:db8:1::1")] {
        for (what, protocol, content, wanted) in [
            ("IPv4 in GRE", 47, gre(0, 0x0800, &[], &four), DROP),
            ("IPv6 in GRE", 47, gre(0, 0x86dd, &[], &six), DROP),
            ("GRE with sum, key and sequence", 47, gre(0xb0, 0x0800, &[0; 12], &four), DROP),
            ("GRE with a key", 47, gre(0x20, 0x0800, &[0; 4], &four), DROP),
            ("IPv4 in IP", 4, four.clone(), DROP),
            ("IPv6 in IP", 41, six.clone(), DROP),
            ("nobody asked for", 47, gre(0, 0x0800, &[], &other), PASS),
        ] {
            let packet = frame(&outer(src, dst, protocol, &content));
            let (verdict, rule) = plane.trace(&packet).unwrap();
            assert_eq!((verdict, rule), (wanted, (wanted == DROP).then_some(0)), "{what} from {src}");
            through += 1;
        }
    }
    let twice = outer("203.0.113.9", "198.51.100.1", 4, &outer("203.0.113.8", "198.51.100.1", 4, &four));
    assert_eq!(plane.trace(&frame(&twice)).unwrap(), (DROP, Some(0)), "a tunnel within a tunnel");
    let met = plane.tunnelled().unwrap();
    assert_eq!((met.decapsulated, met.foreign), (through + 2, 0));
}

#[test]
fn what_is_no_tunnel_of_ours_stays_as_it_is() {
    let Some(plane) = plane() else { return };
    ready(&plane);
    let four = udp().bytes();
    let (src, dst) = ("203.0.113.9", "198.51.100.1");
    let content = gre(0, 0x0800, &[], &four);
    let mut cut = outer(src, dst, 47, &content);
    cut[6] = 0x20;
    for (what, packet) in [
        ("from somebody else", outer("203.0.114.9", dst, 47, &content)),
        ("to somebody else", outer(src, "198.51.100.2", 47, &content)),
        ("a fragment", cut),
        ("PPTP's version", outer(src, dst, 47, &[&[0x20, 1][..], &content[2..]].concat())),
        ("with source routes", outer(src, dst, 47, &gre(0x40, 0x0800, &[0; 8], &four))),
        ("bridged frames", outer(src, dst, 47, &gre(0, 0x6558, &[], &four))),
        ("too short", outer(src, dst, 47, &[0, 0, 8])),
        ("with nothing inside", outer(src, dst, 47, &gre(0, 0x0800, &[], &[]))),
    ] {
        // The rule for GRE itself decides.
        assert_eq!(plane.trace(&frame(&packet)).unwrap(), (DROP, Some(1)), "{what}");
    }
    assert_eq!(plane.tunnelled().unwrap().foreign, 8);
    assert_eq!(plane.tunnelled().unwrap().decapsulated, 0);
    plane.install(&Policy::default()).unwrap();
    plane.test_run(&frame(&outer(src, dst, 47, &content)), 1).unwrap();
    assert_eq!(plane.tunnelled().unwrap().foreign, 8, "without peers nobody looks into tunnels");
}

#[test]
fn more_peers_or_addresses_than_fit_are_refused() {
    let Some(plane) = plane() else { return };
    ready(&plane);
    for (peers, locals) in [(PEERS_MAX + 1, 1), (1, LOCALS_MAX + 1)] {
        let decap = Decap {
            peers: vec!["192.0.2.0/24".parse().unwrap(); peers],
            locals: vec![address("192.0.2.1"); locals],
        };
        let refused = plane.install(&Policy { decap: Some(decap), ..Policy::default() });
        assert!(matches!(refused, Err(Error::Peers { .. })), "{refused:?}");
    }
    assert_eq!(plane.in_force().unwrap().rules, 2, "what was in force stays");
}
