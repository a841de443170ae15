//! Samples: what is in them, and that they stand for what was seen.

use base::Span;
use dataplane::{Class, Plane, Policy, Sample, Sampler};
use rules::{RuleSet, parse};

use crate::agreement::{frame, plane};
use crate::make::{Packet, udp};

pub(crate) const TENTH: Span = Span::from_millis(100);

fn install(plane: &Plane, rules: &str, policy: Policy) {
    let rules = RuleSet::new(parse::rules(rules).unwrap());
    plane.install(&Policy { rules, digest: [7; 32], ..policy }).unwrap();
}

pub(crate) fn taken(sampler: &mut Sampler<'_>) -> Vec<Sample> {
    core::iter::from_fn(|| sampler.take()).collect()
}

/// As many octets of payload as this, none of them 0.
fn packet(payload: usize, dst_port: u16) -> Vec<u8> {
    frame(&Packet { ports: (1024, dst_port), payload: vec![0xaa; payload], ..udp() }.bytes())
}

#[test]
fn a_dropped_packet_is_shown_as_it_came_and_a_passed_one_without_what_it_carries() {
    let Some(plane) = plane() else { return };
    install(&plane, "bad proto udp dst-port 53 -> drop\n", Policy::default());
    let mut sampler = plane.sampler([1000, 1000], None).unwrap();
    let (bad, good) = (packet(200, 53), packet(200, 54));
    plane.test_run(&bad, 1).unwrap();
    assert!(taken(&mut sampler).is_empty(), "nothing is sampled before it is granted");
    sampler.grant(TENTH).unwrap();
    let syn = frame(&Packet { protocol: 6, payload: Vec::new(), ..udp() }.bytes());
    for one in [&bad, &good, &syn] {
        plane.test_run(one, 1).unwrap();
    }
    let samples = taken(&mut sampler);
    let [dropped, passed, handshake] = samples.as_slice() else { panic!("{samples:?}") };
    assert_eq!(
        (dropped.class, dropped.place, dropped.rule.as_deref()),
        (Class::Dropped, "dropped", Some("bad"))
    );
    assert_eq!((dropped.length as usize, dropped.rate, dropped.digest), (bad.len(), 1, [7; 8]));
    assert_eq!(dropped.octets, bad[..128], "128 octets");
    assert_eq!((passed.class, passed.place, passed.rule.as_deref()), (Class::Passed, "unmatched", None));
    assert_eq!(passed.octets, good[..14 + 20 + 8], "the headers and no more");
    assert_eq!(passed.length as usize, good.len());
    assert!(handshake.octets.len() >= 14 + 20 + 20 && handshake.octets == syn[..handshake.octets.len()]);
    assert!(dropped.at > 0 && passed.at >= dropped.at);
    drop(sampler);
    plane.test_run(&bad, 1).unwrap();
    let mut later = plane.sampler([1000, 1000], None).unwrap();
    assert!(taken(&mut later).is_empty(), "who stops sampling leaves nothing behind");
}

#[test]
fn nothing_behind_the_headers_of_a_packet_that_passes_is_kept_whatever_it_is() {
    let Some(plane) = plane() else { return };
    install(&plane, "", Policy::default());
    let mut sampler = plane.sampler([0, 100_000], None).unwrap();
    sampler.grant(TENTH).unwrap();
    let secret = [0xaa; 90];
    for protocol in [1u8, 6, 17, 47, 50, 58, 132] {
        for v6 in [false, true] {
            let mut ip = if v6 {
                let mut ip = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
                ip.extend([0x20; 32]);
                ip
            } else {
                vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1]
            };
            let header: &[u8] = match protocol {
                6 => &[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 1, 1, 0, 0, 0, 0],
                17 => &[0, 1, 0, 2, 0, 98, 0, 0],
                1 | 58 => &[8, 0, 0, 0, 0, 1, 0, 1],
                _ => &[],
            };
            ip.extend_from_slice(header);
            ip.extend(secret);
            let length = u16::try_from(ip.len()).unwrap();
            if v6 {
                ip[4..6].copy_from_slice(&(length - 40).to_be_bytes());
            } else {
                ip[2..4].copy_from_slice(&length.to_be_bytes());
            }
            plane.test_run(&frame(&ip), 1).unwrap();
            let samples = taken(&mut sampler);
            assert_eq!(samples.len(), 1, "protocol {protocol}");
            assert!(!samples[0].octets.contains(&0xaa), "protocol {protocol}, IPv6 {v6}: {samples:?}");
            assert!(samples[0].octets.len() >= 34, "protocol {protocol}: at least the addresses");
        }
    }
}

