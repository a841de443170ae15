//! Second opinions: packets and networks that a busy host is used to, and others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Input, Output, Profile, Settings, Shard};

use crate::world::datagram;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// One of so many packets is seen.
const RATE: u32 = 100;
const UNLIKE: &str = "are unlike what is usual here";
const LIKE: &str = "are like what is usual here";
const NEW: &str = "come from networks not seen here before";

/// What a host gets from second 60 on, besides the 5,000 packets/s that it is used to: of customers' lengths and lives,
/// from twenty networks.
#[derive(Clone, Copy)]
struct More {
    pps: u64,
    /// The lengths and lives of customers; otherwise one of each.
    alike: bool,
    /// From the customers' networks; otherwise from anywhere.
    familiar: bool,
}

/// A flood of the host's own kind, two and a half times as much as it is used to.
const FLOOD: More = More { pps: 12_500, alike: false, familiar: false };

/// How it is told.
#[derive(Clone, Copy)]
struct Way {
    v4: bool,
    shards: usize,
    /// The daemon is started again just before.
    restart: bool,
    /// What it is used to comes to another host.
    fresh: bool,
    /// It comes again, after more than a minute without anything and ten seconds of what is usual.
    again: bool,
}

const PLAIN: Way = Way { v4: true, shards: 1, restart: false, fresh: false, again: false };

fn address(v4: bool, network: u32, host: u32) -> IpAddr {
    if v4 {
        Ipv4Addr::from_bits(0x2000_0000 + (network << 16) + (host & 0xffff)).into()
    } else {
        let network = u128::from(0x2a00_0000 + network);
        Ipv6Addr::from_bits(network << 96 | u128::from(host) << 64 | 1).into()
    }
}

