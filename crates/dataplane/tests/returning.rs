//! What passes goes back to its owner: octet by octet, in a namespace that knows a way to the owner's end.

use std::net::IpAddr;
use std::process::Command;

use base::Prefix;
use dataplane::decap::Decap;
use dataplane::returning::{Kind, Return, Returned, Returning, Undeclared};
use dataplane::{Class, Clock, Plane, Policy};
use rules::{RuleSet, parse};
use wire::packet::{self, Link};

use crate::agreement::{frame, plane, plane_with};
use crate::decap::{gre, outer};
use crate::elsewhere::inside;
use crate::make::{Packet, udp};
use crate::samples::{TENTH, taken};
use crate::segment::checksum;

const ABORTED: u32 = 0;
const DROP: u32 = 1;
const PASS: u32 = 2;
const REDIRECT: u32 = 4;

/// Ours, and the owner's, which the kernel knows as a neighbour with [`FAR`].
pub(crate) const LOCAL: [&str; 2] = ["192.0.2.1", "2001:db8:2::1"];
pub(crate) const REMOTE: [&str; 2] = ["10.9.1.2", "fd00:a::2"];
const FAR: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A way to the owner's ends, from the interface on which test runs arrive.
pub(crate) fn roads() {
    for line in [
        "link set lo up",
        "link add far type veth peer name end",
        "address add 10.9.1.1/24 dev far",
        "address add fd00:a::1/64 dev far nodad",
        "link set far up",
        "link set end up",
        "neighbour add 10.9.1.2 lladdr 02:00:00:00:00:99 dev far",
        "neighbour add fd00:a::2 lladdr 02:00:00:00:00:99 dev far",
        "route add blackhole 192.0.2.128/25",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {line}");
    }
    for version in ["ipv4", "ipv6"] {
        std::fs::write(format!("/proc/sys/net/{version}/conf/lo/forwarding"), "1").unwrap();
    }
}

/// A way back for IPv4 and one for IPv6, in tunnels of one family.
pub(crate) fn ways(kind: Kind, six: bool) -> Vec<Return> {
    let (local, remote) = (address(LOCAL[usize::from(six)]), address(REMOTE[usize::from(six)]));
    ["203.0.113.0/24", "2001:db8:1::/48"]
        .map(|text| Return { prefix: prefix(text), kind, local, remote, mtu: None, via: None })
        .to_vec()
}

/// Tunnels of others and of the owner end here.
pub(crate) fn decap() -> Decap {
    let peers = ["198.18.0.0/24", "2001:db8:77::/48", "10.9.1.2/32", "fd00:a::2/128"];
    Decap { peers: peers.map(prefix).to_vec(), locals: LOCAL.map(address).to_vec() }
}

pub(crate) fn policy(returning: Returning, rules: &str) -> Policy {
    let rules = RuleSet::new(parse::rules(rules).unwrap());
    Policy { rules, decap: Some(decap()), returning: Some(returning), ..Policy::default() }
}

/// A packet to a declared prefix.
pub(crate) fn declared(six: bool) -> Packet {
    let packet = Packet { dscp: 10, ..udp() };
    let to = if six { ("2001:db8::9", "2001:db8:1::7") } else { ("198.51.100.9", "203.0.113.7") };
    Packet { src: address(to.0), dst: address(to.1), ..packet }
}

/// As a peer's tunnel brings it.
pub(crate) fn brought(packet: &[u8], kind: Kind, six: bool) -> Vec<u8> {
    let (from, to) = if six { ("2001:db8:77::9", LOCAL[1]) } else { ("198.18.0.9", LOCAL[0]) };
    let inner_six = packet[0] >> 4 == 6;
    match kind {
        Kind::Gre => outer(from, to, 47, &gre(0, if inner_six { 0x86dd } else { 0x0800 }, &[], packet)),
        Kind::Ipip => outer(from, to, if inner_six { 41 } else { 4 }, packet),
    }
}

