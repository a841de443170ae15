//! What has to fit into the tunnel of a way back: segments are kept short, senders of longer packets are told, within caps.

use std::net::IpAddr;

use dataplane::returning::{Kind, Return, Returning};
use dataplane::{Clock, Plane};

use crate::agreement::{frame, plane, plane_with};
use crate::elsewhere::inside;
use crate::make::Packet;
use crate::returning::{LOCAL, brought, counted, declared, left, policy, roads, unwrapped, ways};
use crate::segment::{ACK, LINUX, SYN, Segment, checksum};

const DROP: u32 = 1;
const PASS: u32 = 2;
const TX: u32 = 3;
const REDIRECT: u32 = 4;
const NAMES: [&str; 2] = ["203.0.113.0/24", "2001:db8:1::/48"];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn install(plane: &Plane, ways: Vec<Return>) {
    let returning = Returning { ways, answers_net_max: 1000, ..Returning::default() };
    plane.install(&policy(returning, "")).unwrap();
}

/// The TCP header of a packet, where its sum is right.
fn segment(ip: &[u8]) -> Vec<u8> {
    let six = ip[0] >> 4 == 6;
    let (pseudo, tcp) = if six { (ip[8..40].to_vec(), &ip[40..]) } else { (ip[12..20].to_vec(), &ip[20..]) };
    let length = u32::try_from(tcp.len()).unwrap();
    let sum = checksum(&[&pseudo, &length.to_be_bytes(), &[0, 0, 0, 6], tcp]);
    assert_eq!(sum, 0, "the segment's sum");
    tcp.to_vec()
}

#[test]
fn syns_and_syn_acks_offer_no_more_than_fits_wherever_the_option_stands() {
    if !inside("fits::syns_and_syn_acks_offer_no_more_than_fits_wherever_the_option_stands") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut lowered = [0; 2];
    let many_nops = [&[1; 36][..], &[2, 4, 5, 180]].concat();
    for (kind, six_around, mtu) in
        [(Kind::Gre, false, None), (Kind::Ipip, true, None), (Kind::Gre, true, Some(1400))]
    {
        let mut all = ways(kind, six_around);
        all.iter_mut().for_each(|way| way.mtu = mtu);
        install(&plane, all.clone());
        for (way, six) in all.iter().zip([false, true]) {
            let most = mtu.unwrap_or_else(|| 1500 - way.overhead()) - if six { 60 } else { 40 };
            for (options, before, at) in [
                (&[2, 4, 5, 180][..], 1460, 2),
                (&LINUX, 1460, 2),
                (&[1, 2, 4, 5, 180, 1, 1, 1], 1460, 3),
                (&[1, 1, 2, 4, 5, 180, 0, 9], 1460, 4),
                (&[3, 3, 7, 2, 4, 35, 0, 0], 8960, 5),
                (&[8, 10, 2, 4, 9, 9, 0, 0, 0, 0, 4, 2, 2, 4, 255, 255], 65535, 14),
                (&[253, 6, 2, 4, 5, 180, 2, 4, 5, 180, 0, 0], 1460, 8),
                (&many_nops, 1460, 38),
                // Short already, cut off, of a wrong length, or behind the end: nothing to lower.
                (&[2, 4, 2, 24], 536, 0),
                (&[1, 1, 2, 4], 0, 0),
                (&[2, 3, 5, 180], 0, 0),
                (&[0, 2, 4, 5, 180, 0, 0, 0], 0, 0),
                (&[5, 0, 2, 4, 5, 180, 0, 0], 0, 0),
                (&[3, 40, 2, 4, 5, 180, 0, 0], 0, 0),
                (&[], 0, 0),
            ] {
                for flags in [SYN, SYN | ACK, ACK] {
                    let sent = Segment { options: options.to_vec(), flags, ..Segment::syn(six) };
                    let (verdict, got) = plane.answer(&sent.frame()).unwrap();
                    assert_eq!(verdict, REDIRECT);
                    let tcp = segment(&unwrapped(&got, way, 0));
                    let mut wanted = options.to_vec();
                    if at > 0 && flags & SYN != 0 {
                        assert!(before > most);
                        wanted[at..at + 2].copy_from_slice(&most.to_be_bytes());
                        lowered[usize::from(six)] += 1;
                    }
                    assert_eq!(tcp[20..], wanted, "{kind:?}, flags {flags}, of {options:?}");
                }
            }
        }
    }
    for (name, lowered) in NAMES.iter().zip(lowered) {
        assert_eq!(counted(&plane, name).clamped, lowered);
    }
    // What the owner answers, through his tunnel or routed here, is lowered on its way out.
    install(&plane, ways(Kind::Gre, false));
    for (six, most) in [(false, 1436u16), (true, 1416)] {
        let turned = Segment::syn(six);
        let reply =
            Segment { src: turned.dst, dst: turned.src, flags: SYN | ACK, options: LINUX.to_vec(), ..turned };
        let plain = reply.frame();
        let (from, to) = ("10.9.1.2", LOCAL[0]);
        let tunnelled = frame(&crate::decap::outer(from, to, if six { 41 } else { 4 }, &plain[14..]));
        for sent in [plain, tunnelled] {
            let (verdict, got) = plane.answer(&sent).unwrap();
            assert_eq!(verdict, PASS);
            assert_eq!(segment(&got[14..])[22..24], most.to_be_bytes());
        }
        assert_eq!(counted(&plane, NAMES[usize::from(six)]).sent, 2);
    }
}

