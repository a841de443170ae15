//! What an attacker may cost us, and that nothing he sends makes us stumble.

use base::Span;
use proptest::prelude::*;
use telemetry::collector::EXPORTERS_MAX;
use telemetry::store::{DOMAINS_MAX, FIELDS_MAX, TEMPLATES_MAX};
use telemetry::waiting::WAITING_MAX;

use crate::support::*;

/// Octets and fields visited per octet taken in, at most.
const WORK_MAX: u64 = 64;

fn within_bounds(run: &Run) {
    let stats = run.stats();
    assert!(stats.work <= WORK_MAX * stats.octets, "{} for {} octets", stats.work, stats.octets);
}

#[test]
fn templates_per_domain_are_capped_and_the_used_ones_stay() {
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &FLOW))]));
    for id in 257..=4000u16 {
        let at = NOW.plus(Span::from_millis(u64::from(id)));
        run.feed_from(at, EXPORTER, &ipfix(1, &[(2, template(id, &[(1, 4)])), (256, flow(1, 60))]));
    }
    assert_eq!(run.told.len(), 3744);
    let evicted = run.stats().templates_evicted;
    assert_eq!(evicted, 3745 - TEMPLATES_MAX as u64);
    within_bounds(&run);
}

#[test]
fn domains_per_exporter_are_capped() {
    let mut run = Run::new();
    for domain in 0..1000 {
        run.feed(&ipfix(domain, &[(2, template(256, &FLOW))]));
    }
    assert_eq!(run.stats().templates_evicted, 1000 - DOMAINS_MAX as u64);
    within_bounds(&run);
}

#[test]
fn a_template_of_nothing_or_of_too_much_is_refused() {
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &[(1, 0), (2, 0)]))]));
    assert_eq!(run.stats().faults.of("template_empty"), 1);
    run.feed(&netflow9(1, &[(0, template(257, &[]))]));
    assert_eq!(run.stats().faults.of("template_fields"), 1);
    let many = vec![(1, 1); usize::from(FIELDS_MAX) + 1];
    run.feed(&netflow9(1, &[(0, template(258, &many))]));
    assert_eq!(run.stats().faults.of("template_fields"), 2);
    run.feed(&netflow9(1, &[(0, template(255, &FLOW))]));
    assert_eq!(run.stats().faults.of("template_id"), 1);
    assert_eq!(run.stats().templates, 0);
}

#[test]
fn one_datagram_cannot_make_us_keep_more_than_its_allowance() {
    // Eight thousand templates in one datagram.
    let set: Vec<u8> = (256..8000u16).flat_map(|id| template(id, &[(1, 1)])).collect();
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, set)]));
    let stats = run.stats();
    assert!(stats.templates < 300, "{}", stats.templates);
    assert!(stats.faults.of("template_memory") > 7000);
    within_bounds(&run);
}

#[test]
fn waiting_data_is_capped_per_exporter() {
    let mut run = Run::new();
    for id in 256..2000u16 {
        run.feed(&netflow9(1, &[(id, vec![1; 1000])]));
    }
    let stats = run.stats();
    assert!(stats.buffered_bytes <= WAITING_MAX as u64);
    assert_eq!(stats.buffered_bytes + stats.undecodable_bytes, 1744 * 1000);
    within_bounds(&run);
}

#[test]
fn exporters_are_capped_and_the_rest_is_counted() {
    let mut run = Run::new();
    for n in 0..u32::try_from(EXPORTERS_MAX).unwrap() + 10 {
        let exporter = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into();
        run.feed_from(NOW, exporter, &netflow9(1, &[(0, template(256, &FLOW))]));
    }
    assert_eq!(run.stats().faults.of("exporters_full"), 10);
    assert_eq!(run.collector.exporters().count(), EXPORTERS_MAX);
    assert_eq!(run.stats().datagrams, EXPORTERS_MAX as u64 + 10);
}