pub(crate) fn left(plane: &Plane, place: &str) -> u64 {
    plane.leaves().unwrap().into_iter().find(|tally| tally.place == place).unwrap().packets
}

pub(crate) fn counted(plane: &Plane, of: &str) -> Returned {
    plane.returned().unwrap().into_iter().find(|one| one.prefix == prefix(of)).unwrap()
}

/// What a packet is when it went through a router.
fn one_hop_less(packet: &[u8]) -> Vec<u8> {
    let mut out = packet.to_vec();
    if out[0] >> 4 == 6 {
        out[7] -= 1;
        return out;
    }
    out[8] -= 1;
    out[10..12].copy_from_slice(&[0, 0]);
    let header = usize::from(out[0] & 15) * 4;
    let sum = checksum(&[&out[..header]]);
    out[10..12].copy_from_slice(&sum.to_be_bytes());
    out
}

/// What is in the tunnel of a frame that goes back, where everything around it is as it should be.
pub(crate) fn unwrapped(frame: &[u8], way: &Return, dscp: u8) -> Vec<u8> {
    assert_eq!(frame[..6], FAR, "to the neighbour");
    let read = packet::parse(Link::Ethernet, frame, u32::try_from(frame.len()).unwrap()).unwrap();
    let headers = read.headers;
    assert_eq!((headers.src, headers.dst), (way.local, way.remote));
    assert_eq!((headers.ttl, headers.dscp), (64, dscp));
    let front = usize::from(way.overhead());
    let inner = &frame[14 + front..];
    let six = inner[0] >> 4 == 6;
    let wanted = match (way.kind, six) {
        (Kind::Gre, _) => 47,
        (Kind::Ipip, false) => 4,
        (Kind::Ipip, true) => 41,
    };
    assert_eq!(headers.protocol, wanted);
    if way.kind == Kind::Gre {
        let kind: [u8; 4] = if six { [0, 0, 0x86, 0xdd] } else { [0, 0, 8, 0] };
        assert_eq!(frame[14 + front - 4..14 + front], kind, "neither key nor sum");
    }
    if way.remote.is_ipv4() {
        assert_eq!(checksum(&[&frame[14..34]]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([frame[16], frame[17]])), frame.len() - 14);
        assert_eq!(headers.fragment.dont, six || inner[6] & 0x40 != 0, "cut where that may be cut");
    } else {
        assert_eq!(usize::from(u16::from_be_bytes([frame[18], frame[19]])), frame.len() - 54);
        let label = u32::from_be_bytes(frame[14..18].try_into().unwrap()) & 0xf_ffff;
        assert_ne!(label, 0, "flows can be told apart");
    }
    inner.to_vec()
}

