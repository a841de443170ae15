//! The meaning of rules, case by case: one sentence, a rule, a packet and the answer.

use proptest::prelude::*;
use rules::{Match, RuleSet, eval};
use wire::packet::{GRE, ICMP, ICMP6, TCP};

use crate::make::{self, Packet, parsed, udp};

fn case(sentence: &str, matches: &str, packet: &Packet, wanted: bool) {
    let m: Match = matches.parse().unwrap_or_else(|e| panic!("{matches}: {e}"));
    let bytes = packet.bytes();
    assert_eq!(eval::matches(&m, &parsed(&bytes)), wanted, "{sentence}");
}

fn v6(packet: Packet) -> Packet {
    Packet { src: "2001:db8::1".parse().unwrap(), dst: "2001:db8::7".parse().unwrap(), ..packet }
}

fn tcp() -> Packet {
    Packet { protocol: TCP, ..udp() }
}

#[test]
fn prefixes_hold_for_their_family_and_no_prefix_for_both() {
    case("the destination", "dst 198.51.100.0/24", &udp(), true);
    case("another destination", "dst 198.51.101.0/24", &udp(), false);
    case("the source", "src 192.0.2.1/32", &udp(), true);
    case("an IPv6 prefix and IPv4", "dst ::/0", &udp(), false);
    case("an IPv4 prefix and IPv6", "dst 0.0.0.0/0", &v6(udp()), false);
    case("no prefix and IPv4", "proto udp", &udp(), true);
    case("no prefix and IPv6", "proto udp", &v6(udp()), true);
}

#[test]
fn ports_belong_to_tcp_and_udp() {
    case("the source port", "src-port 1024", &udp(), true);
    case("either port", "port 53", &udp(), true);
    case("either port, the other one", "port 1024", &udp(), true);
    case("all conditions hold together", "src-port 1024 dst-port 54", &udp(), false);
    case("port 0 is a value", "src-port 0", &Packet { ports: (0, 53), ..udp() }, true);
    case("GRE has no ports", "src-port >=0", &Packet { protocol: GRE, ..udp() }, false);
    case("ICMP has no ports", "port >=0", &Packet { protocol: ICMP, ..udp() }, false);
    case("behind extension headers", "dst-port 53", &v6(Packet { options: 2, ..udp() }), true);
    case("the first fragment has ports", "dst-port 53", &Packet { more: true, ..udp() }, true);
    case("a later one has none", "dst-port 53", &Packet { offset: 100, ..udp() }, false);
    case("a later one has none, IPv6", "dst-port >=0", &v6(Packet { offset: 100, ..udp() }), false);
}

#[test]
fn icmp_types_belong_to_their_family() {
    let echo = Packet { protocol: ICMP, ..udp() };
    let six = v6(Packet { protocol: ICMP6, icmp: (128, 0), ..udp() });
    case("an echo request", "icmp-type 8", &echo, true);
    case("its code", "icmp-type 8 icmp-code 1", &echo, false);
    case("ICMPv6", "icmp-type 128", &six, true);
    case("both families at once", "icmp-type 8,128", &six, true);
    case("ICMPv6 in IPv4 is no ICMP", "icmp-type 8", &Packet { protocol: ICMP6, ..udp() }, false);
    case("ICMP in IPv6 is no ICMPv6", "icmp-type 8", &v6(Packet { protocol: ICMP, ..udp() }), false);
    case("UDP has no type", "icmp-type >=0", &udp(), false);
    case("a later fragment has no type", "icmp-type >=0", &Packet { offset: 9, ..echo }, false);
}

#[test]
fn flags_and_window_are_those_of_tcp() {
    case("a SYN", "tcp-flags syn/syn+ack", &tcp(), true);
    case("a SYN-ACK", "tcp-flags syn/syn+ack", &Packet { flags: 0x12, ..tcp() }, false);
    case("other flags are not looked at", "tcp-flags syn/syn+ack", &Packet { flags: 0xca, ..tcp() }, true);
    case("none of three", "tcp-flags none/fin+syn+rst", &Packet { flags: 0x10, ..tcp() }, true);
    case("any of two tests", "tcp-flags ack/ack,rst/rst", &Packet { flags: 0x04, ..tcp() }, true);
    case("UDP has no flags", "tcp-flags none/syn", &udp(), false);
    case("a later fragment has no flags", "tcp-flags none/none", &Packet { offset: 9, ..tcp() }, false);
    case("the window", "window 1024", &tcp(), true);
    case("UDP has no window", "window >=0", &udp(), false);
}

#[test]
fn lengths_count_from_the_ip_header() {
    case("IPv4 total length", "length 128", &udp(), true);
    case("IPv6 payload length and 40", "length 148", &v6(udp()), true);
    case("IPv4 options are part of it", "length 132", &Packet { options: 1, ..udp() }, true);
    case("below", "length >=129", &udp(), false);
}

