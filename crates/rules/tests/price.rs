//! Rates, leases and prices.

use base::{Span, Timestamp};
use rules::collateral::{self, Benign, Tally, clopper_pearson_upper};
use rules::lease::{LeaseError, Leased};
use rules::limit::{Fate, Limiter};
use rules::{RuleSet, lease::Lease, parse};

use crate::make::{Packet, parsed, udp};

fn set(text: &str) -> RuleSet {
    RuleSet::new(parse::rules(text).unwrap())
}

fn passed(text: &str, every: Span, packets: u64, payload: usize) -> usize {
    let set = set(text);
    let mut limiter = Limiter::new(&set);
    let bytes = Packet { payload: vec![0; payload], ..udp() }.bytes();
    (0..packets)
        .filter(|n| {
            let now = Timestamp::from_secs(1_600_000_000).plus(every.times(*n));
            limiter.judge(&set, now, &parsed(&bytes)).fate == Fate::Passed
        })
        .count()
}

#[test]
fn a_rate_lets_pass_what_it_says_and_a_tenth_of_a_second_more() {
    let ms = Span::from_millis(1);
    assert_eq!(passed("x @1 proto udp -> rate 100pps", ms, 10_000, 0), 1009);
    assert_eq!(passed("x @1 proto udp -> rate 2000pps", ms, 10_000, 0), 10_000);
    assert_eq!(passed("x @1 proto udp -> rate 0pps", ms, 1000, 0), 0);
    assert_eq!(passed("x @1 proto udp -> rate 0bps", ms, 1000, 0), 0);
    // 1,000 octets, 100 of them a second; one packet is larger than the bucket and passes all the same.
    let kept = passed("x @1 proto udp -> rate 800kbps", ms, 10_000, 972);
    assert!((1009..=1012).contains(&kept), "{kept}");
    assert_eq!(passed("x @1 proto udp -> rate 800bps", Span::from_secs(1), 100, 972), 10);
    assert_eq!(passed("x @1 proto udp -> rate 0.1pps", Span::from_secs(1), 100, 0), 10);
    assert_eq!(passed("x @1 proto tcp -> drop", ms, 10, 0), 10);
}

#[test]
fn a_lease_has_an_owner_a_reason_and_an_end() {
    let now = Timestamp::from_secs(100);
    let quarter = Span::from_secs(900);
    assert_eq!(Lease::new(" ", "flood", now, quarter), Err(LeaseError::Owner));
    assert_eq!(Lease::new("ops", "", now, quarter), Err(LeaseError::Reason));
    assert_eq!(Lease::new("ops", "flood", now, Span::ZERO), Err(LeaseError::Empty));
    let err = Lease::new("ops", "flood", now, Span::from_secs(86_401)).unwrap_err();
    assert_eq!(err.to_string(), "a lease holds for at most 1d; renew it instead");
    let lease = Lease::new("ops", "flood", now, quarter).unwrap();
    assert!(lease.holds(now) && !lease.holds(now.plus(quarter)) && !lease.holds(Timestamp::ZERO));
    let mut leased = Leased::new("x @1 -> drop".parse().unwrap(), lease);
    assert_eq!(leased.rule().to_string(), "x @1 -> drop for 15m");
    leased.renew(now.plus(quarter), quarter).unwrap();
    assert_eq!(leased.rule().to_string(), "x @1 -> drop for 30m");
}

/// Reference values: the binomial tail set to 5 % and solved by bisection in 40-digit decimals.
#[test]
fn the_bound_is_that_of_clopper_and_pearson() {
    for (k, n, wanted) in [
        (0, 100, 0.029_513_049_607_039_9),
        (1, 100, 0.046_559_811_453_538_9),
        (5, 100, 0.102_253_377_643_274_5),
        (50, 100, 0.586_378_285_369_088_2),
        (0, 1, 0.95),
        (10, 100_000, 0.000_169_616_287_626_3),
    ] {
        let found = clopper_pearson_upper(k, n);
        assert!((found - wanted).abs() < 1e-9 * wanted, "{k} of {n}: {found} is not {wanted}");
    }
    assert_eq!(clopper_pearson_upper(0, 0), 1.0);
}

