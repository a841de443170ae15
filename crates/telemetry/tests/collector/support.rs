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

/// Fields of a small flow: source, destination, ports, protocol, packets, octets.
pub(crate) const FLOW: [(u16, u16); 7] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4)];

/// A record of [`FLOW`].
pub(crate) fn flow(packets: u32, octets: u32) -> Vec<u8> {
    let mut out = vec![198, 51, 100, 7, 203, 0, 113, 9, 0, 53, 0x30, 0x39, 17];
    out.extend(packets.to_be_bytes());
    out.extend(octets.to_be_bytes());
    out
}

/// [`FLOW`] and more fields.
pub(crate) fn flow_and(more: &[(u16, u16)]) -> Vec<(u16, u16)> {
    FLOW.iter().chain(more).copied().collect()
}

/// A record of [`FLOW`] and the octets of more fields.
pub(crate) fn record_and(more: &[u8]) -> Vec<u8> {
    let mut out = flow(3, 1500);
    out.extend(more);
    out
}

/// A NetFlow v9 options template: scopes and options as (type, length).
pub(crate) fn options9(id: u16, scopes: &[(u16, u16)], options: &[(u16, u16)]) -> Vec<u8> {
    let len = |fields: &[(u16, u16)]| u16::try_from(fields.len() * 4).unwrap();
    let mut words = vec![id, len(scopes), len(options)];
    words.extend(scopes.iter().chain(options).flat_map(|(kind, length)| [*kind, *length]));
    shorts(&words)
}

/// An IPFIX options template; the first `scopes` fields are scopes.
pub(crate) fn options10(id: u16, scopes: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut words = vec![id, u16::try_from(fields.len()).unwrap(), scopes];
    words.extend(fields.iter().flat_map(|(element, length)| [*element, *length]));
    shorts(&words)
}

/// Ethernet, then IPv4, then UDP or TCP with these flags.
pub(crate) fn frame(tags: &[u16], protocol: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in tags {
        out.extend(tag.to_be_bytes());
        out.extend([0, 100]);
    }
    out.extend([8, 0]);
    out.extend(packet(protocol, flags, payload));
    out
}

/// IPv4, then UDP or TCP with these flags.
pub(crate) fn packet(protocol: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let transport = if protocol == 6 { 20 } else { 8 };
    let total = u16::try_from(20 + transport + payload.len()).unwrap().to_be_bytes();
    let mut out = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    out.extend([198, 51, 100, 7, 203, 0, 113, 9, 0, 53, 0x30, 0x39]);
    if protocol == 6 {
        out.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    } else {
        out.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        out.extend([0, 0]);
    }
    out.extend(payload);
    out
}

/// Words of four octets.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// An sFlow record: tag, length, octets padded to four.
pub(crate) fn sflow_record(tag: u32, body: &[u8]) -> Vec<u8> {
    let mut out = words(&[tag, u32::try_from(body.len()).unwrap()]);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// `sampled_header` of this frame.
pub(crate) fn raw_header(protocol: u32, frame: &[u8], frame_length: u32) -> Vec<u8> {
    let mut body = words(&[protocol, frame_length, 4, u32::try_from(frame.len()).unwrap()]);
    body.extend(frame);
    sflow_record(1, &body)
}

/// A compact flow sample of source 7.
pub(crate) fn flow_sample(
    (sequence, pool): (u32, u32),
    rate: u32,
    (input, output): (u32, u32),
    records: &[Vec<u8>],
) -> Vec<u8> {
    let count = u32::try_from(records.len()).unwrap();
    let mut body = words(&[sequence, 7, rate, pool, 0, input, output, count]);
    body.extend(records.concat());
    sflow_record(1, &body)
}

/// A datagram of these samples.
pub(crate) fn sflow(sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut out = words(&[5, 1, 0xc000_0201, 0, sequence, UPTIME, u32::try_from(samples.len()).unwrap()]);
    out.extend(samples.concat());
    out
}
