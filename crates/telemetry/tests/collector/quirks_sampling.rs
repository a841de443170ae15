//! Table S: how vendors announce sampling.

use base::Timestamp;
use telemetry::collector::Settings;
use telemetry::exporter;
use telemetry::interface::roles::{Direction, Entry, Role, Roles};
use telemetry::record::{Observed, RateSource};
use telemetry::truth::RATE_BELIEVED_MAX;

use crate::support::*;

fn rate(run: &Run) -> (Option<u32>, RateSource) {
    let told = run.told.last().unwrap();
    (told.sampling.rate, told.sampling.source)
}

fn unknown() -> (Option<u32>, RateSource) {
    (None, RateSource::None)
}

/// A v9 exporter whose data records carry element 34 with these octets.
fn in_record_34(octets: &[u8]) -> Run {
    let mut run = Run::new();
    let fields = flow_and(&[(34, u16::try_from(octets.len()).unwrap())]);
    run.feed(&netflow9(0, &[(0, template(256, &fields)), (256, record_and(octets))]));
    run
}

#[test]
fn s1_routeros_sends_the_interval_little_endian() {
    let run = in_record_34(&[1, 0, 0, 0]);
    assert_eq!(rate(&run), (Some(1), RateSource::Record));
    assert_eq!(run.stats().sampling_corrected, 1);
    assert_eq!(rate(&in_record_34(&[0x20, 0x03, 0, 0])), (Some(800), RateSource::Record));
}

#[test]
fn s1_routeros_says_0_when_sampling_is_off() {
    assert_eq!(rate(&in_record_34(&[0, 0, 0, 0])), (Some(1), RateSource::Record));
}

#[test]
fn s1_a_rate_beyond_a_million_is_not_believed_without_override() {
    let absurd = RATE_BELIEVED_MAX + 1;
    let run = in_record_34(&absurd.to_be_bytes());
    assert_eq!(rate(&run), unknown());
    assert_eq!(run.stats().faults.of("sampling_absurd"), 1);
}

fn sampler_options(run: &mut Run, source_id: u32, samplers: &[(u16, u32)]) {
    let mut sets = vec![(1, options9(300, &[(1, 4)], &[(48, 2), (49, 1), (50, 4)]))];
    for (id, interval) in samplers {
        let mut body = vec![0, 0, 0, 0];
        body.extend(id.to_be_bytes());
        body.push(2);
        body.extend(interval.to_be_bytes());
        sets.push((300, body));
    }
    run.feed(&netflow9(source_id, &sets));
}

fn data_of_sampler(run: &mut Run, source_id: u32, sampler: u16) {
    let sets = [(0, template(256, &flow_and(&[(48, 2)]))), (256, record_and(&sampler.to_be_bytes()))];
    run.feed(&netflow9(source_id, &sets));
}

#[test]
fn s2_nokia_takes_one_and_leaves_999_out() {
    let mut run = Run::new();
    let mut options = vec![0, 1];
    options.extend(words(&[1, 999]));
    run.feed(&ipfix(
        1,
        &[
            (3, options10(300, 1, &[(302, 2), (305, 4), (306, 4)])),
            (300, options),
            (2, template(256, &flow_and(&[(302, 2)]))),
            (256, record_and(&[0, 1])),
        ],
    ));
    assert_eq!(rate(&run), (Some(1000), RateSource::Sampler));
}

#[test]
fn s3_two_samplers_in_one_domain_are_told_apart() {
    let mut run = Run::new();
    sampler_options(&mut run, 0, &[(1, 2000), (2, 4000)]);
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(2000), RateSource::Sampler));
    data_of_sampler(&mut run, 0, 2);
    assert_eq!(rate(&run), (Some(4000), RateSource::Sampler));
    // A third one nobody announced: two rates are known, so none is guessed.
    data_of_sampler(&mut run, 0, 3);
    assert_eq!(rate(&run), unknown());
}

#[test]
fn s4_options_under_another_source_id_serve_if_there_is_only_one_rate() {
    let mut run = Run::new();
    sampler_options(&mut run, 6, &[(1, 512)]);
    data_of_sampler(&mut run, 9, 1);
    assert_eq!(rate(&run), (Some(512), RateSource::Exporter));
}

#[test]
fn s4_options_and_data_in_one_packet() {
    let mut run = Run::new();
    run.feed(&netflow9(
        1,
        &[
            (1, options9(300, &[(1, 4)], &[(34, 4), (35, 1)])),
            (300, [words(&[0, 100]), vec![2]].concat()),
            (0, template(256, &FLOW)),
            (256, flow(1, 60)),
        ],
    ));
    assert_eq!(rate(&run), (Some(100), RateSource::Domain));
}

