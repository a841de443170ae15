//! Recorded packets with their ground truth, as `data/README.md` states it.

use std::fs::File;
use std::io::BufReader;
use std::net::IpAddr;
use std::path::PathBuf;

use base::Timestamp;
use detect::cell::Lasting;
use detect::class::Class;
use detect::signature::Sample;
use pcap_file::DataLink;
use telemetry::record::{Detail, Snip};
use wire::packet::{ICMP, Link, TCP, UDP, parse};

/// A packet and whether it is part of the attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) sample: Sample,
    pub(crate) attack: bool,
}

/// Folder of the recordings; `None` when they are not here.
pub(crate) fn folder() -> Option<PathBuf> {
    let path = std::env::var_os("SPILLWAY_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    // A second working copy beside the first lies one level deeper.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data");
    path.is_dir().then_some(path)
}

fn link(of: DataLink) -> Link {
    match of {
        DataLink::ETHERNET => Link::Ethernet,
        DataLink::NULL | DataLink::LOOP => Link::Null,
        DataLink::LINUX_SLL => Link::LinuxSll,
        DataLink::LINUX_SLL2 => Link::LinuxSll2,
        DataLink::PPP => Link::Ppp,
        _ => Link::Ip,
    }
}

/// Every IP packet of a capture.
pub(crate) fn read(path: &PathBuf) -> Vec<Sample> {
    let mut out = Vec::new();
    let mut add = |kind: DataLink, at: u64, bytes: &[u8], original: u32| {
        if let Ok(parsed) = parse(link(kind), bytes, original) {
            out.push(Sample {
                headers: parsed.headers,
                class: Class::OTHER,
                snip: Snip::of(parsed.payload),
                detail: Detail::Packet,
                several: false,
                at: Timestamp::from_nanos(at),
                last: Timestamp::from_nanos(at),
                packets: 1,
                bytes: u64::from(parsed.headers.length),
                entry: (0, None),
                outgoing: false,
                unsolicited: false,
                lasting: Lasting::default(),
                unscaled: false,
                doubtful: false,
            });
        }
    };
    let open = || BufReader::new(File::open(path).unwrap());
    if let Ok(mut pcap) = pcap_file::pcap::PcapReader::new(open()) {
        let kind = pcap.header().datalink;
        while let Some(Ok(p)) = pcap.next_packet() {
            add(kind, u64::try_from(p.timestamp.as_nanos()).unwrap(), &p.data, p.orig_len);
        }
        return out;
    }
    let mut pcap = pcap_file::pcapng::PcapNgReader::new(open()).unwrap();
    let mut kinds = Vec::new();
    while let Some(Ok(block)) = pcap.next_block() {
        use pcap_file::pcapng::Block;
        match block {
            Block::InterfaceDescription(i) => kinds.push(i.linktype),
            Block::EnhancedPacket(p) => {
                let at = u64::try_from(p.timestamp.as_nanos()).unwrap();
                add(kinds[p.interface_id as usize], at, &p.data, p.original_len);
            }
            _ => {}
        }
    }
    out
}

/// A recorded attack: its file, its victim, and which packets are the attack's.
pub(crate) struct Recording {
    pub(crate) file: &'static str,
    pub(crate) victim: IpAddr,
    pub(crate) is_attack: fn(&Sample) -> bool,
}

fn flags(s: &Sample) -> u16 {
    s.headers.tcp.map_or(0, |t| t.flags & 0x17)
}

fn syn(s: &Sample) -> bool {
    s.headers.protocol == TCP && flags(s) == 0x02
}

/// The HIGH and MEDIUM files of `data/attacks`.
pub(crate) fn recordings() -> Vec<Recording> {
    let v = |text: &str| text.parse::<IpAddr>().unwrap();
    vec![
        Recording { file: "tcp-syn-flood-spoofed-port25565.pcap", victim: v("10.10.10.10"), is_attack: syn },
        Recording {
            file: "tcp-synack-reflection.pcap",
            victim: v("10.10.10.10"),
            is_attack: |s| {
                let reflected = matches!(s.headers.src_port(), Some(80 | 443));
                (s.headers.protocol == TCP && reflected && (flags(s) == 0x12 || flags(s) & 0x04 != 0))
                    || s.headers.protocol == ICMP
            },
        },
        Recording {
            file: "udp-ike-natt4500-reflection.pcap",
            victim: v("10.10.10.10"),
            is_attack: |s| s.headers.src_port() == Some(4500),
        },
        Recording {
            file: "udp-snmp161-amplification.pcap",
            victim: v("10.10.10.10"),
            is_attack: |s| s.headers.src_port() == Some(161) || s.headers.protocol == ICMP,
        },
        Recording {
            file: "udp-dns-rrsig-amplification-fragmented-with-background.pcap",
            victim: v("10.10.10.10"),
            is_attack: |s| {
                s.headers.protocol == UDP
                    && (s.headers.fragment.is_later() || s.headers.ports == Some((53, 22)))
            },
        },
        Recording {
            file: "tcp-syn-flood-with-payload-100B.pcap",
            victim: v("10.0.1.12"),
            is_attack: |s| syn(s) && s.headers.length > 100,
        },
        Recording {
            file: "tcp-syn-flood-cicddos2019-twoway.pcap",
            victim: v("192.168.50.4"),
            is_attack: syn,
        },
        Recording { file: "tcp-syn-flood-single-source-90kpps.pcap", victim: v("10.42.0.2"), is_attack: syn },
        Recording { file: "tcp-ip-fragment-garbage.pcap", victim: v("10.128.0.2"), is_attack: |_| true },
    ]
}

/// The packets to the victim, with their truth.
pub(crate) fn load(folder: &std::path::Path, recording: &Recording) -> Vec<Packet> {
    read(&folder.join("attacks").join(recording.file))
        .into_iter()
        .filter(|s| s.headers.dst == recording.victim)
        .map(|sample| Packet { sample, attack: (recording.is_attack)(&sample) })
        .collect()
}

/// Honest packets to the busiest address of a capture, as if to `victim`.
pub(crate) fn honest(path: &PathBuf, victim: IpAddr) -> Vec<Packet> {
    let all = read(path);
    let mut hosts: Vec<IpAddr> =
        all.iter().flat_map(|s| [s.headers.src, s.headers.dst]).filter(IpAddr::is_ipv4).collect();
    hosts.sort_unstable();
    let mut best = (0, None);
    for group in hosts.chunk_by(|a, b| a == b) {
        if group.len() > best.0 {
            best = (group.len(), group.first().copied());
        }
    }
    all.into_iter()
        .filter(|s| Some(s.headers.dst) == best.1)
        .map(|mut sample| {
            sample.headers.dst = victim;
            Packet { sample, attack: false }
        })
        .collect()
}