#[test]
fn samples_stand_for_what_was_seen_and_each_class_keeps_its_budget() {
    let Some(plane) = plane() else { return };
    install(&plane, "bad proto udp dst-port 53 -> drop\n", Policy::default());
    let mut sampler = plane.sampler([200, 50], None).unwrap();
    let (bad, good) = (packet(10, 53), packet(10, 54));
    let mut stands_for = [0u64; 2];
    let mut all = [0u64; 2];
    for _ in 0..40 {
        plane.test_run(&bad, 20_000).unwrap();
        plane.test_run(&good, 5_000).unwrap();
        for sample in taken(&mut sampler) {
            let class = usize::from(sample.class == Class::Passed);
            stands_for[class] += u64::from(sample.rate);
            all[class] += 1;
        }
        sampler.grant(TENTH).unwrap();
    }
    let [dropped, passed] = plane.meters().unwrap();
    println!("{dropped:?} {passed:?}; samples {all:?}, standing for {stands_for:?}");
    for (meter, (all, stands_for), budget) in
        [(dropped, (all[0], stands_for[0]), 200), (passed, (all[1], stands_for[1]), 50)]
    {
        assert!(all > 0 && all <= budget * 4 * 2, "{all} samples in four seconds of {budget} a second");
        assert_eq!((meter.taken, meter.lost), (all, 0));
        // A few hundred samples: within a third, five standard deviations or more.
        let seen = meter.offered;
        let chosen = stands_for + stands_for / all * meter.over;
        assert!(chosen * 3 > seen * 2 && chosen * 3 < seen * 4, "{chosen} for {seen}");
    }
}

#[test]
fn a_rule_is_sampled_alone_and_at_its_own_rate() {
    let Some(plane) = plane() else { return };
    let rules = "bad proto udp dst-port 53 -> drop\nworse proto udp dst-port 55 -> drop\n";
    install(&plane, rules, Policy::default());
    let mut sampler = plane.sampler([1000, 1000], Some("worse")).unwrap();
    sampler.grant(TENTH).unwrap();
    for port in [53, 54, 55, 53] {
        plane.test_run(&packet(10, port), 1).unwrap();
    }
    let samples = taken(&mut sampler);
    assert_eq!(samples.iter().map(|s| s.rule.as_deref()).collect::<Vec<_>>(), [Some("worse")]);
    drop(sampler);
    assert!(plane.sampler([1, 1], Some("none")).is_err(), "there is no such rule");

    install(&plane, &rules.replace("53 -> drop", "53 -> drop sample 1/16"), Policy::default());
    let mut sampler = plane.sampler([1_000_000, 0], Some("bad")).unwrap();
    sampler.grant(TENTH).unwrap();
    plane.test_run(&packet(10, 53), 4000).unwrap();
    let samples = taken(&mut sampler);
    assert!(samples.iter().all(|sample| sample.rate == 16));
    assert!((150..400).contains(&samples.len()), "{} of 4,000 at one in 16", samples.len());
}

#[test]
fn samples_that_nobody_reads_are_counted_and_the_budget_ends_with_who_grants_it() {
    let Some(plane) = plane() else { return };
    install(&plane, "bad proto udp dst-port 53 -> drop\n", Policy::default());
    let mut sampler = plane.sampler([1_000_000, 0], None).unwrap();
    sampler.grant(TENTH).unwrap();
    plane.test_run(&packet(100, 53), 150_000).unwrap();
    let [dropped, passed] = plane.meters().unwrap();
    assert!(dropped.lost > 0 && dropped.taken > 1000, "{dropped:?}");
    assert_eq!(dropped.taken + dropped.lost + dropped.over, dropped.offered, "{dropped:?}");
    plane.test_run(&packet(100, 53), 150_000).unwrap();
    let [after, _] = plane.meters().unwrap();
    assert!(after.over > 0, "the credit is spent: {after:?}");
    assert_eq!(passed.taken, 0);
    assert_eq!(taken(&mut sampler).len() as u64, after.taken);
}