#[test]
fn lost_datagrams_and_restarts_are_seen() {
    let header = || raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let mut run = Run::new();
    for n in [1, 2, 5, 6] {
        run.feed(&sflow(n, &[flow_sample((n, n), 1, (7, 9), &[header()])]));
    }
    assert_eq!(run.stats().lost_datagrams, 2);
    let mut ipfix_numbered = |sequence: u32, records: usize| {
        let mut message = ipfix(1, &[(2, template(256, &FLOW)), (256, flow(1, 60).repeat(records))]);
        message[8..12].copy_from_slice(&sequence.to_be_bytes());
        run.feed(&message);
    };
    ipfix_numbered(1000, 3);
    ipfix_numbered(1003, 2);
    ipfix_numbered(1010, 1);
    ipfix_numbered(0, 1);
    assert_eq!((run.stats().lost_records, run.stats().restarts), (5, 1));
}

#[test]
fn damage_in_one_set_leaves_the_others() {
    let mut run = Run::new();
    run.feed(&ipfix(
        1,
        &[(2, template(256, &FLOW)), (2, shorts(&[257, 9, 1, 4])), (9, vec![0; 8]), (256, flow(1, 60))],
    ));
    assert_eq!(run.told.len(), 1);
    assert_eq!((run.stats().faults.of("template"), run.stats().faults.of("set_id")), (1, 1));
}

#[test]
fn what_is_no_flow_export_is_counted_and_forgotten() {
    let mut run = Run::new();
    run.feed(b"GET / HTTP/1.1");
    run.feed(&[]);
    assert_eq!((run.stats().datagrams, run.stats().faults.of("unknown_format")), (2, 2));
    assert_eq!(run.collector.exporters().count(), 0);
}

/// Datagrams that get past the door: a right header, then anything.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![0u16..4, 256u16..260, Just(0xffff), any::<u16>(), 0u16..40];
    let body = prop::collection::vec(word, 0..200);
    (0usize..4, body, prop::collection::vec(any::<u8>(), 0..7)).prop_map(|(kind, body, tail)| {
        let mut out = match kind {
            0 => vec![0, 9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1],
            1 => vec![0, 10, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1],
            2 => words(&[5, 1, 0x0a00_0001, 0, 1, 1, 9]),
            _ => vec![0, 5, 0, 30],
        };
        out.extend(shorts(&body));
        out.extend(tail);
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_never_panics_and_never_costs_more_than_its_length(
        datagrams in prop::collection::vec(prop_oneof![hostile(), prop::collection::vec(any::<u8>(), 0..300)], 1..12)
    ) {
        let mut run = Run::new();
        for (n, datagram) in datagrams.iter().enumerate() {
            run.feed_from(NOW.plus(Span::from_secs(n as u64)), EXPORTER, datagram);
        }
        let stats = run.stats();
        prop_assert!(stats.work <= WORK_MAX * stats.octets, "{} for {} octets", stats.work, stats.octets);
        prop_assert_eq!(stats.flows, run.told.len() as u64);
        let kept = run.collector.export_templates();
        Run::new().collector.import_templates(NOW, &kept).unwrap();
    }

    #[test]
    fn a_real_datagram_with_octets_changed_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        kind in 0usize..3,
    ) {
        let header = raw_header(1, &frame(&[0x8100], 6, 2, b"payload"), 90);
        let mut datagram = match kind {
            0 => netflow9(1, &[(0, template(256, &FLOW)), (256, flow(1, 60).repeat(4)), (1, options9(300, &[(1, 4)], &[(48, 2), (50, 4)])), (300, vec![1; 30])]),
            1 => ipfix(1, &[(2, template(256, &flow_and(&[(82, 0xffff), (315, 0xffff)]))), (256, record_and(&[3, 1, 2, 3, 4, 1, 2, 3, 4]))]),
            _ => sflow(1, &[flow_sample((1, 1), 1, (7, 9), &[header.clone(), sflow_record(3, &[1; 32])]), flow_sample((1, 1), 1, (7, 9), &[header])]),
        };
        for (index, value) in changes {
            let at = index.index(datagram.len());
            datagram[at] = value;
        }
        let mut run = Run::new();
        run.feed(&datagram);
        run.feed(&datagram);
        let stats = run.stats();
        prop_assert!(stats.work <= WORK_MAX * stats.octets);
    }
}