#[test]
fn what_no_rule_drops_goes_back_in_its_tunnel_and_the_rest_does_not() {
    if !inside("returning::what_no_rule_drops_goes_back_in_its_tunnel_and_the_rest_does_not") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut went = 0;
    for (kind, six_around) in [(Kind::Gre, false), (Kind::Gre, true), (Kind::Ipip, false), (Kind::Ipip, true)]
    {
        let returning = Returning { ways: ways(kind, six_around), ..Returning::default() };
        plane.install(&policy(returning.clone(), "d proto udp dst-port 99 -> drop\n")).unwrap();
        assert_eq!(plane.returning().unwrap(), Some(returning.clone()), "the kernel has what it was given");
        for (six, way) in [(false, returning.ways[0]), (true, returning.ways[1])] {
            for dont in [false, true] {
                let packet = Packet { dont: dont && !six, ..declared(six) };
                let bytes = packet.bytes();
                let mut tagged = frame(&bytes);
                tagged.splice(12..12, [0x81, 0, 0, 7]);
                let mut forms = vec![("plain", frame(&bytes)), ("tagged", tagged)];
                for by_six in [false, true] {
                    for kind in [Kind::Gre, Kind::Ipip] {
                        forms.push(("by tunnel", frame(&brought(&bytes, kind, by_six))));
                    }
                }
                for (how, sent) in forms {
                    let (verdict, got) = plane.answer(&sent).unwrap();
                    assert_eq!(verdict, REDIRECT, "{how} {kind:?} around by IPv6: {six_around}, IPv6: {six}");
                    assert_eq!(unwrapped(&got, &way, 10), one_hop_less(&bytes), "{how}");
                    went += 1;
                }
            }
            let dropped = Packet { ports: (1024, 99), ..declared(six) }.bytes();
            assert_eq!(plane.answer(&frame(&dropped)).unwrap().0, DROP, "a rule drops it");
            assert_eq!(plane.answer(&frame(&brought(&dropped, Kind::Gre, six))).unwrap().0, DROP);
        }
    }
    assert_eq!(left(&plane, "returned"), went);
    // Counters went on through four sets: the prefixes were declared all the time.
    for (name, six) in [("203.0.113.0/24", false), ("2001:db8:1::/48", true)] {
        let length = u64::try_from(declared(six).bytes().len()).unwrap();
        let seen = counted(&plane, name);
        assert_eq!((seen.packets, seen.octets), (went / 2, went / 2 * length), "octets without tunnels");
        assert_eq!((seen.dropped, seen.dropped_octets), (8, 8 * length), "{name}");
    }
    let elsewhere = udp().bytes();
    assert_eq!(plane.answer(&frame(&elsewhere)).unwrap().0, PASS, "not declared, not tunnelled: goes up");
    plane.install(&Policy::default()).unwrap();
    assert_eq!(plane.returning().unwrap(), None);
    assert_eq!(plane.answer(&frame(&declared(false).bytes())).unwrap().0, PASS, "nothing goes back any more");
}

#[test]
fn the_longest_declared_prefix_decides_and_a_new_set_takes_another_way_at_once() {
    if !inside("returning::the_longest_declared_prefix_decides_and_a_new_set_takes_another_way_at_once") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut returning = Returning { ways: ways(Kind::Gre, false), ..Returning::default() };
    let host = Return { prefix: prefix("203.0.113.7/32"), ..ways(Kind::Ipip, true)[0] };
    returning.ways.push(host);
    returning.discard.push(prefix("203.0.113.64/26"));
    plane.install(&policy(returning.clone(), "")).unwrap();
    let to = |text: &str| frame(&Packet { dst: address(text), ..declared(false) }.bytes());
    let wide = returning.ways[0];
    let goes = |text: &str, way: &Return| {
        let (verdict, got) = plane.answer(&to(text)).unwrap();
        assert_eq!(verdict, REDIRECT, "{text}");
        unwrapped(&got, way, 10);
    };
    goes("203.0.113.7", &host);
    goes("203.0.113.8", &wide);
    assert_eq!(plane.answer(&to("203.0.113.70")).unwrap().0, DROP, "nothing of that one goes back");
    assert_eq!(left(&plane, "discarded"), 1);
    assert_eq!(counted(&plane, "203.0.113.64/26").discarded, 1);
    // The hop of a way is remembered: of the old way, not of the prefix.
    let other = Return { prefix: host.prefix, ..wide };
    let swapped = Returning {
        ways: vec![Return { prefix: wide.prefix, ..host }, other],
        discard: vec![prefix("203.0.113.0/28")],
        ..Returning::default()
    };
    plane.install(&policy(swapped.clone(), "")).unwrap();
    goes("203.0.113.7", &other);
    goes("203.0.113.70", &swapped.ways[0]);
    assert_eq!(plane.answer(&to("203.0.113.9")).unwrap().0, DROP);
    assert!(plane.roll_back().unwrap());
    goes("203.0.113.7", &host);
    goes("203.0.113.8", &wide);
    assert_eq!(plane.answer(&to("203.0.113.70")).unwrap().0, DROP, "the set before is whole");
    assert_eq!(counted(&plane, "203.0.113.7/32").packets, 3, "its counters went on meanwhile");
}

