//! Table T: times.

use base::{Span, Timestamp};

use crate::support::*;

/// A flow with these times, in v9 by uptime.
fn by_uptime(first: u32, last: u32) -> (Option<Timestamp>, Option<Timestamp>, Run) {
    let mut run = Run::new();
    let fields = flow_and(&[(22, 4), (21, 4)]);
    run.feed(&netflow9(1, &[(0, template(256, &fields)), (256, record_and(&words(&[first, last])))]));
    (run.told[0].start, run.told[0].end, run)
}

#[test]
fn uptime_becomes_time() {
    let (start, end, _) = by_uptime(UPTIME - 5000, UPTIME - 1000);
    assert_eq!(start, Some(NOW.minus(Span::from_secs(5))));
    assert_eq!(end, Some(NOW.minus(Span::from_secs(1))));
}

#[test]
fn t16_an_end_before_its_start_is_its_start() {
    let (start, end, run) = by_uptime(UPTIME - 1000, UPTIME - 5000);
    assert_eq!((start, end), (Some(NOW.minus(Span::from_secs(1))), start));
    assert_eq!(run.stats().faults.of("time_reversed"), 1);
    let record = run.records[0].unwrap();
    assert!(record.start <= record.end && record.end <= record.at);
}

#[test]
fn t17_tnsr_nanoseconds() {
    let ntp = (NOW.secs() + 2_208_988_800 - 3) << 32 | 0x4000_0000;
    let fields = flow_and(&[(156, 8), (157, 8)]);
    let mut run = Run::new();
    let data = record_and(&[ntp.to_be_bytes(), (ntp + (1 << 31)).to_be_bytes()].concat());
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data)]));
    assert_eq!(run.told[0].start, Some(NOW.minus(Span::from_millis(2750))));
    assert_eq!(run.told[0].end, Some(NOW.minus(Span::from_millis(2250))));
}

#[test]
fn t18_uptime_that_wrapped_and_times_beyond_belief() {
    // The flow began 2 s before the counter wrapped, UPTIME milliseconds ago.
    let (start, _, _) = by_uptime(u32::MAX - 1999, UPTIME);
    assert_eq!(start, Some(NOW.minus(Span::from_millis(u64::from(UPTIME) + 2000))));
    let mut run = Run::new();
    let fields = flow_and(&[(150, 4), (151, 4)]);
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, record_and(&words(&[0, 0xffff_ffff])))]));
    assert_eq!((run.told[0].start, run.told[0].end), (None, None));
    assert_eq!(run.stats().faults.of("time_absurd"), 2);
    let record = run.records[0].unwrap();
    assert_eq!((record.start, record.end), (record.at, record.at));
}

#[test]
fn ipfix_uptime_needs_the_time_of_initialisation() {
    let fields = flow_and(&[(22, 4), (21, 4)]);
    let data = record_and(&words(&[5000, 6000]));
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, data.clone())]));
    assert_eq!((run.told[0].start, run.told[0].end), (None, None));
    let boot = NOW.minus(Span::from_secs(100));
    let millis = (boot.nanos() / 1_000_000).to_be_bytes().to_vec();
    run.feed(&ipfix(
        1,
        &[(3, options10(257, 1, &[(144, 4), (160, 8)])), (257, [words(&[1]), millis].concat())],
    ));
    run.feed(&ipfix(1, &[(256, data)]));
    assert_eq!(run.told[1].start, Some(boot.plus(Span::from_secs(5))));
}

#[test]
fn deltas_and_durations_become_times() {
    let fields = flow_and(&[(158, 4), (159, 4)]);
    let mut run = Run::new();
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, record_and(&words(&[2_000_000, 500_000])))]));
    assert_eq!(run.told[0].start, Some(NOW.minus(Span::from_secs(2))));
    assert_eq!(run.told[0].end, Some(NOW.minus(Span::from_millis(500))));
    let fields = flow_and(&[(151, 4), (161, 4)]);
    let end = u32::try_from(NOW.secs()).unwrap();
    run.feed(&ipfix(1, &[(2, template(256, &fields)), (256, record_and(&words(&[end, 1500])))]));
    assert_eq!(run.told[1].start, Some(NOW.minus(Span::from_millis(1500))));
}

#[test]
fn a_flow_is_no_faster_than_its_interface() {
    // 10 Gbit in ten seconds, in by interface 3, which the operator says passes 100 Mbit/s.
    let settings = telemetry::collector::Settings {
        speeds: [((EXPORTER, 3), 100_000_000)].into(),
        ..telemetry::collector::Settings::default()
    };
    let mut run = Run::with(settings);
    let fields = [(8, 4), (12, 4), (10, 4), (2, 4), (1, 4), (22, 4), (21, 4)];
    let values = [0xc000_0201, 0xc612_0001, 3, 1_000_000, 1_250_000_000, UPTIME - 11_000, UPTIME - 1_000];
    for _ in 0..3 {
        run.feed(&netflow9(1, &[(0, template(256, &fields)), (256, words(&values))]));
    }
    let records: Vec<_> = run.records.iter().flatten().collect();
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.bytes == 125_000_000 && record.packets == 100_000));
    // What it told is left as it was told; what is cut is counted, and who does it again is not acted on.
    assert!(run.told.iter().all(|told| told.bytes == Some(1_250_000_000)));
    assert_eq!(records.iter().map(|record| record.doubtful).collect::<Vec<_>>(), [false, false, true]);
    let view = run.collector.exporters().next().unwrap();
    assert_eq!(view.speeds.flows(), 3);
    assert!((view.doubt().unwrap() - 0.1).abs() < 0.001);
}
