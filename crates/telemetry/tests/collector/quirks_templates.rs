//! Table T: templates, records and times.

use base::Span;
use telemetry::told::Format;

use crate::support::*;

#[test]
fn t1_ixia_pads_template_sets_with_four_to_seven_zeros() {
    for padding in 4..=7 {
        let mut set = template(256, &FLOW);
        set.extend(vec![0; padding]);
        let mut run = Run::new();
        run.feed(&ipfix(1, &[(2, set), (256, flow(2, 100))]));
        assert_eq!(run.told.len(), 1, "{padding}");
        assert!(run.stats().faults.is_empty());
    }
}

#[test]
fn t2_no_padding_at_all() {
    let mut run = Run::new();
    // Records of 21 octets, so that nothing is aligned.
    run.feed(&netflow9(1, &[(0, template(256, &FLOW)), (256, flow(1, 60)), (256, flow(2, 90))]));
    assert_eq!(run.told.len(), 2);
    assert!(run.stats().faults.is_empty());
}

fn variable_template() -> Vec<u8> {
    template(256, &flow_and(&[(82, 0xffff)]))
}

#[test]
fn t3_two_octets_of_padding_behind_variable_length_records() {
    let mut body = record_and(&[3, b'x', b'e', b'0']);
    body.extend([0, 0]);
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, variable_template()), (256, body)]));
    assert_eq!(run.told.len(), 1);
    assert!(run.stats().faults.is_empty());
    // Even where the shortest record is not longer than the padding.
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(257, &[(1, 1), (82, 0xffff)])), (257, vec![9, 1, b'a', 0, 0])]));
    assert_eq!(run.told.len(), 1);
}

#[test]
fn t4_juniper_ptx_long_lengths_even_for_short_fields_and_several_flows() {
    let mut body = record_and(&[255, 0, 3, b'x', b'e', b'0']);
    body.extend(record_and(&[255, 0, 0]));
    body.extend(record_and(&[0]));
    body.extend(flow(9, 900));
    body.extend([255, 1, 44]);
    body.extend([b'y'; 300]);
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, variable_template()), (256, body)]));
    assert_eq!(run.told.len(), 4);
    assert_eq!(run.told[3].bytes, Some(900));
    assert!(run.stats().faults.is_empty());
}

#[test]
fn t5_a_template_changes_without_withdrawal() {
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &FLOW)), (256, flow(1, 60))]));
    run.feed(&ipfix(1, &[(2, template(256, &[(1, 2), (8, 4)])), (256, vec![0, 99, 10, 0, 0, 1])]));
    assert_eq!(run.told[1].bytes, Some(99));
    assert_eq!(run.told[1].dst, None);
    assert_eq!((run.stats().templates, run.stats().templates_redefined), (1, 1));
}

#[test]
fn t6_one_id_in_two_domains() {
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &FLOW))]));
    run.feed(&ipfix(2, &[(2, template(256, &[(2, 4), (1, 4)]))]));
    run.feed(&ipfix(1, &[(256, flow(1, 60))]));
    run.feed(&ipfix(2, &[(256, words(&[7, 700]))]));
    assert_eq!((run.told[0].domain, run.told[0].bytes), (1, Some(60)));
    assert_eq!((run.told[1].domain, run.told[1].packets, run.told[1].bytes), (2, Some(7), Some(700)));
    assert_eq!(run.stats().templates, 2);
}

#[test]
fn t6_one_id_at_two_exporters() {
    let mut run = Run::new();
    let other = "2001:db8::1".parse().unwrap();
    run.feed(&netflow9(1, &[(0, template(256, &FLOW))]));
    run.feed_from(NOW, other, &netflow9(1, &[(256, flow(1, 60))]));
    assert!(run.told.is_empty());
    assert_eq!(run.stats().buffered_bytes, 21);
}

#[test]
fn t7_cisco_asa_counts_both_directions_in_one_record() {
    let fields = [
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (10, 2),
        (14, 2),
        (4, 1),
        (233, 1),
        (298, 4),
        (299, 4),
        (231, 4),
        (232, 4),
    ];
    let record = |numbers: [u32; 4]| {
        let mut out = vec![10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 1, 0xbb, 0, 3, 0, 4, 6, 2];
        out.extend(words(&numbers));
        out
    };
    let mut run = Run::new();
    let data = [record([5, 8, 500, 9000]), record([0, 0, 0, 0])].concat();
    run.feed(&netflow9(1, &[(0, template(263, &fields)), (263, data)]));
    assert_eq!(run.told.len(), 3);
    let (forward, reverse, silent) = (run.told[0], run.told[1], run.told[2]);
    assert_eq!((forward.packets, forward.bytes, forward.src_port), (Some(5), Some(500), Some(12345)));
    assert_eq!((reverse.packets, reverse.bytes, reverse.src_port), (Some(8), Some(9000), Some(443)));
    assert_eq!((reverse.src, reverse.dst), (forward.dst, forward.src));
    assert_eq!((reverse.input_if, reverse.output_if), (Some(4), Some(3)));
    assert_eq!((silent.packets, silent.bytes), (Some(0), Some(0)));
}

