//! Prints what the engine finds in captures: for work on detection.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a tool of its developers, who may see it fail"
)]

use base::{Timestamp, map::Seed};
use engine::{Output, Profile, Replay, Settings};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::fs::File;
use telemetry::Record;
use wire::packet::{Link, parse};

fn link(d: DataLink) -> Option<Link> {
    match u32::from(d) {
        1 => Some(Link::Ethernet),
        0 | 108 => Some(Link::Null),
        101 | 12 | 14 | 228 | 229 => Some(Link::Ip),
        113 => Some(Link::LinuxSll),
        276 => Some(Link::LinuxSll2),
        9 | 50 => Some(Link::Ppp),
        _ => None,
    }
}
fn main() {
    let verbose = std::env::var("V").is_ok();
    for path in std::env::args().skip(1) {
        let mut replay = Replay::new(
            Settings::of(Profile::Capture),
            std::env::var("SHARDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1),
            &Seed::new(1),
        );
        let mut n = 0u64;
        let mut feed = |replay: &mut Replay, at: u64, data: &[u8], len: u32, l: Link| {
            n += 1;
            if let Ok(p) = parse(l, data, len) {
                replay.record(&Record::packet(Timestamp::from_nanos(at), &p));
            }
        };
        if std::fs::read(&path).unwrap().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            let mut r = PcapNgReader::new(File::open(&path).unwrap()).unwrap();
            let mut links = vec![];
            while let Some(Ok(b)) = r.next_block() {
                match b {
                    Block::InterfaceDescription(i) => links.push(link(i.linktype).unwrap_or(Link::Ethernet)),
                    Block::EnhancedPacket(p) => feed(
                        &mut replay,
                        p.timestamp.as_nanos() as u64,
                        &p.data,
                        p.original_len,
                        links[p.interface_id as usize],
                    ),
                    _ => {}
                }
            }
        } else {
            let mut r = PcapReader::new(File::open(&path).unwrap()).unwrap();
            let l = link(r.header().datalink).unwrap_or(Link::Ethernet);
            while let Some(Ok(p)) = r.next_packet() {
                feed(&mut replay, p.timestamp.as_nanos() as u64, &p.data, p.orig_len, l);
            }
        }
        replay.finish();
        let mut last = std::collections::BTreeMap::new();
        while let Some(Output::Attack { attack, .. }) = replay.poll_output() {
            last.insert(attack.id.clone(), attack);
        }
        println!("{} {} packets: {} incidents", path.rsplit('/').next().unwrap(), n, last.len());
        for a in last.values() {
            println!(
                "   {:?} {} {:?} pps {} bps {} packets {} src {} {:?} det+{}ms",
                a.severity,
                a.target,
                a.vectors
                    .iter()
                    .map(|v| format!("{} {:.3} {:?}>{:?}", v.name, v.share, v.src_port, v.dst_port))
                    .collect::<Vec<_>>(),
                a.peak_pps,
                a.peak_bps,
                a.packets,
                a.sources.count,
                a.sources.nature,
                a.detected_at.since(a.started_at).nanos() / 1_000_000
            );
            if a.targets.len() > 1 {
                println!("      targets {:?}", a.targets.iter().map(|t| t.to_string()).collect::<Vec<_>>());
            }
            for r in &a.rules {
                println!(
                    "      {} {:?}",
                    r.text,
                    r.collateral.map(|c| (c.packets, c.packets_upper95, c.peers_upper95))
                );
            }
            if verbose {
                for e in &a.explain {
                    println!("      {e}");
                }
            }
        }
    }
}
