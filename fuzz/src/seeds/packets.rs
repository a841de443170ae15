//! Frames and capture files.

use std::net::IpAddr;

use wire::emit::packet::{Ethernet, Extra, ethernet, ip};
use wire::packet::{Fragment, GRE, Headers, ICMP, IPV4_IN_IP, Link, TCP, Tcp, UDP, flags};

/// What the first octet of an input chooses from.
pub const LINKS: &[Link] =
    &[Link::Ethernet, Link::Ip, Link::Null, Link::LinuxSll, Link::LinuxSll2, Link::Ppp, Link::Mpls];

/// Frames behind an octet that chooses the link type.
pub fn packets() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for headers in some_headers() {
        let mut frame = vec![0];
        ethernet(
            &mut frame,
            &Ethernet { vlan: Some(7), ..Ethernet::default() },
            &headers,
            Extra::default(),
            b"GET /",
            128,
        );
        seeds.push(frame);
        let mut bare = vec![1];
        ip(&mut bare, &headers, Extra::default(), b"GET /", 128);
        for (link, front) in [(2u8, &[2, 0, 0, 0][..]), (5, &[0xff, 3, 0, 0x21]), (6, &[0, 0x01, 0x01, 64])] {
            seeds.push([&[link], front, bare.get(1..).unwrap_or_default()].concat());
        }
        let inner = bare.get(1..).unwrap_or_default().to_vec();
        for (protocol, front) in [(IPV4_IN_IP, &[][..]), (GRE, &[0, 0, 8, 0])] {
            let mut tunnel = vec![1];
            let outer = Headers { protocol, ports: None, tcp: None, icmp: None, length: 200, ..headers };
            ip(&mut tunnel, &outer, Extra::default(), &[front, &inner].concat(), 200);
            seeds.push(tunnel);
        }
        seeds.push(bare);
    }
    seeds
}

/// A pcap of each byte order and clock, and a pcapng.
pub fn captures() -> Vec<Vec<u8>> {
    let frames: Vec<Vec<u8>> =
        packets().iter().filter_map(|seed| seed.strip_prefix(&[0])).map(<[u8]>::to_vec).collect();
    let little = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let big = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let mut seeds = Vec::new();
    for (magic, write) in
        [(0xa1b2_c3d4, &little as &dyn Fn(&[u32]) -> Vec<u8>), (0xa1b2_3c4d, &little), (0xa1b2_c3d4, &big)]
    {
        // version 2.4: two 16-bit numbers in one word
        let version = if write(&[1]).first() == Some(&1) { 0x0004_0002 } else { 0x0002_0004 };
        let mut file = write(&[magic, version, 0, 0, 65_535, 1]);
        for (second, frame) in (1..).zip(frames.iter().take(5)) {
            let len = u32::try_from(frame.len()).unwrap_or(0);
            file.extend(write(&[second, 7, len, len]));
            file.extend(frame);
        }
        seeds.push(file);
    }
    let mut pcapng = little(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28, 1, 20, 1, 65_535, 20]);
    for frame in frames.iter().take(5) {
        let len = u32::try_from(frame.len()).unwrap_or(0);
        let whole = 32 + len.next_multiple_of(4);
        pcapng.extend(little(&[6, whole, 0, 0, 1_000_000, len, len]));
        pcapng.extend(frame);
        pcapng.resize(pcapng.len().next_multiple_of(4), 0);
        pcapng.extend(little(&[whole]));
    }
    seeds.push(pcapng);
    seeds
}

fn some_headers() -> Vec<Headers> {
    let addr = |text: &str| text.parse::<IpAddr>().expect("a literal");
    let v4 = Headers {
        src: addr("192.0.2.1"),
        dst: addr("198.51.100.2"),
        protocol: UDP,
        length: 90,
        ttl: 64,
        dscp: 0,
        fragment: Fragment::default(),
        ports: Some((53, 4000)),
        icmp: None,
        tcp: None,
        payload_len: Some(62),
    };
    let tcp = Some(Tcp { flags: flags::SYN, window: 1000, options_len: 12 });
    let later = Fragment { offset: 185, more: true, dont: false };
    vec![
        v4,
        Headers { protocol: TCP, tcp, ..v4 },
        Headers { protocol: ICMP, ports: None, icmp: Some((3, 3)), ..v4 },
        Headers { fragment: later, ports: None, payload_len: None, ..v4 },
        Headers { src: addr("2001:db8::1"), dst: addr("2001:db8::2"), ..v4 },
        Headers { src: addr("2001:db8::1"), dst: addr("2001:db8::2"), protocol: TCP, tcp, ..v4 },
        Headers {
            src: addr("2001:db8::1"),
            dst: addr("2001:db8::2"),
            fragment: later,
            ports: None,
            payload_len: None,
            ..v4
        },
    ]
}