#[test]
fn t7_an_event_without_counters_is_no_flow() {
    let fields = [(8, 4), (12, 4), (225, 4), (226, 4), (233, 1)];
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &fields)), (256, vec![1; 17])]));
    assert!(run.told.is_empty());
    assert_eq!((run.stats().flows, run.stats().events), (0, 1));
    let nat = [(8, 4), (225, 4), (7, 2), (227, 2), (230, 1)];
    run.feed(&ipfix(1, &[(2, template(256, &nat)), (256, vec![1; 13])]));
    assert_eq!((run.stats().flows, run.stats().events), (0, 2));
}

#[test]
fn rfc5103_a_biflow_is_two_records_forward_first() {
    let mut set = shorts(&[256, 9]);
    for (element, length) in FLOW {
        set.extend(shorts(&[element, length]));
    }
    for element in [2u16, 1] {
        set.extend(shorts(&[0x8000 | element, 4]));
        set.extend(words(&[29305]));
    }
    let mut run = Run::new();
    let data = [record_and(&words(&[4, 4000])), record_and(&words(&[0, 0]))].concat();
    run.feed(&ipfix(1, &[(2, set), (256, data)]));
    assert_eq!(run.told.len(), 3, "a direction without traffic is no flow");
    assert_eq!((run.told[0].packets, run.told[0].bytes), (Some(3), Some(1500)));
    assert_eq!((run.told[1].packets, run.told[1].bytes), (Some(4), Some(4000)));
    assert_eq!((run.told[1].src_port, run.told[1].dst_port), (run.told[0].dst_port, run.told[0].src_port));
}

#[test]
fn t8_a_malformed_options_template_costs_only_itself() {
    // ipt_NETFLOW: five scopes announced in a set that has room for fewer.
    let mut run = Run::new();
    run.feed(&netflow9(
        1,
        &[(1, shorts(&[257, 20, 4, 1, 4])), (0, template(256, &FLOW)), (256, flow(1, 60))],
    ));
    assert_eq!(run.told.len(), 1);
    assert_eq!(run.stats().options_templates, 0);
    assert_eq!(run.stats().faults.of("template"), 1);
}

#[test]
fn t9_options_templates_of_scopes_only_and_without_scopes_are_taken() {
    let mut run = Run::new();
    run.feed(&ipfix(
        1,
        &[(3, options10(257, 2, &[(10, 4), (82, 8)])), (257, [words(&[5]), b"Ethernet".to_vec()].concat())],
    ));
    run.feed(&ipfix(
        1,
        &[(3, options10(258, 0, &[(10, 4), (82, 8)])), (258, [words(&[6]), b"Ethernex".to_vec()].concat())],
    ));
    assert_eq!((run.stats().options_templates, run.stats().options_records), (2, 2));
    let view = run.collector.exporters().next().unwrap();
    assert_eq!(view.names.get(5).unwrap().text, "Ethernet");
    assert_eq!(view.names.get(6).unwrap().text, "Ethernex");
}

#[test]
fn t10_options_that_run_over_their_set_cost_only_themselves() {
    let mut run = Run::new();
    let body = vec![1, 2, 3];
    run.feed(&netflow9(
        1,
        &[
            (1, options9(257, &[(1, 4)], &[(95, 4), (96, 64)])),
            (257, body),
            (0, template(256, &FLOW)),
            (256, flow(1, 60)),
        ],
    ));
    assert_eq!(run.told.len(), 1);
    assert_eq!((run.stats().options_records, run.stats().undecodable_bytes), (0, 3));
    assert_eq!(run.stats().faults.of("record"), 1);
}

#[test]
fn t10_a_set_that_runs_over_its_message_gives_what_is_there() {
    let mut message = netflow9(1, &[(0, template(256, &FLOW)), (256, flow(1, 60))]);
    let len = message.len();
    message[len - 23] = 200;
    let mut run = Run::new();
    run.feed(&message);
    assert_eq!(run.told.len(), 1);
    assert_eq!(run.stats().faults.of("set_length"), 1);
}

