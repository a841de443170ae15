//! Packet headers, outer and inner.

use wire::packet::{self, Link};

use super::Target;
use crate::measure::{MEMORY_MAX, Outcome, within};
use crate::seeds;

pub(super) const TARGET: Target = Target { name: "packet", seeds: seeds::packets, run };

/// The first octet chooses the link type, the rest is the frame.
fn run(input: &[u8]) -> Outcome {
    let Some((kind, frame)) = input.split_first() else { return Outcome::of(0) };
    let link = seeds::LINKS.get(usize::from(*kind) % seeds::LINKS.len()).copied().unwrap_or(Link::Ethernet);
    let original = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    // headers have no counter of visits: the walk is a straight line over the input
    within(MEMORY_MAX, || match packet::parse(link, frame, original) {
        Ok(outer) => {
            assert!(outer.payload.len() <= frame.len() && outer.transport.len() <= frame.len());
            let seen = walked(Outcome::of(usize::from(outer.headers.protocol)), &outer);
            match packet::parse_inner(&outer) {
                Some(inner) => walked(seen.with("inner"), &inner),
                None => seen,
            }
        }
        Err(fault) => Outcome::of(0).with(fault.name()),
    })
}

/// What the walk found, as far as it makes inputs different.
fn walked(outcome: Outcome, parsed: &packet::Parsed<'_>) -> Outcome {
    let headers = &parsed.headers;
    [
        (headers.ports.is_some(), "ports"),
        (headers.icmp.is_some(), "icmp"),
        (headers.tcp.is_some_and(|tcp| tcp.options_len > 0), "options"),
        (headers.fragment.is_later(), "later"),
        (headers.fragment.more, "more"),
        (headers.src.is_ipv6(), "ipv6"),
        (parsed.vlan.is_some(), "vlan"),
    ]
    .into_iter()
    .filter(|(found, _)| *found)
    .fold(outcome, |outcome, (_, name)| outcome.with(name))
}
