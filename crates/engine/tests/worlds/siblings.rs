//! Two hosts of one kind are attacked in the same way, the first so thinly sampled that it is found late: what its attack left
//! among the honest packets must not spare the other's.

use std::net::IpAddr;

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity};
use engine::{Engine, Floor, Input, Output, Profile, Settings, Shard};
use telemetry::Record;
use wire::packet::{TCP, Tcp, flags};

use crate::world::datagram;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// N of 1:N.
const RATE: u32 = 1000;

/// The two, and a third that nobody attacks.
fn hosts(v4: bool) -> [IpAddr; 3] {
    [1u8, 2, 3].map(|n| match v4 {
        true => IpAddr::from([198, 18, 7, n]),
        false => IpAddr::from([0x2001, 0xdb8, 7, 0, 0, 0, 0, u16::from(n)]),
    })
}

fn source(v4: bool, number: u32) -> IpAddr {
    match v4 {
        true => IpAddr::from((0x0b00_0000 + number.wrapping_mul(2_654_435_761) % 0x00ff_ffff).to_be_bytes()),
        false => IpAddr::from(
            (0x2400_u128 << 112 | u128::from(number.wrapping_mul(2_654_435_761)) << 64 | 1).to_be_bytes(),
        ),
    }
}

/// Attacks that are known in the end; the engine is started again after the first, if so.
fn played(v4: bool, restart: bool) -> Vec<Attack> {
    let networks = vec!["198.18.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let settings = Settings { networks, floor: Floor::Low, ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (record, mut number) = (datagram(), 0u32);
    for tick in 0u64..4 * 100 {
        let until = START.plus(settings.tick.times(tick + 1));
        let mut one = |dst: IpAddr, honest: bool| {
            number += 1;
            let mut one: Record = record;
            let turn = u16::try_from(number % 20_000).unwrap();
            one.sampling.rate = Some(RATE);
            one.headers.src = source(v4, if honest { number % 50 } else { number });
            one.headers.dst = dst;
            one.headers.length = if honest { 60 + u32::from(turn % 1300) } else { 928 };
            one.bytes = one.headers.length.into();
            if honest {
                one.headers.protocol = TCP;
                one.headers.ports = Some((33_000 + turn, 443));
                one.headers.tcp = Some(Tcp { flags: flags::ACK | flags::PSH, window: 500, options_len: 12 });
            } else {
                one.headers.ports = Some((1024 + turn, 9999));
            }
            one.at = until.minus(Span::from_millis(u64::from(1 + 7 * number % 240)));
            (one.start, one.end) = (one.at, one.at);
            shard.record(&one);
        };
        for host in hosts(v4) {
            one(host, true);
        }
        let [first, second, _] = hosts(v4);
        // 5,000 packets a second, of which five are seen, and 200,000.
        if tick >= 160 {
            (0..1 + u8::from(tick % 4 == 0)).for_each(|_| one(first, false));
        }
        if tick >= 280 {
            (0..50).for_each(|_| one(second, false));
        }
        if restart && tick == 260 {
            let (attacks, learned) = (engine.snapshot_attacks(), engine.snapshot_learned());
            engine = Engine::restore(settings.clone(), Seed::new(2), &attacks).unwrap();
            engine.remember(&learned).unwrap();
        }
        engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        while let Some(Output::Attack { .. }) = engine.poll_output() {}
    }
    engine.attacks()
}

#[test]
fn what_an_attack_that_is_found_late_left_among_honest_packets_does_not_spare_the_same_attack_on_a_host_like_its_target()
 {
    for (v4, restart) in [(true, false), (false, false), (true, true), (false, true)] {
        let attacks = played(v4, restart);
        let [first, second, _] = hosts(v4);
        let of = |host: IpAddr| {
            let is = |one: &&Attack| one.target.contains(host) && one.severity == Severity::Attack;
            attacks.iter().find(is).unwrap_or_else(|| panic!("{host}: {attacks:#?}"))
        };
        let late = of(first).detected_at.since(of(first).started_at);
        // Longer than the last ticks are held.
        assert!(late > Span::from_millis(2_500), "it was not found late, but after {late:?}");
        for host in [first, second] {
            let rules = &of(host).rules;
            let acts = |rule: &&engine::report::RuleReport| {
                rule.action == "drop"
                    && rule.collateral.is_some_and(|price| price.packets.max(price.peers) < 0.01)
            };
            assert!(rules.iter().any(|rule| acts(&rule)), "{host}: {rules:#?} {:#?}", of(host).explain);
        }
    }
}