#[test]
fn what_would_loop_or_was_not_declared_is_dropped_and_counted() {
    if !inside("returning::what_would_loop_or_was_not_declared_is_dropped_and_counted") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let returning =
        |undeclared| Returning { ways: ways(Kind::Gre, false), undeclared, ..Returning::default() };
    plane.install(&policy(returning(Undeclared::Drop), "")).unwrap();
    let inner = declared(false).bytes();
    let from = |peer: &str, packet: &[u8]| frame(&outer(peer, LOCAL[0], 4, packet));
    let verdict = |frame: &[u8]| plane.answer(frame).unwrap().0;

    assert_eq!(verdict(&from(REMOTE[0], &inner)), DROP, "back into the tunnel it came from");
    let hidden = outer("198.18.0.9", LOCAL[0], 4, &inner);
    assert_eq!(verdict(&from(REMOTE[0], &hidden)), DROP, "likewise, wrapped once more");
    assert_eq!((left(&plane, "looped"), counted(&plane, "203.0.113.0/24").looped), (2, 2));

    let mut nested = inner.clone();
    for _ in 0..4 {
        nested = outer("198.18.0.9", LOCAL[0], 4, &nested);
    }
    assert_eq!(verdict(&frame(&nested)), REDIRECT, "four tunnels within each other");
    let nested = outer("198.18.0.9", LOCAL[0], 4, &nested);
    assert_eq!(verdict(&frame(&nested)), DROP, "five");
    assert_eq!(left(&plane, "nested"), 1);
    assert_eq!(verdict(&from("198.18.0.9", &inner)), REDIRECT, "the next one is none of its depth");

    for six in [false, true] {
        for ttl in [0, 1] {
            let silent = Packet { ttl, src: address(if six { "::1" } else { "0.0.0.0" }), ..declared(six) };
            assert_eq!(verdict(&frame(&silent.bytes())), DROP);
        }
        assert_eq!(verdict(&frame(&Packet { ttl: 2, ..declared(six) }.bytes())), REDIRECT);
    }
    assert_eq!((left(&plane, "expired"), counted(&plane, "2001:db8:1::/48").expired), (4, 2));

    let stranger = udp().bytes();
    assert_eq!(verdict(&from("198.18.0.9", &stranger)), DROP, "nobody declared that destination");
    assert_eq!(left(&plane, "undeclared"), 1);
    let reply = Packet { src: address("203.0.113.7"), dst: address("198.51.100.9"), ..udp() }.bytes();
    assert_eq!(verdict(&from("198.18.0.9", &reply)), DROP, "an owner's address, in a tunnel of others");
    let bare = (PASS, frame(&reply));
    assert_eq!(
        plane.answer(&from(REMOTE[0], &reply)).unwrap(),
        bare,
        "what the owner sends goes on, unwrapped"
    );
    assert_eq!(counted(&plane, "203.0.113.0/24").sent, 1);
    plane.install(&policy(returning(Undeclared::Pass), "")).unwrap();
    let bare = (PASS, frame(&stranger));
    assert_eq!(plane.answer(&from("198.18.0.9", &stranger)).unwrap(), bare, "where that was asked for");
    let mut broken = stranger;
    broken[0] = 0x41;
    let bare = (PASS, frame(&broken));
    assert_eq!(
        plane.answer(&from("198.18.0.9", &broken)).unwrap(),
        bare,
        "what cannot be read goes up, unwrapped"
    );
    assert_eq!(verdict(&frame(&inner)), REDIRECT, "and the next one is read from its own beginning");
    assert_eq!(left(&plane, "undeclared"), 2);
}