/// The final state of each attack, of whatever severity.
fn told(way: Way, more: More) -> Vec<Attack> {
    let networks = vec!["198.18.0.0/15".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let settings = Settings { networks, ..Settings::of(Profile::Daemon) };
    let host: IpAddr = if way.v4 { "198.18.7.7" } else { "2001:db8::7" }.parse().unwrap();
    let shard = || Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut shards: Vec<Shard> = (0..way.shards).map(|_| shard()).collect();
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (record, mut number) = (datagram(), 0u32);
    let other = IpAddr::from([198, 18, 99, 7]);
    for tick in 0u64..if way.again { 650 } else { 290 } {
        let until = START.plus(settings.tick.times(tick + 1));
        let usual = (More { pps: 5_000, alike: true, familiar: true }, if way.fresh { other } else { host });
        let more = ((240..290).contains(&tick) || tick >= 600).then_some((more, host));
        let usual = (!(290..560).contains(&tick)).then_some(usual);
        for (stream, host) in [usual, more].into_iter().flatten() {
            let samples = |tick: u64| stream.pps * tick / 4 / u64::from(RATE);
            for _ in samples(tick)..samples(tick + 1) {
                number += 1;
                let mut one = record;
                let customer = [(300, 52), (180, 116), (700, 50)][number as usize % 3];
                let (length, ttl) = if stream.alike { customer } else { (64, 240) };
                let network = if stream.familiar { number % 20 } else { 100 + number * 7 % 9000 };
                one.sampling.rate = Some(RATE);
                one.headers.src = address(way.v4, network, number);
                (one.headers.dst, one.headers.ttl) = (host, ttl);
                (one.headers.length, one.bytes) = (length, length.into());
                one.at = until.minus(Span::from_millis(u64::from(1 + 7 * number % 240)));
                (one.start, one.end) = (one.at, one.at);
                let count = shards.len();
                shards[number as usize % count].record(&one);
            }
        }
        if way.restart && tick == 239 {
            engine = Engine::restore(settings.clone(), Seed::new(2), &engine.snapshot()).unwrap();
        }
        let shards = shards.iter_mut().map(Shard::close).collect();
        engine.handle(until, Input::Tick { until, shards });
        while let Some(Output::Attack { .. }) = engine.poll_output() {}
    }
    engine.attacks()
}

fn says(attack: &Attack, words: &str) -> bool {
    attack.explain.iter().any(|line| line.contains(words))
}

/// What a line of the explanation adds.
fn weight(attack: &Attack, words: &str) -> f64 {
    let line = attack.explain.iter().find(|line| line.contains(words)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The statistic, and what adds up to it.
fn weights(attack: &Attack) -> (f64, Vec<f64>) {
    let head = attack.explain.iter().position(|line| line.ends_with("needed")).unwrap();
    let number = |text: &str| text.split_whitespace().next().unwrap().parse().unwrap();
    let sum = number(attack.explain[head].split(": ").last().unwrap());
    let terms = attack.explain[head + 1..].iter().take_while(|line| line.starts_with("  "));
    (sum, terms.map(|line| number(line)).collect())
}

#[test]
fn a_flood_of_a_hosts_own_kind_is_known_by_its_packets_and_its_networks() {
    for v4 in [true, false] {
        let found = told(Way { v4, ..PLAIN }, FLOOD);
        let [attack] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(attack.severity, Severity::Attack, "{:?}", attack.explain);
        let opinions = [weight(attack, UNLIKE), weight(attack, NEW)];
        assert!(opinions[0] > 1.0 && opinions[1] > 0.5, "{:?}", attack.explain);
        // By volume alone it would be suspicious.
        assert!(weights(attack).0 - opinions.iter().sum::<f64>() < 9.5, "{:?}", attack.explain);
    }
}

#[test]
fn more_of_what_a_host_is_used_to_is_no_attack() {
    for v4 in [true, false] {
        let found = told(Way { v4, ..PLAIN }, More { alike: true, familiar: true, ..FLOOD });
        assert!(found.iter().all(|attack| attack.severity < Severity::Attack), "{found:?}");
    }
}

#[test]
fn packets_that_look_usual_do_not_excuse_a_flood() {
    let found = told(PLAIN, More { pps: 100_000, alike: true, familiar: true });
    let [attack] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(attack.severity, Severity::Attack);
    assert!(weight(attack, LIKE) < -0.5 && weight(attack, NEW) < -0.5, "{:?}", attack.explain);
}

#[test]
fn where_nothing_is_learned_there_is_no_opinion() {
    let found = told(Way { fresh: true, ..PLAIN }, More { pps: 100_000, ..FLOOD });
    assert!(!found.is_empty());
    for attack in &found {
        assert!(![UNLIKE, LIKE, NEW].iter().any(|words| says(attack, words)), "{:?}", attack.explain);
    }
}

#[test]
fn habits_outlive_a_restart_and_do_not_depend_on_shards() {
    let opinions = |way| {
        let found = told(way, FLOOD);
        let [attack] = found.as_slice() else { panic!("{found:?}") };
        let is_one = |line: &&String| [UNLIKE, NEW].iter().any(|words| line.contains(words));
        attack.explain.iter().filter(is_one).cloned().collect::<Vec<_>>()
    };
    let straight = opinions(PLAIN);
    assert_eq!(straight.len(), 2);
    assert_eq!(opinions(Way { restart: true, ..PLAIN }).len(), 2);
    for shards in [2, 7] {
        assert_eq!(opinions(Way { shards, ..PLAIN }), straight, "{shards} shards");
    }
}

#[test]
fn nothing_is_learned_of_a_flood() {
    let found = told(Way { again: true, ..PLAIN }, FLOOD);
    let [first, second] = found.as_slice() else { panic!("{found:?}") };
    for words in [UNLIKE, NEW] {
        assert!((weight(first, words) - weight(second, words)).abs() < 0.15, "{:?}", second.explain);
    }
}

#[test]
fn the_terms_that_are_told_sum_to_the_statistic() {
    for more in [FLOOD, More { pps: 100_000, alike: true, familiar: true }] {
        let found = told(PLAIN, more);
        let (sum, weights) = weights(&found[0]);
        // Each is told with one decimal.
        #[expect(clippy::cast_precision_loss, reason = "a few terms")]
        let rounding = 0.05 * (weights.len() + 1) as f64 + 1e-9;
        assert!(weights.len() >= 4 && (weights.iter().sum::<f64>() - sum).abs() < rounding, "{found:?}");
    }
}
