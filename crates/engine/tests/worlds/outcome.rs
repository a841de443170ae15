//! What rules in force hit, told by devices and enforcers, against what was predicted.

use std::net::{IpAddr, Ipv4Addr};

use base::{Span, Timestamp};
use engine::report::Attack;
use engine::{Counters, Input, Output};
use sim::scenario::Scenario;
use wire::emit::sflow::{Datagram, FlowSample, Header};

use crate::late::told_of_the_past;
use crate::world::{Besides, Way, attacks, last, records, told_by};

/// `drop_reason` of an access list, and of a full buffer.
const ACL: u32 = 258;
const NO_BUFFER: u32 = 259;

/// A SYN flood on a web server after five minutes of peace, and who spoke with it before.
fn flood() -> (Scenario, Vec<Ipv4Addr>) {
    let mut scenario = sim::scenario::measured("crowd-syn-twin", Span::from_secs(300), 1).unwrap();
    scenario.config.span = Span::from_secs(340);
    let event = &scenario.events[0];
    let mut peers: Vec<Ipv4Addr> = records(&scenario)
        .iter()
        .filter(|record| record.at < event.start && event.target.contains(record.headers.dst))
        .filter_map(|record| match record.headers.src {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
        .collect();
    peers.sort_unstable();
    peers.dedup();
    (scenario, peers)
}

/// A SYN to port 443 in an Ethernet frame.
fn syn(src: Ipv4Addr, dst: IpAddr) -> Vec<u8> {
    let IpAddr::V4(dst) = dst else { panic!("an IPv4 world") };
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 58, 6, 0, 0]);
    frame.extend(src.octets());
    frame.extend(dst.octets());
    frame.extend([0xc3, 0x50, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x72, 0x10, 0, 0, 0, 0]);
    frame
}

/// A router that tells of one packet of each of these senders that it dropped for this reason, in each tick in which rules stand.
fn drops(scenario: &Scenario, senders: Vec<Ipv4Addr>, reason: u32) -> Besides {
    let target = scenario.events[0].target.addr();
    let mut sequence = 0;
    Box::new(move |_: Timestamp, told: &[(Timestamp, Attack)]| {
        if told.last().is_none_or(|(_, attack)| attack.rules.is_empty()) {
            return Vec::new();
        }
        let agent = [192, 0, 2, 1].into();
        let datagrams = senders.chunks(8).map(|some| {
            sequence += 1;
            let mut datagram = Datagram::new(&Header { agent, sub_agent: 9, sequence, uptime: sequence });
            for sender in some {
                let header = &syn(*sender, target);
                let frame_length = 64;
                let (source, rate, pool, input) = (1, 1, 1, 1);
                let sample = FlowSample {
                    sequence,
                    source,
                    rate,
                    pool,
                    drops: 0,
                    input,
                    output: 0,
                    frame_length,
                    header,
                };
                datagram.discard(&sample, reason);
            }
            datagram.finish()
        });
        datagrams.collect()
    })
}

fn told(scenario: &Scenario, besides: Besides) -> Vec<Attack> {
    let way = Way { besides: Some(besides), ..Way::default() };
    told_by(scenario, way, |_, _| true).into_iter().map(|(_, attack)| attack).collect()
}

#[test]
fn a_rule_that_is_seen_to_hit_peers_of_the_victim_is_withdrawn() {
    let (scenario, peers) = flood();
    assert!(peers.len() >= 10, "{} peers", peers.len());
    let all = told(&scenario, drops(&scenario, peers, ACL));
    let attack = attacks(last(all.clone())).remove(0);
    let withdrawn = attack.withdrawn.first().unwrap_or_else(|| panic!("{:#?}", attack.explain));
    assert!(withdrawn.reason.starts_with("it hits at least "), "{}", withdrawn.reason);
    assert!(attack.explain.iter().any(|line| line.starts_with(&format!("rule {} withdrawn", withdrawn.id))));
    // It was in force, is gone from then on, and does not come back.
    let gone = all.iter().position(|a| !a.withdrawn.is_empty()).unwrap();
    assert!(all[..gone].iter().any(|a| a.rules.iter().any(|rule| rule.id == withdrawn.id)));
    for later in &all[gone..] {
        let back = |w: &engine::report::Withdrawn| later.rules.iter().any(|rule| rule.id == w.id);
        assert!(!later.withdrawn.iter().any(back));
    }
}

#[test]
fn drops_of_strangers_and_drops_for_want_of_room_withdraw_nothing() {
    let (scenario, peers) = flood();
    let strangers = (0..40).map(|n| Ipv4Addr::from(0x0b00_0000 + n * 7919)).collect();
    for (senders, reason) in [(strangers, ACL), (peers, NO_BUFFER)] {
        let attack = attacks(last(told(&scenario, drops(&scenario, senders, reason)))).remove(0);
        assert!(attack.withdrawn.is_empty(), "{:?}", attack.withdrawn);
        assert!(!attack.rules.is_empty());
        let seen = attack.explain.iter().any(|line| line.contains(" in force: of "));
        assert_eq!(seen, reason == ACL);
    }
}

/// Packets of strangers in each tick until the end of a world whose flood ends long before: filtered, it goes on.
#[test]
fn an_attack_goes_on_while_a_router_tells_that_it_drops_its_packets() {
    let (mut scenario, peers) = flood();
    let flood_ends = scenario.events[0].start.plus(scenario.events[0].span);
    scenario.config.span = Span::from_secs(460);
    let strangers: Vec<Ipv4Addr> = (0..40).map(|n| Ipv4Addr::from(0x0b00_0000 + n * 7919)).collect();
    let goes_on = |senders: Vec<Ipv4Addr>, reason| {
        let attack = attacks(last(told(&scenario, drops(&scenario, senders, reason)))).remove(0);
        assert_eq!(attack.state == engine::report::State::Active, attack.dropped_until.is_some());
        attack.dropped_until.is_some_and(|until| until > flood_ends.plus(Span::from_secs(60)))
    };
    assert!(goes_on(strangers.clone(), ACL));
    // Not by what is dropped for want of room, by a few, or by honest ones.
    assert!(!goes_on(strangers.clone(), NO_BUFFER));
    assert!(!goes_on(peers, ACL));
}

#[test]
fn what_an_enforcer_counts_goes_through_the_same_door() {
    let (mut engine, attacks) = told_of_the_past(Span::from_secs(16));
    let rule = attacks[0].rules[0].id.clone();
    let mut until = engine.now();
    let mut count = |honest: u32| {
        until = until.plus(Span::from_secs(1));
        let peers = (0..honest).map(|n| (IpAddr::from([203, 0, 113, u8::try_from(n).unwrap()]), 3));
        let counters = Counters { rule: rule.clone(), packets: 100_000, honest: peers.collect() };
        engine.handle(until, Input::Counters { until, counters: vec![counters] });
        engine.handle_timeout(until);
        let told = std::iter::from_fn(|| engine.poll_output()).last();
        told.map_or(0, |Output::Attack { attack, .. }| attack.withdrawn.len())
    };
    assert_eq!(count(0), 0);
    assert_eq!(count(40), 1);
}