/// A packet of so many octets to a declared prefix.
fn long(six: bool, octets: usize) -> Packet {
    let packet = declared(six);
    let payload = (0..octets - if six { 48 } else { 28 }).map(|n| u8::try_from(n % 251).unwrap()).collect();
    Packet { payload, dont: !six, ..packet }
}

/// Checks a message about a packet that came in this frame; the MTU it tells, and who says so.
fn told(message: &[u8], sent: &[u8], ip: &[u8]) -> (u32, IpAddr) {
    assert!(message.len() <= sent.len(), "never longer than what caused it");
    assert_eq!((&message[..6], &message[6..12]), (&sent[6..12], &sent[..6]), "where it came from");
    let at = 14 + if sent[12..14] == [0x81, 0] { 4 } else { 0 };
    assert_eq!(message[12..at], sent[12..at]);
    let message = &message[at..];
    if ip[0] >> 4 == 4 {
        assert_eq!(checksum(&[&message[..20]]), 0);
        assert_eq!(usize::from(u16::from_be_bytes([message[2], message[3]])), message.len());
        assert_eq!((message[9], &message[16..20]), (1, &ip[12..16]));
        assert_eq!(checksum(&[&message[20..]]), 0);
        assert_eq!(message[20..22], [3, 4]);
        assert_eq!(message[28..], ip[..504], "the front of what came");
        let from = <[u8; 4]>::try_from(&message[12..16]).unwrap();
        return (u32::from_be_bytes(message[24..28].try_into().unwrap()), from.into());
    }
    let length = u32::try_from(message.len() - 40).unwrap();
    assert_eq!(u32::from(u16::from_be_bytes([message[4], message[5]])), length);
    assert_eq!((message[6], &message[24..40]), (58, &ip[8..24]));
    assert_eq!(checksum(&[&message[8..40], &length.to_be_bytes(), &[0, 0, 0, 58], &message[40..]]), 0);
    assert_eq!(message[40..42], [2, 0]);
    assert_eq!(message[48..], ip[..504]);
    let from = <[u8; 16]>::try_from(&message[8..24]).unwrap();
    (u32::from_be_bytes(message[44..48].try_into().unwrap()), from.into())
}

#[test]
fn senders_of_what_does_not_fit_are_told_what_does() {
    if !inside("fits::senders_of_what_does_not_fit_are_told_what_does") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    let mut count = 0;
    for (kind, six_around) in [(Kind::Gre, false), (Kind::Gre, true), (Kind::Ipip, false), (Kind::Ipip, true)]
    {
        let all = ways(kind, six_around);
        install(&plane, all.clone());
        for (way, six) in all.iter().zip([false, true]) {
            let fits = usize::from(1500 - way.overhead());
            let (verdict, got) = plane.answer(&frame(&long(six, fits).bytes())).unwrap();
            assert_eq!((verdict, got.len()), (REDIRECT, 1514), "as long as the way takes");
            let bytes = long(six, fits + 1).bytes();
            let mut tagged = frame(&bytes);
            tagged.splice(12..12, [0x81, 0, 0, 7]);
            for (how, sent) in [
                ("plain", frame(&bytes)),
                ("tagged", tagged),
                ("tunnelled", frame(&brought(&bytes, kind, six))),
            ] {
                let (verdict, got) = plane.answer(&sent).unwrap();
                assert_eq!(verdict, TX, "{how}");
                let (mtu, from) = if how == "tunnelled" {
                    told(&got, &frame(&bytes), &bytes)
                } else {
                    told(&got, &sent, &bytes)
                };
                assert_eq!(usize::try_from(mtu).unwrap(), fits);
                let teller = if six == six_around { way.local } else { declared(six).dst };
                assert_eq!(from, teller, "our end, or who it was for where that is of the other family");
                count += 1;
            }
        }
    }
    assert_eq!(left(&plane, "told"), count);
    let told: u64 = NAMES.iter().map(|name| counted(&plane, name).told).sum();
    assert_eq!(told, count);
    let narrow = Return { mtu: Some(1280), ..ways(Kind::Gre, false)[1] };
    install(&plane, vec![narrow]);
    assert_eq!(plane.answer(&frame(&long(true, 1281).bytes())).unwrap().0, TX, "as it was asked for");
}

