//! Reading and writing captures.

use base::Timestamp;
use spillway::capture::{Capture, CaptureError, Writer};

use crate::support::{Scratch, block, data, pcap, udp};

type Stored = (u64, u32, Vec<u8>);

fn read_all(bytes: &[u8]) -> (Vec<Stored>, Option<CaptureError>) {
    let mut capture = match Capture::read("test", Box::new(std::io::Cursor::new(bytes.to_vec()))) {
        Ok(capture) => capture,
        Err(e) => return (Vec::new(), Some(e)),
    };
    let mut packets = Vec::new();
    loop {
        match capture.next() {
            Ok(Some(p)) => packets.push((p.at.nanos(), p.original_len, p.bytes.to_vec())),
            Ok(None) => return (packets, None),
            Err(e) => return (packets, Some(e)),
        }
    }
}

#[test]
fn every_recorded_capture_has_the_packets_its_table_says() {
    let Some(data) = data() else { return };
    let readme = std::fs::read_to_string(data.join("README.md")).unwrap();
    let mut checked = 0;
    for line in readme.lines().filter(|l| l.starts_with("| ") && l.contains(".pcap")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(path) =
            ["attacks", "benign"].iter().map(|dir| data.join(dir).join(cells[1])).find(|p| p.is_file())
        else {
            continue;
        };
        let expected: u64 = cells.get(8).filter(|_| cells.len() > 8).unwrap_or(&cells[2]).parse().unwrap();
        let mut capture = Capture::open(&path).unwrap();
        let (mut count, mut parsed) = (0, 0);
        while let Some(packet) = capture.next().unwrap_or_else(|e| panic!("{e}")) {
            count += 1;
            parsed += u64::from(packet.parse().is_some());
        }
        assert_eq!(count, expected, "{}", path.display());
        assert!(parsed * 10 >= count * 8, "{}: only {parsed} of {count} are IP", path.display());
        checked += 1;
    }
    assert!(checked > 40, "{checked} captures");
}

#[test]
fn microseconds_and_nanoseconds_in_both_byte_orders() {
    for (magic, big, nanos) in [
        ([0xa1, 0xb2, 0xc3, 0xd4], true, 7000),
        ([0xd4, 0xc3, 0xb2, 0xa1], false, 7000),
        ([0xa1, 0xb2, 0x3c, 0x4d], true, 7),
        ([0x4d, 0x3c, 0xb2, 0xa1], false, 7),
    ] {
        let u32_of = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut file = magic.to_vec();
        for field in [if big { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 65_535, 101, 9, 7, 3, 60] {
            file.extend(u32_of(field));
        }
        file.extend([1, 2, 3]);
        assert_eq!(read_all(&file), (vec![(9_000_000_000 + nanos, 60, vec![1, 2, 3])], None));
    }
}

#[test]
fn pcapng_interfaces_have_their_own_link_and_clock() {
    for big in [false, true] {
        let u16_of = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let u32_of = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let u64_of = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let interface = |link: u16, options: &[u8]| {
            block(big, 1, &[&u16_of(link)[..], &[0, 0], &u32_of(0), options].concat())
        };
        let option = |code: u16, value: &[u8]| {
            let mut padded = value.to_vec();
            padded.resize(value.len().next_multiple_of(4), 0);
            [&u16_of(code)[..], &u16_of(u16::try_from(value.len()).unwrap()), &padded].concat()
        };
        let packet = |id: u32, units: u64, data: &[u8]| {
            let len = u32_of(u32::try_from(data.len()).unwrap());
            let high = u32_of(u32::try_from(units >> 32).unwrap());
            let low = u32_of(u32::try_from(units & 0xffff_ffff).unwrap());
            let mut padded = data.to_vec();
            padded.resize(data.len().next_multiple_of(4), 0);
            block(big, 6, &[&u32_of(id)[..], &high, &low, &len, &u32_of(90), &padded, &[0; 4]].concat())
        };
        let section =
            block(big, 0x0a0d_0d0a, &[&u32_of(0x1a2b_3c4d)[..], &u16_of(1), &[0, 0], &[0xff; 8]].concat());
        let file = [
            section.clone(),
            interface(1, &[]),
            // A name that is not UTF-8, nanoseconds, an hour's offset.
            interface(101, &[option(2, &[0xff, 0xfe]), option(9, &[9]), option(14, &u64_of(3600))].concat()),
            interface(101, &option(9, &[0x80 | 10])),
            block(big, 5, &[0; 12]),
            packet(0, 1_000_001, b"abcd"),
            packet(1, 17, b"efg"),
            packet(2, 1536, b""),
            block(big, 3, &[&u32_of(5)[..], b"hijkl"].concat()),
            // A new section forgets the interfaces.
            section,
            interface(101, &[]),
            packet(0, 2_000_000, b"m"),
        ]
        .concat();
        let (packets, error) = read_all(&file);
        assert_eq!(error, None);
        let expected: [(u64, u32, &[u8]); 5] = [
            (1_000_001_000, 90, b"abcd"),
            (3_600_000_000_017, 90, b"efg"),
            (1_500_000_000, 90, b""),
            (1_500_000_000, 5, b"hijkl"),
            (2_000_000_000, 90, b"m"),
        ];
        let expected = expected.map(|(at, len, bytes)| (at, len, bytes.to_vec()));
        assert_eq!(packets, expected);
    }
}

#[test]
fn a_cut_at_each_octet_gives_the_whole_packets_before_it() {
    let packets: Vec<_> = (1..4).map(|n| udp(&vec![7; n])).collect();
    let whole = pcap(101, &packets);
    for cut in 24..whole.len() {
        let (got, error) = read_all(&whole[..cut]);
        let ends: Vec<usize> = packets
            .iter()
            .scan(24, |at, p| {
                *at += 16 + p.len();
                Some(*at)
            })
            .collect();
        assert_eq!(got.len(), ends.iter().filter(|e| **e <= cut).count());
        assert_eq!(error.is_none(), cut == 24 || ends.contains(&cut), "cut at {cut}");
        if let Some(error) = error {
            assert!(error.to_string().contains(&format!("at packet {}", got.len() + 1)), "{error}");
        }
    }
}

#[test]
fn noise_is_refused_without_a_panic() {
    let whole = pcap(101, &[udp(b"one"), udp(b"two")]);
    for at in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut noisy = whole.clone();
            noisy[at] = value;
            let _ = read_all(&noisy);
        }
    }
}

