//! Files that tell where addresses are, and what is read of packets beyond their headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use base::Timestamp;
use intel::enrich::Mmdb;
use intel::{Packet, Rules};
use wire::emit::Writer;
use wire::mrt::Dump;
use wire::packet::{Link, parse};

use super::Target;
use crate::measure::{Outcome, within};
use crate::seeds;

pub(super) const MMDB: Target = Target { name: "mmdb", seeds: mmdb_seeds, run: mmdb };
pub(super) const MRT: Target = Target { name: "mrt", seeds: mrt_seeds, run: mrt };
pub(super) const SHAPES: Target = Target { name: "shapes", seeds: seeds::packets, run: shapes };

/// The file itself, a place per record, and the texts of one answer.
fn most(input: &[u8]) -> u64 {
    (16 << 10) + 64 * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

fn mmdb(input: &[u8]) -> Outcome {
    let addresses = [
        IpAddr::V4(Ipv4Addr::new(128, 1, 2, 3)),
        IpAddr::V4(Ipv4Addr::BROADCAST),
        Ipv6Addr::LOCALHOST.into(),
    ];
    within(most(input), || match Mmdb::open(input.to_vec()) {
        Ok(file) => {
            let known = addresses.iter().filter(|address| file.place(**address).country.is_some()).count();
            Outcome::of(1 + known)
        }
        Err(corrupt) => {
            assert!(corrupt.at <= input.len(), "a place beyond the file: {corrupt}");
            Outcome::of(0).with("corrupt")
        }
    })
}

/// One node, whose right side is data: `{"country": {"iso_code": "NL"}}`, by itself or behind a pointer.
fn mmdb_seeds() -> Vec<Vec<u8>> {
    let file = |data: &[u8], offset: u32, version: u8| {
        let mut out = Vec::new();
        let text = |out: &mut Vec<u8>, text: &str| {
            Writer::new(out).u8(0x40 | u8::try_from(text.len()).unwrap_or(0)).bytes(text.as_bytes());
        };
        let [_, a, b, c] = (1 + 16 + offset).to_be_bytes();
        Writer::new(&mut out).bytes(&[0, 0, 1, a, b, c]).zeros(16).bytes(data);
        Writer::new(&mut out).bytes(b"\xab\xcd\xefMaxMind.com").u8(0xe4);
        let numbers = [("node_count", 1), ("record_size", 24), ("ip_version", version)];
        for (name, value) in numbers.into_iter().chain([("binary_format_major_version", 2)]) {
            text(&mut out, name);
            Writer::new(&mut out).u8(0xa1).u8(value);
        }
        out
    };
    let country = b"\xe1\x47country\xe1\x48iso_code\x42NL";
    let pointed = [country.as_slice(), b"\x20\x00"].concat();
    let asn = b"\xe1\x58autonomous_system_number\xc2\xfc\x00";
    let end = u32::try_from(country.len()).unwrap_or(0);
    vec![file(country, 0, 4), file(&pointed, end, 4), file(asn, 0, 4), file(country, 0, 6)]
}

fn mrt(input: &[u8]) -> Outcome {
    let mut dump = Dump::new(input);
    let (mut decoded, mut damaged) = (0, None);
    // Nothing is kept of a record but its route.
    within(0, || {
        while let Some(route) = dump.next() {
            match route {
                Ok(_) => {
                    let hops: usize = dump.paths().map(|path| path.hops().count()).sum();
                    assert!(hops * 4 <= input.len(), "more of a path than the dump holds");
                    decoded += 1;
                }
                Err(damage) => {
                    assert!(damage.at <= input.len(), "a place beyond the dump");
                    damaged = Some(damage.fault.name());
                }
            }
        }
    });
    damaged.into_iter().fold(Outcome::of(decoded), Outcome::with)
}

fn mrt_seeds() -> Vec<Vec<u8>> {
    let record = |subtype: u16, prefix: &[u8], entries: &[&[u8]]| {
        let mut body = Vec::new();
        let count = u16::try_from(entries.len()).unwrap_or(0);
        Writer::new(&mut body).u32(1).bytes(prefix).u16(count).bytes(&entries.concat());
        let mut out = Vec::new();
        let length = u32::try_from(body.len()).unwrap_or(0);
        Writer::new(&mut out).u32(1_700_000_000).u16(13).u16(subtype).u32(length).bytes(&body);
        out
    };
    let path = [0x40, 2, 10, 2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0xfb, 0xf5];
    let entry = |more: usize| [[0; 6].as_slice(), &vec![0; more], &[0, 13], &path].concat();
    let (plain, additional) = (entry(0), entry(4));
    let v4 = record(2, &[24, 198, 51, 100], &[&plain, &plain]);
    let v6 = record(4, &[32, 0x20, 1, 0xd, 0xb8], &[&plain]);
    let paths = record(8, &[16, 198, 51], &[&additional]);
    vec![[v4.clone(), v6.clone(), paths.clone()].concat(), v4, v6, paths]
}

/// The first octet chooses the link type, the rest is the frame.
fn shapes(input: &[u8]) -> Outcome {
    static RULES: OnceLock<Rules> = OnceLock::new();
    let rules = RULES.get_or_init(|| Rules::embedded().expect("the rules of the program are read"));
    let Some((kind, frame)) = input.split_first() else { return Outcome::of(0) };
    let link = seeds::LINKS.get(usize::from(*kind) % seeds::LINKS.len()).copied().unwrap_or(Link::Ethernet);
    let original = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let Ok(parsed) = parse(link, frame, original) else { return Outcome::of(0).with("no packet") };
    let packet = Packet {
        at: Timestamp::ZERO,
        headers: &parsed.headers,
        ip: wire::packet::network(link, frame).unwrap_or_default(),
        transport: parsed.transport,
        payload: parsed.payload,
        packets: 1,
        bytes: u64::from(parsed.headers.length),
        single: true,
    };
    // Packets are looked at by the million: nothing is allocated for one.
    let told = within(0, || {
        let told =
            [rules.tool(&packet).is_some(), rules.reflector(&packet).is_some(), packet.quoted().is_some()];
        1 + told.iter().filter(|told| **told).count()
    });
    Outcome::of(told)
}