#[test]
fn s5_huawei_the_record_overrides_the_options() {
    let mut run = Run::new();
    run.feed(&netflow9(
        1,
        &[
            (1, options9(300, &[(1, 4)], &[(34, 4)])),
            (300, words(&[0, 100])),
            (0, template(256, &flow_and(&[(34, 4)]))),
            (256, record_and(&words(&[1000]))),
        ],
    ));
    assert_eq!(rate(&run), (Some(1000), RateSource::Record));
}

#[test]
fn s6_what_nobody_said_is_unknown_not_one() {
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &FLOW)), (256, flow(1, 60))]));
    assert_eq!(rate(&run), unknown());
}

#[test]
fn s7_s8_an_interval_has_any_width() {
    for element in [34, 50] {
        for width in [1u16, 2, 4, 8] {
            let mut value = vec![0; usize::from(width) - 1];
            value.push(200);
            let mut run = Run::new();
            run.feed(&netflow9(
                1,
                &[
                    (1, options9(300, &[(1, 4)], &[(element, width)])),
                    (300, [vec![0; 4], value].concat()),
                    (0, template(256, &FLOW)),
                    (256, flow(1, 60)),
                ],
            ));
            assert_eq!(rate(&run), (Some(200), RateSource::Domain), "{element} of {width} octets");
        }
    }
}

fn netflow5(sampling: u16) -> Vec<u8> {
    let mut out = vec![0u8; 72];
    out[1] = 5;
    out[3] = 1;
    out[22..24].copy_from_slice(&sampling.to_be_bytes());
    out
}

#[test]
fn s9_juniper_v5_uses_all_sixteen_bits() {
    let mut run = Run::new();
    run.feed(&netflow5(0x4000 | 1000));
    assert_eq!(rate(&run), (Some(1000), RateSource::Header));
    // 50,000 would be mode 3, which does not exist.
    run.feed(&netflow5(50_000));
    assert_eq!(rate(&run), (Some(50_000), RateSource::Header));
    assert_eq!(run.stats().faults.of("sampling_mode"), 1);
    let default = exporter::Settings { sampling_v5_16bit: true, ..exporter::Settings::default() };
    let mut run = Run::with(Settings { default, ..Settings::default() });
    run.feed(&netflow5(20_000));
    assert_eq!(rate(&run), (Some(20_000), RateSource::Header));
}

#[test]
fn s10_a_selector_with_interval_0_is_ignored() {
    let mut run = Run::new();
    sampler_options(&mut run, 0, &[(1, 0), (2, 1000)]);
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(1000), RateSource::Domain));
    data_of_sampler(&mut run, 0, 2);
    assert_eq!(rate(&run), (Some(1000), RateSource::Sampler));
}

#[test]
fn s10_interval_0_alone_means_unsampled() {
    let mut run = Run::new();
    sampler_options(&mut run, 0, &[(1, 0)]);
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(1), RateSource::Sampler));
}

#[test]
fn s11_a_counter_of_nine_octets_counts_if_it_fits() {
    let fields = [(8, 4), (12, 4), (4, 1), (2, 9), (1, 9)];
    let mut fits = vec![192, 0, 2, 1, 192, 0, 2, 2, 17];
    fits.extend([0, 0, 0, 0, 0, 0, 0, 0, 7]);
    fits.extend([0, 0, 0, 0, 0, 0, 0, 3, 0]);
    let mut too_large = fits.clone();
    too_large[9] = 1;
    let mut run = Run::new();
    run.feed(&netflow9(1, &[(0, template(256, &fields)), (256, [fits, too_large].concat())]));
    assert_eq!((run.told[0].packets, run.told[0].bytes), (Some(7), Some(768)));
    assert_eq!((run.told[1].packets, run.told[1].bytes), (None, Some(768)));
}

#[test]
fn s11_a_sampler_table_of_garbage_is_not_believed() {
    let mut run = Run::new();
    let garbage = [vec![0, 0, 0, 0, 0, 1, 0xfe], words(&[1713])].concat();
    run.feed(&netflow9(1, &[(1, options9(300, &[(1, 4)], &[(48, 2), (49, 1), (50, 4)])), (300, garbage)]));
    data_of_sampler(&mut run, 1, 1);
    assert_eq!(rate(&run), unknown());
    assert_eq!(run.stats().faults.of("sampling_absurd"), 1);
}