#[test]
fn t11_pensando_ports_in_four_octets() {
    let fields = [(8, 4), (12, 4), (7, 4), (11, 4), (4, 1), (2, 4), (1, 4)];
    let mut run = Run::new();
    let mut data = vec![10, 0, 0, 1, 10, 0, 0, 2];
    data.extend(words(&[443, 50_000]));
    data.push(6);
    data.extend(words(&[1, 60]));
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data)]));
    assert_eq!((run.told[0].src_port, run.told[0].dst_port), (Some(443), Some(50_000)));
}

#[test]
fn t12_forwarding_status_in_four_octets() {
    for (status, dropped) in [(vec![0, 0, 0, 0x40], false), (vec![0, 0, 0, 0x80], true), (vec![0x8a], true)] {
        let mut run = Run::new();
        let fields = flow_and(&[(89, u16::try_from(status.len()).unwrap())]);
        run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, record_and(&status))]));
        assert_eq!(run.told[0].dropped, dropped, "{status:?}");
    }
}

#[test]
fn t13_permanent_counters_serve_where_there_are_no_others() {
    let mut run = Run::new();
    let fields = [(8, 4), (12, 4), (86, 8), (85, 8)];
    let mut data = vec![10, 0, 0, 1, 10, 0, 0, 2];
    data.extend([0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 4, 0]);
    run.feed(&netflow9(1, &[(0, template(256, &fields)), (256, data.clone())]));
    assert_eq!((run.told[0].packets, run.told[0].bytes), (Some(12), Some(1024)));
    // Next to deltas they are not looked at.
    let fields = [(8, 4), (12, 4), (86, 8), (85, 8), (2, 1), (1, 1)];
    data.extend([3, 180]);
    run.feed(&netflow9(1, &[(0, template(257, &fields)), (257, data)]));
    assert_eq!((run.told[1].packets, run.told[1].bytes), (Some(3), Some(180)));
}

#[test]
fn counters_after_the_router_serve_only_alone() {
    let mut run = Run::new();
    let data = vec![10, 0, 0, 1, 9, 90];
    run.feed(&netflow9(1, &[(0, template(256, &[(8, 4), (24, 1), (23, 1)])), (256, data)]));
    assert_eq!((run.told[0].packets, run.told[0].bytes), (Some(9), Some(90)));
    let data = vec![10, 0, 0, 1, 9, 90, 8, 80];
    run.feed(&netflow9(1, &[(0, template(257, &[(8, 4), (24, 1), (23, 1), (2, 1), (1, 1)])), (257, data)]));
    assert_eq!((run.told[1].packets, run.told[1].bytes), (Some(8), Some(80)));
}

fn both_families(v4: [u8; 8], v6: [u8; 32]) -> telemetry::Told {
    let fields = [(27, 16), (28, 16), (8, 4), (12, 4), (61, 1), (2, 1), (1, 1)];
    let mut run = Run::new();
    let data = [v6.to_vec(), v4.to_vec(), vec![255, 1, 60]].concat();
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data)]));
    assert_eq!(run.records[0].unwrap().observed, telemetry::record::Observed::Unknown);
    run.told[0]
}

#[test]
fn t14_juniper_sends_both_families_and_direction_255() {
    let told = both_families([10, 0, 0, 1, 10, 0, 0, 2], [0; 32]);
    assert_eq!(told.src, Some("10.0.0.1".parse().unwrap()));
    let mut v6 = [0; 32];
    v6[15] = 1;
    v6[31] = 2;
    let told = both_families([0; 8], v6);
    assert_eq!((told.src, told.dst), (Some("::1".parse().unwrap()), Some("::2".parse().unwrap())));
}

