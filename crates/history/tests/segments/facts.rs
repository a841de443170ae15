//! Samples to test with, from a seed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use base::hash::Mixer;
use base::{Span, Timestamp};
use history::{Direction, Recorder, Sample, Spilling};

/// 2026-11-26T16:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_795_708_800);

/// A folder of its own, gone with the value.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("spillway-history-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// All segments, in order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for day in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            all.extend(std::fs::read_dir(day.path()).into_iter().flatten().flatten().map(|file| file.path()));
        }
        all.sort();
        all
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CLASSES: [&str; 5] = ["tcp-syn", "tcp-data", "udp-amplification-dns", "udp-quic", "other"];
const COUNTRIES: [Option<&str>; 4] = [None, Some("DE"), Some("BR"), Some("JP")];
const ATTACKS: [Option<&str>; 4] = [None, None, Some("0123456789abcdef"), Some("fedcba9876543210")];
const CUSTOMERS: [Option<&str>; 3] = [None, Some("acme, \"Ltd\""), Some("globex")];

fn host(bits: u64, v6: bool) -> IpAddr {
    let low = u16::try_from(bits % 700).unwrap();
    if v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, low % 7, 0, 0, 0, low))
    } else {
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0))
            .min(IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400 + u32::from(low))))
            .max(IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400 + u32::from(low))))
    }
}

/// The sample of this number, within so many seconds from [`START`].
pub(crate) fn sample(seed: u64, number: u64, seconds: u64) -> Sample<'static> {
    let hash = Mixer::new(seed).with(number);
    let draw = |which: u64, below: u64| hash.with(which).finish() % below;
    let pick = |which: u64, below: usize| usize::try_from(draw(which, below as u64)).unwrap();
    let v6 = draw(0, 3) == 0;
    let protocol = [6, 17, 1, 47][pick(1, 4)];
    let ported = protocol == 6 || protocol == 17;
    let port = |which| {
        ported
            .then(|| [53, 80, 123, 443, u16::try_from(1024 + draw(which + 50, 900)).unwrap()][pick(which, 5)])
    };
    let packets = 1 + draw(4, 9) * 1_000;
    Sample {
        at: START.plus(Span::from_nanos(draw(5, seconds * 1_000_000_000))),
        target: host(draw(6, 40), v6),
        foreign: host(draw(7, 700), v6),
        direction: if draw(8, 4) == 0 { Direction::Out } else { Direction::In },
        protocol,
        target_port: port(9),
        foreign_port: port(10),
        tcp_flags: (protocol == 6).then(|| u16::try_from(draw(11, 64)).unwrap()),
        class: CLASSES[pick(12, CLASSES.len())],
        packets,
        bytes: packets * (40 + draw(13, 1_460)),
        rate: (draw(14, 5) > 0).then_some(1_000),
        asn: (draw(15, 4) > 0).then(|| 64_496 + u32::try_from(draw(16, 16)).unwrap()),
        country: COUNTRIES[pick(17, 4)],
        attack: ATTACKS[pick(18, 4)],
        customer: CUSTOMERS[pick(19, 3)],
        exporter: host(draw(20, 3), false),
        input_if: (draw(21, 3) > 0).then(|| u32::try_from(draw(22, 4)).unwrap()),
        output_if: None,
    }
}

/// Records these, spilled in so many parts.
pub(crate) fn record(folder: &Folder, samples: &[Sample<'_>], parts: usize) -> Recorder {
    let mut recorder = Recorder::open(&folder.0, Spilling::default(), START).unwrap();
    for part in samples.chunks(samples.len().div_ceil(parts).max(1)) {
        part.iter().for_each(|sample| recorder.push(sample));
        recorder.spill(START).unwrap();
    }
    recorder
}
