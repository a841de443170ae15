//! What other hosts tell of a victim that was not seen in peace.

use super::*;

/// A flood of one length to all ports of a host of which nothing was seen.
fn udp_flood(n: usize) -> Vec<Sample> {
    many(n, |d, i| {
        let mut s = udp(sample(false, i, d.below(u32::MAX), UDP, 92), (d.port(), d.port()));
        s.headers.ttl = 40 + d.below(40) as u8;
        s
    })
}

/// Honest packets to other hosts; so many of a hundred look like [`udp_flood`].
fn elsewhere(n: usize, alike: u32) -> Vec<Sample> {
    let other = |d: &mut Dice, mut s: Sample| {
        s.headers.dst = host(false, VICTIM + 1 + d.below(40));
        s
    };
    let calls = many(n * alike as usize / 100, |d, i| {
        let s = udp(sample(false, i, 0x0a00_0000 + d.below(9999), UDP, 92), (d.port(), d.port()));
        other(d, s)
    });
    let mut dice = Dice(99);
    visitors(false, n - calls.len()).into_iter().map(|s| other(&mut dice, s)).chain(calls).collect()
}

#[test]
fn other_hosts_give_the_price_where_the_victim_was_not_seen() {
    let attack = udp_flood(1000);
    let kin = [Kin { weight: 1.0, samples: elsewhere(1000, 0) }];
    let derived = derive(&Request { kin: &kin, ..Request::new(&attack, &[], &[target(false)]) });
    assert_eq!(texts(&derived), [format!("dst {} proto udp length 92 fragment none", target(false))]);
    let price = derived.collateral.unwrap().packets;
    assert!(price.estimate == 0.0 && price.upper95 < 0.005, "{price:?}");
}

#[test]
fn ports_drawn_at_random_are_not_cut_around_honest_ones() {
    let attack = udp_flood(1000);
    let kin = [Kin { weight: 1.0, samples: elsewhere(1000, 5) }];
    let derived = derive(&Request { kin: &kin, ..Request::new(&attack, &[], &[target(false)]) });
    for rule in &derived.rules {
        assert!(rule.matches.src_port.is_none() && rule.matches.dst_port.is_none(), "{:?}", texts(&derived));
    }
}

#[test]
fn what_much_of_honest_traffic_is_stands_under_no_limit() {
    let attack = udp_flood(1000);
    let kin = [Kin { weight: 1.0, samples: elsewhere(1000, 60) }];
    let derived = derive(&Request { kin: &kin, ..Request::new(&attack, &[], &[target(false)]) });
    let wide = derived.rules.iter().filter(|rule| rule.collateral.unwrap().packets.estimate > 0.3);
    assert_eq!(wide.count(), 0, "{:?}", texts(&derived));
}