#[test]
fn without_a_way_nothing_goes_up_and_a_way_that_appears_is_taken() {
    if !inside("returning::without_a_way_nothing_goes_up_and_a_way_that_appears_is_taken") {
        return;
    }
    let Some(plane) = plane_with(Clock::Set) else { return };
    // each processor remembers ways for itself
    let process = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-p", "-c", "0", &process]).output();
    assert!(pinned.is_ok_and(|output| output.status.success()), "taskset of util-linux is needed");
    roads();
    plane.set_clock(1_000_000_000).unwrap();
    let way = Return { remote: address("10.9.1.77"), ..ways(Kind::Gre, false)[0] };
    let nowhere = Return { prefix: prefix("203.0.112.0/24"), remote: address("192.0.2.200"), ..way };
    let mut around = Return { prefix: prefix("203.0.111.0/24"), via: Some(address(REMOTE[1])), ..way };
    around.remote = address("192.0.2.200");
    let ways = vec![way, nowhere, around];
    plane.install(&policy(Returning { ways, ..Returning::default() }, "")).unwrap();
    let sent =
        |to: &str| plane.answer(&frame(&Packet { dst: address(to), ..declared(false) }.bytes())).unwrap();
    assert_eq!((sent("203.0.113.7").0, sent("203.0.112.7").0), (DROP, DROP), "no neighbour, no route");
    assert_eq!((left(&plane, "no-way"), counted(&plane, "203.0.112.0/24").no_way), (2, 1));
    let (verdict, got) = sent("203.0.111.7");
    assert_eq!(
        (verdict, &got[..6]),
        (REDIRECT, &FAR[..]),
        "the next hop that was named, of the other family"
    );
    unwrapped(&got, &around, 10);
    let ip = |line: &str| assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success());
    ip("neighbour add 10.9.1.77 lladdr 02:00:00:00:00:99 dev far");
    assert_eq!(sent("203.0.113.7").0, REDIRECT, "what was not known is asked again at once");
    ip("neighbour change 10.9.1.77 lladdr 02:00:00:00:00:55 dev far");
    assert_eq!(sent("203.0.113.7").1[5], 0x99, "what was known holds for a moment");
    plane.set_clock(1_100_000_000).unwrap();
    assert_eq!(sent("203.0.113.7").1[5], 0x55, "and no longer");
    let mut cut = frame(&declared(false).bytes());
    cut.truncate(60);
    assert_eq!(plane.answer(&cut).unwrap().0, DROP, "what is not all there cannot be wrapped");
    assert_ne!(plane.answer(&cut).unwrap().0, ABORTED);
}

#[test]
fn what_is_discarded_is_sampled_as_dropped_and_what_goes_back_without_its_payload() {
    if !inside("returning::what_is_discarded_is_sampled_as_dropped_and_what_goes_back_without_its_payload") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut returning = Returning { ways: ways(Kind::Gre, false), ..Returning::default() };
    returning.ways.truncate(1);
    returning.discard.push(prefix("2001:db8:1::/48"));
    plane.install(&policy(returning, "d proto udp dst-port 99 -> drop\n")).unwrap();
    let mut sampler = plane.sampler([1000, 1000], None).unwrap();
    sampler.grant(TENTH).unwrap();
    let packets = [declared(true), declared(false), Packet { ports: (1, 99), ..declared(false) }];
    for packet in &packets {
        plane.answer(&frame(&packet.bytes())).unwrap();
    }
    let wrapped = frame(&brought(&packets[2].bytes(), Kind::Gre, true));
    assert_eq!(plane.answer(&wrapped).unwrap().0, DROP);
    let samples = taken(&mut sampler);
    let [discarded, returned, dropped, unwrapped] = samples.as_slice() else { panic!("{samples:?}") };
    let whole = |packet: &Packet| frame(&packet.bytes())[..128].to_vec();
    assert_eq!((discarded.place, discarded.class), ("discarded", Class::Dropped));
    assert_eq!(discarded.octets, whole(&packets[0]), "as it came");
    assert_eq!((returned.place, returned.class), ("returned", Class::Passed));
    assert_eq!(returned.octets.len(), 14 + 24 + 28, "headers, and nothing behind them");
    assert_eq!((dropped.place, dropped.class), ("dropped", Class::Dropped));
    assert_eq!(dropped.octets, whole(&packets[2]));
    assert_eq!((unwrapped.place, &unwrapped.octets), ("dropped", &dropped.octets), "without its tunnel");
    assert_eq!(unwrapped.length, dropped.length);
}
