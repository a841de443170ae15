//! Table P: packet samples of sFlow, IPFIX and NetFlow v9.

use telemetry::collector::Settings;
use telemetry::exporter;
use telemetry::record::Detail;

use crate::support::*;

fn sample(records: &[Vec<u8>]) -> Run {
    let mut run = Run::new();
    run.feed(&sflow(1, &[flow_sample((1, 1000), 1000, (7, 9), records)]));
    run
}

fn sampled_ipv4(length: u32, flags: u32) -> Vec<u8> {
    sflow_record(3, &words(&[length, 6, 0xc633_6407, 0xcb00_7109, 53, 12345, flags, 0]))
}

#[test]
fn p1_huawei_sends_three_records_for_one_packet_and_cuts_the_header() {
    let whole = frame(&[0x8100], 6, 0x12, &[0; 120]);
    let raw = raw_header(1, &whole[..52.min(whole.len())], 200);
    let ethernet = sflow_record(2, &words(&[182, 0, 0, 0, 0, 0x0800]));
    for records in
        [[raw.clone(), ethernet.clone(), sampled_ipv4(160, 0x12)], [sampled_ipv4(160, 0x12), ethernet, raw]]
    {
        let run = sample(&records);
        assert_eq!(run.told.len(), 1);
        let told = run.told[0];
        // One packet, with the raw header's frame length, and the flags that the cut took away.
        assert_eq!((told.packets, told.bytes, told.tcp_flags), (Some(1), Some(200), Some(0x12)));
        assert_eq!((told.src_port, told.dst_port), (Some(53), Some(12345)));
        let record = run.records[0].unwrap();
        assert_eq!((record.bytes, record.headers.tcp.unwrap().flags), (160, 0x12));
    }
}

#[test]
fn p2_brocade_pads_the_end_of_a_sample() {
    let header = raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let mut body = words(&[1, 7, 1000, 1000, 0, 7, 9, 1]);
    body.extend(&header);
    body.extend([0; 12]);
    let padded = sflow_record(1, &body);
    let mut run = Run::new();
    run.feed(&sflow(1, &[padded, flow_sample((2, 2000), 1000, (7, 9), &[header])]));
    assert_eq!(run.told.len(), 2);
    assert!(run.stats().faults.is_empty());
}

#[test]
fn p3_two_vlan_tags_of_one_type() {
    for tags in [vec![0x8100, 0x8100], vec![0x88a8, 0x8100], vec![0x9100, 0x8100]] {
        let run = sample(&[raw_header(1, &frame(&tags, 17, 0, b"abc"), 90)]);
        assert_eq!(run.told[0].dst_port, Some(12345), "{tags:x?}");
    }
}

#[test]
fn p4_nexus_samples_without_interfaces() {
    let header = raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let mut run = Run::new();
    run.feed(&sflow(1, &[flow_sample((1, 1), 1, (0x3fff_ffff, 0), &[header])]));
    assert_eq!((run.told[0].input_if, run.told[0].output_if), (None, Some(0)));
    assert_eq!(run.told.len(), 1);
}

#[test]
fn p5_discards_and_multiple_outputs_are_no_interfaces() {
    let header = || raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let expanded = |format: u32, value: u32| {
        let mut body = words(&[1, 0, 7, 1000, 1000, 0, 0, 7, format, value, 1]);
        body.extend(header());
        sflow_record(3, &body)
    };
    let mut run = Run::new();
    run.feed(&sflow(
        1,
        &[
            flow_sample((1, 1), 1, (7, 0x4000_0102), &[header()]),
            flow_sample((2, 2), 1, (7, 0x8000_0003), &[header()]),
            expanded(1, 0x102),
            expanded(2, 3),
            expanded(0, 70_000),
        ],
    ));
    let seen: Vec<_> = run.told.iter().map(|told| (told.output_if, told.dropped)).collect();
    assert_eq!(seen, [(None, true), (None, false), (None, true), (None, false), (Some(70_000), false)]);
}

#[test]
fn p6_a_lying_frame_length_does_not_reach_detection() {
    let run = sample(&[raw_header(1, &frame(&[], 17, 0, &[0; 50]), 9000)]);
    assert_eq!((run.told[0].bytes, run.records[0].unwrap().bytes), (Some(9000), 78));
}

#[test]
fn p7_later_fragments_have_no_ports() {
    let mut bytes = frame(&[], 17, 0, &[0; 50]);
    bytes[14 + 7] = 100;
    let run = sample(&[raw_header(1, &bytes, 92)]);
    assert_eq!((run.told[0].src_port, run.told[0].dst_port, run.told[0].protocol), (None, None, Some(17)));
    assert!(run.records[0].unwrap().headers.fragment.is_later());
}