#[test]
fn nobody_is_told_who_must_not_be_and_nothing_is_said_without_end() {
    if !inside("fits::nobody_is_told_who_must_not_be_and_nothing_is_said_without_end") {
        return;
    }
    let Some(plane) = plane_with(Clock::Set) else { return };
    roads();
    plane.set_clock(1 << 40).unwrap();
    install(&plane, ways(Kind::Gre, false));
    let from = |text: &str| {
        let source = address(text);
        Packet { src: source, ..long(source.is_ipv6(), 1490) }
    };
    let icmp = |kind: u8, six: bool| Packet {
        protocol: if six { 58 } else { 1 },
        icmp: (kind, 0),
        ..long(six, 1490)
    };
    let fragment = |six: bool| Packet { offset: 8, atomic: six, ..long(six, 1490) };
    let mut silent = 0;
    for source in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
        "fe80::1",
    ] {
        assert_eq!(plane.answer(&frame(&from(source).bytes())).unwrap().0, DROP, "{source}");
        silent += 1;
    }
    for (kind, six) in [
        (3, false),
        (4, false),
        (5, false),
        (11, false),
        (12, false),
        (1, true),
        (2, true),
        (3, true),
        (4, true),
    ] {
        assert_eq!(plane.answer(&frame(&icmp(kind, six).bytes())).unwrap().0, DROP, "about error {kind}");
        silent += 1;
    }
    for six in [false, true] {
        assert_eq!(plane.answer(&frame(&fragment(six).bytes())).unwrap().0, DROP, "about a later fragment");
        silent += 1;
    }
    assert_eq!(plane.answer(&frame(&Packet { dont: false, ..long(false, 1490) }.bytes())).unwrap().0, DROP);
    silent += 1;
    assert_eq!((left(&plane, "oversized"), left(&plane, "told")), (silent, 0));
    let silent: u64 = NAMES.iter().map(|name| counted(&plane, name).too_big).sum();
    assert_eq!(silent, left(&plane, "oversized"), "each was counted where it was for");
    for (kind, six) in [(8, false), (128, true)] {
        assert_eq!(plane.answer(&frame(&icmp(kind, six).bytes())).unwrap().0, TX, "a ping is no error");
    }

    // Each processor has its share of what one network may hear; this test stays on those that it gets.
    let returning = Returning {
        ways: ways(Kind::Gre, false),
        answers_max: 64 * processors(),
        answers_net_max: 8 * processors(),
        ..Returning::default()
    };
    plane.install(&policy(returning.clone(), "")).unwrap();
    let hears = |turn: u64, sources: &dyn Fn(u32) -> Packet| {
        plane.set_clock((1 << 41) + (turn << 31)).unwrap();
        (0..200).filter(|n| plane.answer(&frame(&sources(*n).bytes())).unwrap().0 == TX).count()
    };
    let host =
        |n: u32| Packet { src: IpAddr::from([100, 64, 7, u8::try_from(n).unwrap()]), ..long(false, 1490) };
    let most = usize::try_from(processors()).unwrap();
    for turn in 0..3 {
        let heard = hears(turn, &host);
        assert!((8..=8 * most).contains(&heard), "one network, in each second anew: {heard}");
    }
    let net =
        |n: u32| Packet { src: IpAddr::from([100, 64, u8::try_from(n).unwrap(), 7]), ..long(false, 1490) };
    let heard = hears(3, &net);
    assert!((64..=64 * most).contains(&heard) && heard < 200 || most > 3, "all networks together: {heard}");
    plane.install(&policy(Returning { answers_net_max: 0, ..returning }, "")).unwrap();
    assert_eq!(hears(4, &net), 0, "where nobody shall be told");
}

#[test]
fn what_is_cut_or_lies_on_its_way_back_is_never_aborted() {
    if !inside("fits::what_is_cut_or_lies_on_its_way_back_is_never_aborted") {
        return;
    }
    let Some(plane) = plane() else { return };
    roads();
    install(&plane, ways(Kind::Gre, false));
    let mut seen = [0; 5];
    for six in [false, true] {
        let syn = Segment { options: LINUX.to_vec(), ..Segment::syn(six) }.frame();
        let wrapped = frame(&brought(&syn[14..], Kind::Gre, six));
        for whole in [syn, wrapped, frame(&long(six, 1490).bytes())] {
            for end in (14..whole.len()).step_by(if whole.len() > 1000 { 37 } else { 1 }) {
                let (verdict, _) = plane.answer(&whole[..end]).unwrap();
                seen[usize::try_from(verdict).unwrap()] += 1;
            }
            // Each octet of the headers says something else than what is there.
            for at in 14..whole.len().min(140) {
                for value in [0, 0x45, 0x60, 0xff] {
                    let mut lies = whole.clone();
                    lies[at] = value;
                    let (verdict, _) = plane.answer(&lies).unwrap();
                    seen[usize::try_from(verdict).unwrap()] += 1;
                }
            }
        }
    }
    assert_eq!(seen[0], 0, "aborted");
    assert!(seen[1..].iter().all(|count| *count > 0), "dropped, passed, answered and given back: {seen:?}");
}

fn processors() -> u32 {
    u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap()
}