#[test]
fn s12_asr9010_names_samplers_it_never_describes_so_the_operator_must() {
    let mut run = Run::new();
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), unknown());
    let default = exporter::Settings { sampling: Some(2000), ..exporter::Settings::default() };
    let mut run = Run::with(Settings { default, ..Settings::default() });
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(2000), RateSource::Config));
}

#[test]
fn s13_an_unsampled_exporter_is_declared_so_by_address() {
    let mut settings = Settings::default();
    let one = exporter::Settings { sampling: Some(1), ..exporter::Settings::default() };
    settings.exporters.insert(EXPORTER, one);
    let mut run = Run::with(settings);
    let softflowd = netflow9(0, &[(0, template(256, &FLOW)), (256, flow(1, 60))]);
    run.feed(&softflowd);
    assert_eq!(rate(&run), (Some(1), RateSource::Config));
    run.feed_from(NOW, "192.0.2.77".parse().unwrap(), &softflowd);
    assert_eq!(rate(&run), unknown());
}

#[test]
fn the_operator_can_override_what_an_exporter_says() {
    let forced =
        exporter::Settings { sampling: Some(64), sampling_override: true, ..exporter::Settings::default() };
    let mut run = Run::with(Settings { default: forced, ..Settings::default() });
    run.feed(&netflow5(1000));
    assert_eq!(rate(&run), (Some(64), RateSource::Config));
}

fn samples(rate: u32, pool_step: u32) -> Run {
    let mut run = Run::new();
    for n in 1..=40u32 {
        let header = raw_header(1, &frame(&[], 17, 0, b"x"), 64);
        run.feed(&sflow(n, &[flow_sample((n, n * pool_step), rate, (7, 9), &[header])]));
    }
    run
}

#[test]
fn s14_a_rate_of_millions_is_corrected_by_the_sample_pool() {
    let run = samples(2_000_000, 2000);
    // decode shows what was announced; detection gets what the pool says, and nothing before there is evidence.
    assert_eq!(run.told[39].sampling.rate, Some(2_000_000));
    assert_eq!(run.records[0].unwrap().sampling.rate, None);
    assert_eq!(run.records[39].unwrap().sampling.rate, Some(2000));
    let conflicts: Vec<_> = run.collector.exporters().next().unwrap().truth.conflicts().collect();
    assert_eq!((conflicts[0].announced, conflicts[0].effective), (2_000_000, 2000));
}

#[test]
fn s15_under_reporting_shows_in_the_counters_beside_the_samples() {
    let mut run = samples(1000, 1000);
    let view = run.collector.exporters().next().unwrap();
    assert_eq!(view.truth.conflicts().count(), 0);
    run.feed(&sflow(41, &[counters(0)]));
    let header = raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    run.feed(&sflow(42, &[flow_sample((41, 41_000), 1000, (7, 9), &[header])]));
    run.feed(&sflow(43, &[counters(50_000)]));
    let truth = run.collector.exporters().next().unwrap().truth.port(7).unwrap();
    assert_eq!((truth.in_packets, truth.estimated_packets), (50_000, 1000));
}

/// Interface counters of port 7.
fn counters(packets: u32) -> Vec<u8> {
    let mut body = words(&[7, 6, 0, 1_000_000_000, 1, 3]);
    body.extend(words(&[0, 0, packets, 0, 0, 0, 0, 0]));
    body.extend(words(&[0, 0, 0, 0, 0, 0, 0, 0]));
    let sample = [words(&[1, 7, 1]), sflow_record(1, &body)].concat();
    sflow_record(2, &sample)
}

/// Twenty minutes of an agent that announces 1:1000, with a pool to match, and takes one packet of `real`; of its datagrams
/// one of `arrives` arrives.
fn agent(real: u32, arrives: u32) -> Run {
    let mut run = Run::new();
    let header = raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    for n in 1..=4800u32 {
        let at = NOW.plus(base::Span::from_millis(250 * u64::from(n)));
        let mut samples = vec![flow_sample((n, n * 1000), 1000, (7, 9), std::slice::from_ref(&header))];
        if n.is_multiple_of(80) {
            samples.push(counters(n * real));
        }
        if n.is_multiple_of(80) || n.is_multiple_of(arrives) {
            run.feed_from(at, EXPORTER, &sflow(n, &samples));
        }
    }
    run
}