/// At the lower bound, so many hits or more have a probability of 5 %: the binomial tail, summed.
#[test]
fn what_is_hit_at_least_is_the_other_bound_of_clopper_and_pearson() {
    for (k, n) in [(1u32, 20u32), (5, 20), (19, 20), (20, 20)] {
        let mut tally = Tally::default();
        for peer in 0..n {
            tally.add(peer < k, core::net::Ipv4Addr::from(peer).into(), 1, 100);
        }
        let least = tally.least().unwrap();
        assert!((least.packets - least.peers).abs() < 1e-9, "each peer sent one packet");
        let choose = |k: u32| (0..k).fold(1.0, |all, i| all * f64::from(n - i) / f64::from(i + 1));
        let of =
            |k: u32| choose(k) * least.peers.powf(f64::from(k)) * (1.0 - least.peers).powf(f64::from(n - k));
        let tail: f64 = (k..=n).map(of).sum();
        assert!((tail - 0.05).abs() < 1e-6, "{k} of {n}: {tail}");
    }
    assert_eq!(Tally::default().least(), None);
    // A packet that stands for a thousand is one observation; a thousand that were seen are a thousand.
    let peer = |n: u8| core::net::IpAddr::from([192, 0, 2, n]);
    let mut coarse = Tally::default();
    coarse.add(true, peer(1), 1000, 100_000);
    let mut fine = Tally::default();
    fine.add_each(true, peer(1), 1000);
    assert!(coarse.least().unwrap().packets < 0.06 && fine.least().unwrap().packets > 0.99);
}

#[test]
fn no_evidence_has_no_price_and_some_evidence_never_the_bound_zero() {
    let rules = set("keep @1 dst-port 53 src 192.0.2.0/26 -> pass\nx @2 proto udp -> drop");
    assert_eq!(collateral::price(&rules, []), None);

    let price =
        |hosts: &[(&str, u64)], rules: &RuleSet| {
            let packets: Vec<Packet> = hosts
                .iter()
                .map(|(src, _)| {
                    let src: core::net::IpAddr = src.parse().unwrap();
                    let dst = if src.is_ipv4() { udp().dst } else { "2001:db8::7".parse().unwrap() };
                    Packet { src, dst, ..udp() }
                })
                .collect();
            let frames: Vec<Vec<u8>> = packets.iter().map(Packet::bytes).collect();
            let samples = frames.iter().zip(hosts).zip(&packets).map(|((frame, (_, weight)), packet)| {
                Benign { packet: parsed(frame), peer: packet.src, packets: *weight, bytes: *weight * 100 }
            });
            collateral::price(rules, samples)
        };
    let hosts = [("192.0.2.1", 1), ("192.0.2.200", 1), ("2001:db8::1", 1), ("2001:db8::2", 1)];
    let c = price(&hosts, &rules).unwrap();
    assert_eq!(c.packets.estimate, 0.75);
    // Two addresses of one /64 are one peer.
    assert_eq!(c.peers.estimate, 2.0 / 3.0);
    assert!(c.packets.upper95 > 0.75 && c.peers.upper95 > 2.0 / 3.0);

    let spared = price(&hosts, &set("x @1 proto tcp -> drop")).unwrap();
    assert_eq!(spared.packets.estimate, 0.0);
    assert!(spared.packets.upper95 > 0.5 && spared.peers.upper95 > 0.5, "{spared:?}");
    let keys = serde_json::to_value(spared).unwrap();
    assert!(keys.get("peers_upper95").is_some() && keys.get("packets").is_some());

    // One record that stands for a million packets is still one observation.
    let heavy = price(&[("192.0.2.1", 1_000_000), ("192.0.2.2", 1)], &set("x @1 proto tcp -> drop")).unwrap();
    assert!(heavy.packets.upper95 > 0.9, "{heavy:?}");
}

#[test]
fn what_one_peer_sends_is_one_observation() {
    use collateral::Tally;
    let bound = |peers: u8| {
        let mut tally = Tally::default();
        for i in 0..60u8 {
            tally.add(false, [192, 0, 2, i % peers].into(), 1000, 60_000);
        }
        tally.collateral().unwrap().packets.upper95
    };
    assert!((bound(60) - clopper_pearson_upper(0, 60)).abs() < 1e-9);
    assert!((bound(6) - clopper_pearson_upper(0, 6)).abs() < 1e-9);
}

#[test]
fn a_crowd_that_is_counted_once_gives_the_price_of_each_rule() {
    let samples = (0..200u8).map(|i| (i % 30, u64::from(i % 7) + 1, u64::from(i) * 40));
    let mut sent = vec![(0u64, 0u64); 30];
    for (peer, packets, bytes) in samples.clone() {
        let of = &mut sent[usize::from(peer)];
        *of = (of.0 + packets, of.1 + bytes);
    }
    let crowd = collateral::Crowd::new(sent.iter().copied());
    for least in [0u8, 4, 29, 30] {
        let mut tally = Tally::default();
        let (mut packets, mut bytes) = (0, 0);
        for (peer, of_packets, of_bytes) in samples.clone() {
            let hit = peer >= least;
            tally.add_by(hit, u128::from(peer), of_packets, of_bytes);
            packets += if hit { of_packets } else { 0 };
            bytes += if hit { of_bytes } else { 0 };
        }
        let again = crowd.with_hit(packets, bytes, usize::from(30 - least));
        assert_eq!(again.collateral(), tally.collateral());
    }
}