#[test]
fn p8_ethernet_over_mpls_with_and_without_control_word() {
    let inner = frame(&[], 17, 0, b"abc");
    for word in [vec![], vec![0, 0, 0, 0]] {
        let mut outer = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x47];
        outer.extend([0, 1, 0, 64, 0, 2, 1, 64]);
        outer.extend(&word);
        outer.extend(&inner);
        let run = sample(&[raw_header(1, &outer, 128)]);
        assert_eq!(run.told[0].dst_port, Some(12345), "control word of {} octets", word.len());
    }
}

#[test]
fn p9_host_sflow_sends_sampled_ipv4_without_a_raw_header() {
    let run = sample(&[sampled_ipv4(1480, 0x10)]);
    let told = run.told[0];
    assert_eq!((told.packets, told.bytes, told.tcp_flags), (Some(1), Some(1480), Some(0x10)));
    assert_eq!(told.src, Some("198.51.100.7".parse().unwrap()));
    let record = run.records[0].unwrap();
    assert_eq!((record.detail, record.headers.ports), (Detail::Flow, Some((53, 12345))));
}

#[test]
fn p9_sampled_ipv6_too() {
    let mut body = words(&[120, 17]);
    body.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    body.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    body.extend(words(&[53, 4000, 0, 0]));
    let run = sample(&[sflow_record(4, &body)]);
    assert_eq!(run.told[0].dst, Some("2001:db8::2".parse().unwrap()));
    assert_eq!((run.told[0].src_port, run.told[0].tcp_flags), (Some(53), None));
}

#[test]
fn p10_all_samples_of_a_datagram_are_read() {
    let header = || raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let samples: Vec<_> = (1..=9).map(|n| flow_sample((n, n * 1000), 1000, (7, 9), &[header()])).collect();
    let mut run = Run::new();
    run.feed(&sflow(1, &samples));
    assert_eq!(run.told.len(), 9);
}

#[test]
fn p11_detection_gets_layer_3_octets_of_both() {
    let run = sample(&[raw_header(1, &frame(&[0x8100], 17, 0, &[0; 100]), 150)]);
    assert_eq!((run.told[0].bytes, run.records[0].unwrap().bytes), (Some(150), 128));
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &FLOW)), (256, flow(1, 128))]));
    assert_eq!((run.told[0].bytes, run.records[0].unwrap().bytes), (Some(128), 128));
    // Layer-2 counters of IPFIX are the only ones here: 18 octets of frame go off each packet.
    run.feed(&ipfix(
        1,
        &[
            (2, template(256, &[(8, 4), (12, 4), (2, 1), (352, 2)])),
            (256, vec![1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 0]),
        ],
    ));
    assert_eq!((run.told[1].bytes, run.records[1].unwrap().bytes), (Some(256), 220));
}

#[test]
fn discards_counters_and_unknown_samples_are_no_flows() {
    let mut discard = words(&[1, 0, 7, 0, 7, 9, 0x102, 1]);
    discard.extend(raw_header(1, &frame(&[], 17, 0, b"x"), 64));
    let expanded_counters = sflow_record(4, &words(&[1, 0, 7, 0]));
    let mut run = Run::new();
    let packet = frame(&[], 17, 0, b"x");
    let datagram =
        sflow(1, &[sflow_record(5, &discard), expanded_counters, sflow_record(0x1234_5001, &[0; 8])]);
    run.feed(&datagram);
    // It is a witness of what it was, as it stands in its datagram and for as long as that is the latest.
    let [latest] = run.collector.discards() else { panic!("{:?}", run.collector.discards()) };
    let raw = latest.raw.unwrap();
    assert_eq!((raw.octets(&datagram), latest.record.packets), (packet.as_slice(), 1));
    run.feed(&sflow(2, &[]));
    assert_eq!(run.collector.discards(), []);
    let stats = run.stats();
    assert_eq!(
        (stats.flows, stats.discard_samples, stats.counter_samples, stats.other_samples),
        (0, 1, 1, 1)
    );
    assert!(stats.faults.is_empty());
    // The reason of the discarded packet is an access list: it is kept for whoever follows what rules hit.
    let discards = run.collector.take_discards();
    assert_eq!(discards.iter().map(|discard| discard.reason).collect::<Vec<_>>(), [258]);
    assert!(run.collector.take_discards().is_empty());
}

#[test]
fn a_sample_that_is_no_ip_is_a_sample_all_the_same() {
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 8, 6]);
    arp.extend([0; 28]);
    let run = sample(&[raw_header(1, &arp, 64)]);
    assert_eq!((run.told.len(), run.told[0].src, run.told[0].bytes), (1, None, Some(64)));
    assert!(run.records[0].is_none());
}