#[test]
fn s15_agents_are_measured_by_their_own_counters() {
    // (1:N in truth, factor, off, doubtful); all say 1:1000.
    for (real, factor, off, doubtful) in [
        (1000, 1.0, false, false),
        (1200, 1.2, false, false),
        (1500, 1.5, true, false),
        (10_000, 10.0, true, true),
        (100, 0.1, true, true),
    ] {
        // Neither the lie nor its size depends on what the way loses.
        for arrives in [1, 10] {
            let run = agent(real, arrives);
            let verdict = *run.collector.exporters().next().unwrap().truth.verdict();
            let told = verdict.factor().unwrap();
            assert!((told / factor - 1.0).abs() < 0.1, "{real}: {told}");
            assert_eq!((verdict.is_off(), verdict.is_doubtful()), (off, doubtful), "{real}");
            assert_eq!(run.records.last().unwrap().unwrap().doubtful, doubtful, "{real}");
        }
    }
}

#[test]
fn s16_repeated_options_change_nothing() {
    let mut run = Run::new();
    for _ in 0..5 {
        sampler_options(&mut run, 0, &[(1, 1000)]);
    }
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(1000), RateSource::Sampler));
    assert_eq!(run.stats().options_templates, 1);
    assert_eq!(run.stats().templates_redefined, 0);
}

#[test]
fn s17_the_exporters_port_is_no_part_of_its_identity() {
    // The door takes an address only: options and data that come from different ports meet.
    let mut run = Run::new();
    let other: std::net::IpAddr = "192.0.2.200".parse().unwrap();
    sampler_options(&mut run, 0, &[(1, 700)]);
    run.feed_from(NOW, other, &netflow9(0, &[(0, template(256, &flow_and(&[(48, 2)])))]));
    data_of_sampler(&mut run, 0, 1);
    assert_eq!(rate(&run), (Some(700), RateSource::Sampler));
}

#[test]
fn s18_a_packet_seen_at_ingress_and_egress_counts_once() {
    let mut run = Run::new();
    let header = || raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    // Source 7 is the ingress; the same packet is sampled again by source 9 at egress.
    run.feed(&sflow(1, &[flow_sample((1, 1), 1, (7, 9), &[header()])]));
    let mut again = flow_sample((1, 1), 1, (7, 9), &[header()]);
    again[15] = 9;
    run.feed(&sflow(2, &[again]));
    let [first, second] = [run.records[0].unwrap(), run.records[1].unwrap()];
    assert_eq!((first.observed, second.observed), (Observed::Ingress, Observed::EgressAgain));
    let roles = Roles::default();
    assert!(roles.judge(&first).counts);
    assert!(!roles.judge(&second).counts);
}

#[test]
fn s18_two_routers_on_the_path_count_once_and_the_border_tells_direction_and_entry() {
    let mut run = Run::new();
    let header = || raw_header(1, &frame(&[], 17, 0, b"x"), 64);
    let border: std::net::IpAddr = "192.0.2.1".parse().unwrap();
    let core: std::net::IpAddr = "192.0.2.2".parse().unwrap();
    run.feed_from(Timestamp::ZERO, border, &sflow(1, &[flow_sample((1, 1), 1, (7, 9), &[header()])]));
    run.feed_from(Timestamp::ZERO, core, &sflow(1, &[flow_sample((1, 1), 1, (7, 9), &[header()])]));
    let mut roles = Roles::default();
    roles.pattern("transit*", Role::External);
    roles.pattern("core-*", Role::Internal);
    roles.pattern("cust?", Role::Customer);
    let entry = |exporter, interface| Entry { exporter, interface };
    roles.name(entry(0, 7), "Transit Lumen");
    roles.name(entry(0, 9), "core-2");
    roles.name(entry(1, 7), "core-1");
    roles.set(entry(1, 9), Role::Customer);
    let at_border = roles.judge(&run.records[0].unwrap());
    let at_core = roles.judge(&run.records[1].unwrap());
    assert_eq!((at_border.direction, at_border.counts), (Direction::In, true));
    assert_eq!(at_border.entry, Some(entry(0, 7)));
    assert_eq!((at_core.direction, at_core.counts), (Direction::Inside, false));
    let mut back = run.records[0].unwrap();
    (back.input_if, back.output_if) = (Some(9), Some(7));
    assert_eq!(roles.judge(&back).direction, Direction::Out);
    back.input_if = Some(7);
    assert_eq!(roles.judge(&back).direction, Direction::Transit);
}
