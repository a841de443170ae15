//! Moves of the input, and how the answer has to move with it.

use std::net::IpAddr;

use base::{Prefix, Span};

use super::frames::{Frame, read, to_pcap};
use super::packet_edit::{elsewhere, set_addresses, set_ports, tag, to_ipv6, wide};

/// A move: of the input, and of the answer's target.
pub(crate) struct Move {
    pub(crate) name: &'static str,
    pub(crate) input: fn(&[Frame]) -> Vec<Frame>,
    pub(crate) target: fn(Prefix) -> Prefix,
    pub(crate) counts: Counts,
}

/// What becomes of the numbers of packets and sources.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Same,
    /// ICMP redirects have no counterpart in the other family (RFC 7915 §4.2).
    Near,
    Fewer,
}

/// All of them but the embedding, which takes a second recording.
pub(crate) const MOVES: &[Move] = &[
    Move { name: "other addresses", input: other_addresses, target: moved, counts: Counts::Same },
    Move { name: "other ports", input: other_ports, target: same, counts: Counts::Same },
    Move { name: "another time", input: another_time, target: same, counts: Counts::Same },
    Move { name: "a VLAN tag", input: tagged, target: same, counts: Counts::Same },
    Move { name: "cut to 96 octets", input: cut, target: same, counts: Counts::Same },
    Move { name: "the other file format", input: other_format, target: same, counts: Counts::Same },
    Move { name: "IPv6", input: as_ipv6, target: widened, counts: Counts::Near },
    Move { name: "every second packet", input: halved, target: same, counts: Counts::Fewer },
];

fn other_addresses(frames: &[Frame]) -> Vec<Frame> {
    edited(frames, |frame| set_addresses(frame, elsewhere))
}

/// Ports beyond the known services change places; services stay what they are.
fn other_ports(frames: &[Frame]) -> Vec<Frame> {
    edited(frames, |frame| set_ports(frame, swapped))
}

fn another_time(frames: &[Frame]) -> Vec<Frame> {
    let shift = Span::from_nanos(400_000_123_456_789);
    edited(frames, |frame| frame.at = frame.at.plus(shift))
}

fn tagged(frames: &[Frame]) -> Vec<Frame> {
    edited(frames, |frame| tag(frame, 77))
}

fn cut(frames: &[Frame]) -> Vec<Frame> {
    edited(frames, |frame| frame.bytes.truncate(96))
}

fn other_format(frames: &[Frame]) -> Vec<Frame> {
    read(to_pcap(frames))
}

fn as_ipv6(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().map(|frame| to_ipv6(frame).unwrap_or_else(|| frame.clone())).collect()
}

fn halved(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().step_by(2).cloned().collect()
}

fn edited(frames: &[Frame], edit: impl Fn(&mut Frame)) -> Vec<Frame> {
    let mut frames = frames.to_vec();
    frames.iter_mut().for_each(edit);
    frames
}

const fn same(target: Prefix) -> Prefix {
    target
}

fn moved(target: Prefix) -> Prefix {
    Prefix::of(elsewhere(target.addr()), target.bits())
}

fn widened(target: Prefix) -> Prefix {
    match (target.addr(), target.bits()) {
        (IpAddr::V4(_), 32) => Prefix::host(wide(target.addr())),
        (IpAddr::V4(_), bits) => Prefix::of(wide(target.addr()), 32 + bits),
        (IpAddr::V6(_), _) => target,
    }
}

/// Ports above 20,000 that a vector or a profile might know.
const SERVICES: &[u16] =
    &[25_565, 27_005, 27_015, 27_016, 30_120, 32_410, 32_412, 32_414, 37_810, 47_808, 51_820];
/// Changes places within blocks of 512.
const SWAP: u16 = 0x0155;

fn swapped(port: u16) -> u16 {
    let other = port ^ SWAP;
    let plain = |port: u16| port >= 20_480 && !SERVICES.contains(&port);
    if plain(port) && plain(other) { other } else { port }
}

/// A move that does something else than its name would prove nothing.
#[test]
fn the_moves_change_what_they_say_and_nothing_else() {
    let Some(data) = crate::support::data() else { return };
    for file in super::frames::files(&data.join("attacks")) {
        let frames = super::frames::load(&file);
        for frame in frames.iter().step_by(97) {
            let Some(was) = frame.parse().map(|parsed| parsed.headers) else { continue };
            let headers = |step: fn(&[Frame]) -> Vec<Frame>| {
                step(std::slice::from_ref(frame))[0].parse().unwrap().headers
            };
            assert_eq!(headers(tagged), was);
            assert_eq!(headers(cut), was);
            assert_eq!(headers(other_format), was);
            let moved = headers(other_addresses);
            assert_eq!((moved.src, moved.dst), (elsewhere(was.src), elsewhere(was.dst)));
            assert_eq!((moved.ports, moved.length, moved.fragment), (was.ports, was.length, was.fragment));
            let ports = headers(other_ports).ports;
            assert_eq!(ports, was.ports.map(|(src, dst)| (swapped(src), swapped(dst))));
            if was.src.is_ipv4() {
                let six = headers(as_ipv6);
                assert_eq!((six.src, six.dst, six.ports), (wide(was.src), wide(was.dst), was.ports));
                assert_eq!(
                    (six.fragment.offset, six.fragment.more),
                    (was.fragment.offset, was.fragment.more)
                );
                assert_eq!((six.ttl, six.dscp, six.payload_len), (was.ttl, was.dscp, was.payload_len));
                assert_eq!(six.tcp, was.tcp, "{}", file.display());
            }
        }
    }
    assert_ne!(swapped(40_000), 40_000);
    assert!((0..=u16::MAX).all(|port| swapped(swapped(port)) == port));
}