#[test]
fn ipfix_315_is_a_packet() {
    let bytes = frame(&[0x8100], 6, 0x02, &[]);
    for (length, front) in
        [(0xffff, vec![u8::try_from(bytes.len()).unwrap()]), (u16::try_from(bytes.len()).unwrap(), vec![])]
    {
        let fields = [(10, 4), (14, 4), (312, 2), (315, length)];
        let mut data = words(&[7, 9]);
        data.extend([0, 200]);
        data.extend(&front);
        data.extend(&bytes);
        let mut run = Run::new();
        run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data)]));
        let told = run.told[0];
        assert_eq!((told.packets, told.bytes, told.tcp_flags), (Some(1), Some(200), Some(2)));
        assert_eq!((told.input_if, told.output_if, told.dst_port), (Some(7), Some(9), Some(12345)));
        let record = run.records[0].unwrap();
        assert_eq!((record.detail, record.bytes), (Detail::Packet, 40));
    }
}

#[test]
fn ipfix_313_and_netflow9_104_are_packets_too() {
    let mut run = Run::new();
    let ip = packet(17, 0, b"hello");
    let len = u16::try_from(ip.len()).unwrap();
    run.feed(&ipfix(1, &[(2, template(256, &[(313, len)])), (256, ip)]));
    let ethernet = frame(&[], 17, 0, b"hello");
    let len = u16::try_from(ethernet.len()).unwrap();
    run.feed(&netflow9(1, &[(0, template(256, &[(104, len)])), (256, ethernet)]));
    for told in &run.told {
        assert_eq!((told.packets, told.bytes, told.dst_port), (Some(1), Some(33), Some(12345)));
    }
    assert_eq!(run.told.len(), 2);
}

#[test]
fn the_packet_inside_a_tunnel_is_judged_where_the_operator_wants_it() {
    let inner = packet(6, 0x02, &[]);
    let mut outer = vec![0x45, 0, 0, 64, 0, 0, 0, 0, 64, 47, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 8, 0];
    outer.extend(inner);
    let datagram = sflow(1, &[flow_sample((1, 1), 1, (7, 9), &[raw_header(11, &outer, 64)])]);
    let default = exporter::Settings { inner: true, ..exporter::Settings::default() };
    let mut run = Run::with(Settings { default, ..Settings::default() });
    run.feed(&datagram);
    assert_eq!(run.told[0].protocol, Some(47));
    assert_eq!(run.records[0].unwrap().headers.dst_port(), Some(12345));
    let mut run = Run::new();
    run.feed(&datagram);
    assert_eq!(run.records[0].unwrap().headers.protocol, 47);
}

#[test]
fn ppp_mpls_and_bare_ip_headers_are_read() {
    let ip = packet(17, 0, b"x");
    let ppp = [vec![0xff, 3, 0, 0x21], ip.clone()].concat();
    let mpls = [vec![0, 1, 1, 64], ip.clone()].concat();
    for (protocol, bytes) in [(7, ppp), (11, ip), (13, mpls)] {
        let run = sample(&[raw_header(protocol, &bytes, 64)]);
        assert_eq!(run.told[0].dst_port, Some(12345), "header protocol {protocol}");
    }
}

#[test]
fn port_names_of_sflow_are_learned() {
    let name = [words(&[5]), b"swp12\0\0\0".to_vec()].concat();
    let sample = [words(&[1, 12, 1]), sflow_record(1005, &name)].concat();
    let mut run = Run::new();
    run.feed(&sflow(1, &[sflow_record(2, &sample)]));
    assert_eq!(run.collector.exporters().next().unwrap().names.get(12).unwrap().text, "swp12");
}

#[test]
fn interfaces_are_named_by_sflow_options_and_the_operator_in_rising_order() {
    let name_of = |run: &Run| run.collector.exporters().next().unwrap().names.get(12).unwrap().text.clone();
    let mut run = Run::new();
    let name = [words(&[5]), b"swp12\0\0\0".to_vec()].concat();
    let sample = [words(&[1, 12, 1]), sflow_record(1005, &name)].concat();
    run.feed(&sflow(1, &[sflow_record(2, &sample)]));
    assert_eq!(name_of(&run), "swp12");
    let options = [words(&[12]), b"et-0/0/1to transit".to_vec()].concat();
    run.feed(&netflow9(1, &[(1, options9(300, &[(2, 4)], &[(82, 8), (83, 10)])), (300, options)]));
    assert_eq!(name_of(&run), "et-0/0/1");
    run.collector.name_interface(EXPORTER, 12, "transit-1");
    run.feed(&netflow9(1, &[(300, [words(&[12]), b"et-0/0/2to transit".to_vec()].concat())]));
    assert_eq!(name_of(&run), "transit-1");
}