#[test]
fn t15_juniper_says_drop_by_no_interface_and_no_next_hop() {
    let fields = flow_and(&[(14, 4), (15, 4), (18, 4)]);
    let mut run = Run::new();
    let data = [record_and(&words(&[0, 0, 0x0a00_0001])), record_and(&words(&[5, 0x0a00_0001, 0x0a00_0001]))]
        .concat();
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data)]));
    assert_eq!(run.told.iter().map(|told| told.dropped).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn t19_the_count_of_v9_is_not_believed() {
    for count in [0u16, 1, 999] {
        let mut message =
            netflow9(1, &[(0, template(256, &FLOW)), (256, [flow(1, 60), flow(2, 90)].concat())]);
        message[2..4].copy_from_slice(&count.to_be_bytes());
        let mut run = Run::new();
        run.feed(&message);
        assert_eq!(run.told.len(), 2, "{count}");
    }
}

#[test]
fn t20_of_the_same_field_twice_the_first_counts() {
    let mut run = Run::new();
    run.feed(&netflow9(
        1,
        &[(0, template(256, &[(8, 4), (1, 1), (2, 1), (1, 1)])), (256, vec![10, 0, 0, 1, 60, 1, 99])],
    ));
    assert_eq!(run.told[0].bytes, Some(60));
}

#[test]
fn t21_routeros_icmp_without_type_and_code_is_still_icmp() {
    let mut run = Run::new();
    let mut data = flow(1, 84);
    data[8..13].copy_from_slice(&[0, 0, 0, 0, 1]);
    run.feed(&netflow9(1, &[(0, template(256, &FLOW)), (256, data.clone())]));
    let record = run.records[0].unwrap();
    assert_eq!((record.headers.protocol, record.headers.ports), (1, None));
    // Others write type and code into the destination port.
    data[10..12].copy_from_slice(&[3, 1]);
    run.feed(&netflow9(1, &[(256, data)]));
    assert_eq!(run.records[1].unwrap().headers.icmp, Some((3, 1)));
    assert_eq!(run.told[1].dst_port, Some(0x0301));
}

#[test]
fn t22_t23_templates_that_are_hardly_ever_repeated_stay() {
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &FLOW))]));
    for hour in 1..=40 {
        let at = NOW.plus(Span::from_secs(hour * 3600 * 20));
        run.feed_from(at, EXPORTER, &netflow9(1, &[(256, flow(1, 60))]));
    }
    assert_eq!(run.told.len(), 40);
    let late = NOW.plus(Span::from_secs(60 * 86_400));
    run.feed_from(late, EXPORTER, &netflow9(1, &[(256, flow(1, 60))]));
    assert_eq!((run.told.len(), run.stats().templates_expired), (40, 1));
}

#[test]
fn data_before_its_template_waits_and_is_told_in_order() {
    let mut run = Run::new();
    // In the same message, and messages before.
    run.feed(&ipfix(1, &[(256, flow(1, 60))]));
    run.feed(&ipfix(1, &[(256, flow(2, 90))]));
    assert_eq!(run.stats().buffered_bytes, 42);
    run.feed(&ipfix(1, &[(256, flow(3, 120)), (2, template(256, &FLOW))]));
    assert_eq!(run.told.iter().map(|told| told.packets).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let stats = run.stats();
    assert_eq!((stats.buffered_bytes, stats.undecodable_bytes, stats.sets_replayed), (0, 0, 3));
}

#[test]
fn data_whose_template_never_comes_is_given_up_after_a_while() {
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(256, flow(1, 60))]));
    run.feed_from(NOW.plus(Span::from_secs(31)), EXPORTER, &ipfix(1, &[(257, flow(1, 60))]));
    let stats = run.stats();
    assert_eq!((stats.buffered_bytes, stats.undecodable_bytes), (21, 21));
}

#[test]
fn enterprise_fields_are_stepped_over() {
    let mut set = shorts(&[256, 9]);
    set.extend(shorts(&[0x8000 | 137, 3]));
    set.extend(words(&[2636]));
    for (element, length) in FLOW {
        set.extend(shorts(&[element, length]));
    }
    // The same number as octetDeltaCount, but VMware's.
    set.extend(shorts(&[0x8001, 0xffff]));
    set.extend(words(&[6876]));
    let mut data = vec![1, 2, 3];
    data.extend(record_and(&[2, 0xab, 0xcd]));
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, set), (256, data)]));
    assert_eq!((run.told[0].packets, run.told[0].bytes), (Some(3), Some(1500)));
}

#[test]
fn a_withdrawal_over_udp_is_ignored_and_counted() {
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &FLOW))]));
    run.feed(&ipfix(1, &[(2, shorts(&[256, 0])), (3, shorts(&[257, 0])), (256, flow(1, 60))]));
    assert_eq!((run.told.len(), run.stats().withdrawals_ignored), (1, 2));
}

#[test]
fn templates_and_rates_outlive_a_restart() {
    let mut before = Run::new();
    before.feed(&ipfix(
        1,
        &[
            (3, options10(300, 1, &[(149, 4), (34, 4)])),
            (300, words(&[1, 500])),
            (2, template(256, &flow_and(&[(302, 1)]))),
        ],
    ));
    let kept = before.collector.export_templates();
    let mut after = Run::new();
    after.collector.import_templates(NOW, &kept).unwrap();
    after.feed(&ipfix(1, &[(256, record_and(&[9]))]));
    assert_eq!(after.told[0].sampling.rate, Some(500));
    assert_eq!(after.told[0].format, Format::Ipfix);
    assert_eq!(after.collector.export_templates(), kept);
    for at in 0..kept.len() {
        let mut damaged = kept.clone();
        damaged[at] ^= 0x10;
        assert!(Run::new().collector.import_templates(NOW, &damaged).is_err(), "octet {at}");
        assert!(Run::new().collector.import_templates(NOW, &kept[..at]).is_err(), "cut at {at}");
    }
}