#[test]
fn a_written_capture_reads_back_as_it_was() {
    let scratch = Scratch::new("writer");
    let path = scratch.path("out.pcapng");
    let source = pcap(101, &[udp(b"one"), udp(b"three"), udp(b"")]);
    let mut capture = Capture::read("test", Box::new(std::io::Cursor::new(source.clone()))).unwrap();
    let mut writer = Writer::create(&path).unwrap();
    while let Some(packet) = capture.next().unwrap() {
        writer.write(&packet).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(read_all(&std::fs::read(&path).unwrap()), read_all(&source));
    assert_eq!(read_all(&source).0[1].0, Timestamp::from_secs(1_700_000_000).nanos() + 1_000_000);
}

#[test]
fn traffic_is_told_from_reports_about_traffic() {
    use spillway::capture::content::{self, Content};
    let Some(data) = data() else { return };
    for (dir, expected) in [
        ("attacks", Content::Packets),
        ("benign", Content::Packets),
        ("bgp/bgp-rs", Content::Packets),
        ("flows/logstash", Content::FlowExport),
        ("flows/netgauze", Content::FlowExport),
        ("flows/ndpi", Content::FlowExport),
        ("flows/tcpdump", Content::FlowExport),
    ] {
        for entry in std::fs::read_dir(data.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            let known = ["pcap", "pcapng", "cap", "dat"];
            if path.extension().is_some_and(|e| known.iter().any(|k| e == *k)) {
                assert_eq!(content::of(&path).unwrap(), expected, "{}", path.display());
            }
        }
    }
}

#[test]
fn an_export_datagram_in_fragments_is_decoded_as_one() {
    let scratch = Scratch::new("fragments");
    // 3 flows of NetFlow v5: 24 + 144 octets, cut behind 64 and 128 octets of UDP; the last piece comes first.
    let mut export = vec![0, 5, 0, 3];
    export.resize(24 + 3 * 48, 0);
    for flow in 0..3 {
        export[24 + 48 * flow + 19] = 1;
        export[24 + 48 * flow + 23] = 60;
    }
    let whole = udp(&export);
    let body = &whole[20..];
    let fragment = |id: u8, start: usize, end: usize| {
        let mut packet = whole[..20].to_vec();
        packet[3] = u8::try_from(20 + end - start).unwrap();
        packet[5] = id;
        packet[6] = if end < body.len() { 0x20 } else { 0 };
        packet[7] = u8::try_from(start / 8).unwrap();
        packet.extend(&body[start..end]);
        packet
    };
    let pieces = [
        fragment(1, 128, body.len()),
        fragment(2, 0, 64),
        fragment(1, 0, 64),
        fragment(1, 64, 128),
        fragment(2, 64, 128),
    ];
    let file = scratch.file("fragments.pcap", &pcap(101, &pieces));
    let lines = crate::support::json_lines(&crate::support::spillway(["decode", &file, "-o", "jsonl"]));
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["datagrams"], 1);
}
