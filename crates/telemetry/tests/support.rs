//! Loads captures and raw datagrams, runs them through a collector, and builds datagrams by hand.

use std::net::IpAddr;
use std::path::PathBuf;

use base::Timestamp;
use base::map::Seed;
use telemetry::collector::Settings;
use telemetry::stats::Stats;
use telemetry::{Collector, Record, Told};
use wire::packet::{Link, parse};

pub(crate) const EXPORTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

/// The folder of captures, or `None` with a visible note.
pub(crate) fn data(below: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SPILLWAY_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(below);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there; set SPILLWAY_TEST_DATA", path.display());
    None
}

pub(crate) struct Datagram {
    pub(crate) at: Timestamp,
    pub(crate) exporter: IpAddr,
    pub(crate) bytes: Vec<u8>,
}

/// One datagram per `*.dat`, the UDP payloads of a `*.pcap`.
pub(crate) fn load(path: &std::path::Path) -> Vec<Datagram> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|ext| ext == "dat") {
        return vec![Datagram { at: NOW, exporter: EXPORTER, bytes }];
    }
    let little = bytes[0] == 0xd4;
    let word = |at: usize| {
        let b: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) }
    };
    let link = match word(20) {
        1 => Link::Ethernet,
        113 => Link::LinuxSll,
        101 => Link::Ip,
        other => panic!("link type {other}"),
    };
    let mut out = Vec::new();
    let mut at = 24;
    while at + 16 <= bytes.len() {
        let (secs, micros, len, original) = (word(at), word(at + 4), word(at + 8), word(at + 12));
        let frame = &bytes[at + 16..at + 16 + len as usize];
        at += 16 + len as usize;
        let Ok(parsed) = parse(link, frame, original) else { continue };
        if parsed.headers.protocol == wire::packet::UDP {
            let at = Timestamp::from_nanos(u64::from(secs) * 1_000_000_000 + u64::from(micros) * 1000);
            out.push(Datagram { at, exporter: parsed.headers.src, bytes: parsed.payload.to_vec() });
        }
    }
    out
}

/// A collector and what it told.
pub(crate) struct Run {
    pub(crate) collector: Collector,
    pub(crate) told: Vec<Told>,
    pub(crate) records: Vec<Option<Record>>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self { collector: Collector::new(settings, Seed::new(7)), told: Vec::new(), records: Vec::new() }
    }

    pub(crate) fn feed_from(&mut self, at: Timestamp, exporter: IpAddr, bytes: &[u8]) {
        let (told, records) = (&mut self.told, &mut self.records);
        self.collector.datagram(at, exporter, bytes, &mut |t, r| {
            told.push(*t);
            records.push(r.copied());
        });
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.feed_from(NOW, EXPORTER, bytes);
    }

    pub(crate) fn files(&mut self, paths: &[PathBuf]) {
        for path in paths {
            for d in load(path) {
                self.feed_from(d.at, d.exporter, &d.bytes);
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.collector.stats()
    }
}

/// A set with its header.
pub(crate) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend(u16::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
    out
}

/// An IPFIX message.
pub(crate) fn ipfix(domain: u32, sets: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> = sets.iter().flat_map(|(id, body)| set(*id, body)).collect();
    let mut out = vec![0, 10];
    out.extend(u16::try_from(body.len() + 16).unwrap().to_be_bytes());
    out.extend(u32::try_from(NOW.secs()).unwrap().to_be_bytes());
    out.extend([0; 4]);
    out.extend(domain.to_be_bytes());
    out.extend(body);
    out
}

/// Uptime of the hand-made NetFlow v9 exporters, in milliseconds.
pub(crate) const UPTIME: u32 = 1_000_000;

/// A NetFlow v9 packet. Its count is nonsense, as with many exporters.
pub(crate) fn netflow9(source_id: u32, sets: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0, 9, 0, 0];
    out.extend(UPTIME.to_be_bytes());
    out.extend(u32::try_from(NOW.secs()).unwrap().to_be_bytes());
    out.extend([0; 4]);
    out.extend(source_id.to_be_bytes());
    out.extend(sets.iter().flat_map(|(id, body)| set(*id, body)));
    out
}

/// Words of two octets.
pub(crate) fn shorts(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A template record: id, then (element, length) pairs.
pub(crate) fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut words = vec![id, u16::try_from(fields.len()).unwrap()];
    words.extend(fields.iter().flat_map(|(element, length)| [*element, *length]));
    shorts(&words)
}