#[test]
fn kinds_of_fragment() {
    let first = Packet { more: true, ..udp() };
    let middle = Packet { more: true, offset: 8, ..udp() };
    let last = Packet { offset: 8, ..udp() };
    for (packet, kinds) in [(udp(), "none"), (first, "first"), (middle, "is"), (last, "is last")] {
        for word in ["none", "is", "first", "last"] {
            let wanted = kinds.split(' ').any(|kind| kind == word);
            case("IPv4", &format!("fragment {word}"), &packet, wanted);
            case("IPv6", &format!("fragment {word}"), &v6(packet.clone()), wanted);
        }
    }
    case("an atomic fragment is none", "fragment none", &v6(Packet { atomic: true, ..udp() }), true);
    case("do not fragment", "fragment dont", &Packet { dont: true, ..udp() }, true);
    case("DF is of IPv4 only", "fragment dont", &v6(Packet { dont: true, ..udp() }), false);
    case("any of the words", "fragment dont,last", &Packet { offset: 8, ..udp() }, true);
}

#[test]
fn payload_begins_behind_the_transport_header() {
    case("UDP", "payload 0:000102", &udp(), true);
    case("TCP", "payload 0:000102", &tcp(), true);
    case("TCP with options", "payload 0:000102", &Packet { tcp_options: 3, ..tcp() }, true);
    case("under a mask", "payload 1:0f02/01ff", &udp(), true);
    case("its last octet", "payload 99:63", &udp(), true);
    case("beyond the end", "payload 99:6300/ff00", &udp(), false);
    case("other protocols have none", "payload 0:00", &Packet { protocol: GRE, ..udp() }, false);
    case("later fragments have none", "payload 0:00", &Packet { offset: 1, ..udp() }, false);
    case("the first fragment has", "payload 0:00", &Packet { more: true, ..udp() }, true);
}

#[test]
fn tcp_options_are_compared_kind_by_kind_in_their_order() {
    let linux = Packet { shape: make::option_octets(&[2, 4, 8, 1, 3]), ..tcp() };
    let apple = Packet { shape: make::option_octets(&[2, 1, 3, 1, 1, 8, 4, 0]), ..tcp() };
    let shape = |shape: &[u8]| Packet { shape: shape.to_vec(), ..tcp() };
    case("all of them", "tcp-options mss,sackok,ts,nop,ws", &linux, true);
    case("IPv6", "tcp-options mss,sackok,ts,nop,ws", &v6(linux.clone()), true);
    case("by number", "tcp-options 2,4,8,1,3", &linux, true);
    case("another order", "tcp-options mss,ts,sackok,nop,ws", &linux, false);
    case("one less", "tcp-options mss,sackok,ts,nop", &linux, false);
    case("one more", "tcp-options mss,sackok,ts,nop,ws,nop", &linux, false);
    case("padding behind the end", "tcp-options mss,nop,ws,nop,nop,ts,sackok,eol", &apple, true);
    case("the end is a kind", "tcp-options mss,nop,ws,nop,nop,ts,sackok", &apple, false);
    case("none", "tcp-options none", &tcp(), true);
    case("none where there are some", "tcp-options none", &linux, false);
    case(
        "a data offset below five is none",
        "tcp-options none",
        &Packet { data_offset: Some(3), ..tcp() },
        true,
    );
    case("a length of 0", "tcp-options mss", &shape(&[2, 0, 5, 180]), false);
    case("a length that leaves the header", "tcp-options mss", &shape(&[2, 5, 5, 180]), false);
    case("another length is the same kind", "tcp-options ws,nop", &shape(&[3, 3, 7, 1]), true);
    case("UDP has none", "tcp-options none", &udp(), false);
    case("later fragments have none", "tcp-options none", &Packet { offset: 9, ..tcp() }, false);
}

#[test]
fn ttl_and_dscp_of_both_families() {
    let marked = Packet { ttl: 54, dscp: 46, ..udp() };
    case("IPv4", "ttl 54 dscp 46", &marked, true);
    case("IPv6", "ttl 54 dscp 46", &v6(marked.clone()), true);
    case("another", "dscp 10", &marked, false);
}

proptest! {
    #[test]
    fn the_index_changes_nothing(rules in make::rule_set(40), packets in proptest::collection::vec(make::a_packet(), 20)) {
        let set = RuleSet::new(rules.clone());
        let mut ordered = rules;
        ordered.sort_by(rules::order::rules);
        prop_assert_eq!(set.rules(), ordered.as_slice());
        for packet in packets {
            let bytes = packet.bytes();
            let p = parsed(&bytes);
            let first = ordered.iter().find(|rule| eval::matches(&rule.matches, &p));
            prop_assert_eq!(set.decide(&p), first);
            let each: Vec<bool> = set.matching(&p).collect();
            let wanted: Vec<bool> = ordered.iter().map(|rule| eval::matches(&rule.matches, &p)).collect();
            prop_assert_eq!(each, wanted);
        }
    }
}
