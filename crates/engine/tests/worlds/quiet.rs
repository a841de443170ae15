//! An attack is over while its target goes on to get packets of its kind: those that it always gets.

use std::net::{IpAddr, Ipv4Addr};

use base::map::Seed;
use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, Severity, State};
use engine::settings::{Tuning, Tunings};
use engine::{Engine, Floor, Input, Profile, Settings, Shard};
use telemetry::Record;
use telemetry::record::Sampling;
use wire::packet::flags::{ACK, SYN};

use crate::world::{measured, outputs, records};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 7, 7));

fn start() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

/// Packets of TCP to one host, each seen: 100 connections a second for three minutes, each a SYN and, from the same client,
/// two packets of data; from second 40 on ten seconds of a flood of SYNs from anywhere, and `rest` a second after it.
fn packets(rest: u64) -> Vec<Record> {
    let syn = |record: &Record| record.headers.tcp.is_some_and(|tcp| tcp.flags == SYN);
    let model = records(&measured("syn-200k", 1)).into_iter().find(syn).unwrap();
    let one = |at: Span, src: u32, flags: u16, payload: u32| {
        let at = start().plus(at);
        let mut record = Record { at, start: at, end: at, sampling: Sampling::EVERY, ..model };
        (record.headers.src, record.headers.dst) = (Ipv4Addr::from(src).into(), HOST);
        record.headers.tcp.as_mut().unwrap().flags = flags;
        record.headers.payload_len = Some(payload);
        record
    };
    let mut all = Vec::new();
    for n in 0..18_000u64 {
        let (at, client) = (10 * n, 0x0b00_0000 + u32::try_from(n % 900).unwrap());
        all.push(one(Span::from_millis(at), client, SYN, 0));
        all.extend([2, 4].map(|later| one(Span::from_millis(at + later), client, ACK, 300)));
    }
    let forged =
        |n: u64| 0x5000_0000 | u32::try_from(n.wrapping_mul(2_654_435_761) >> 8 & 0xff_ffff).unwrap();
    all.extend((0..50_000).map(|n| one(Span::from_nanos(40_000_000_000 + n * 200_000), forged(n), SYN, 0)));
    let rests = (0..rest * 100).map(|n| 50_000_000_000 + n * 1_000_000_000 / rest.max(1));
    all.extend(rests.map(|nanos| one(Span::from_nanos(nanos), forged(nanos), SYN, 0)));
    all.sort_by_key(|record| record.at);
    all
}

fn told(rest: u64) -> Vec<Attack> {
    let settings = Settings { floor: Floor::Low, ..Settings::of(Profile::Daemon) };
    let mut told = outputs(&packets(rest), settings, 1, 1);
    told.retain(|attack| attack.severity == Severity::Attack);
    told
}

#[test]
fn a_flood_of_syns_is_over_though_clients_go_on_to_connect() {
    let told = told(0);
    let last = told.last().unwrap();
    assert!(told.iter().all(|attack| attack.id == last.id), "one attack");
    assert_eq!(last.state, State::Over);
    let ended = last.ended_at.unwrap().since(start()).secs();
    assert!((49..60).contains(&ended), "the last of it was at {ended}");
    let [usual] = last.usual_syns.as_slice() else { panic!("{:?}", last.usual_syns) };
    assert_eq!(usual.target.addr(), HOST);
    assert!((95..=160).contains(&usual.pps), "{usual:?}");
}

#[test]
fn a_prefix_with_a_floor_of_its_own_is_judged_by_it() {
    let forged = |record: &Record| matches!(record.headers.src, IpAddr::V4(v4) if v4.octets()[0] == 0x50);
    // Five thousand SYNs a second, and a thousand: above and below what is harmless where nobody says it.
    let loud = packets(0);
    let faint: Vec<Record> = loud
        .iter()
        .enumerate()
        .filter(|(n, record)| !forged(record) || n % 5 == 0)
        .map(|(_, record)| *record)
        .collect();
    let attacks = |records: &[Record], prefix: &str, tuning: Tuning| {
        let tuning = Tunings::new([(prefix.parse().unwrap(), tuning)]);
        let settings = Settings { tuning, ..Settings::of(Profile::Daemon) };
        let told = outputs(records, settings, 1, 1);
        told.iter().any(|attack| attack.severity == Severity::Attack)
    };
    let floor = |pps: f64| Tuning { floor_pps: Some(pps), multiple: None };
    assert!(attacks(&loud, "198.18.8.0/24", floor(50_000.0)), "of another prefix");
    assert!(!attacks(&loud, "198.18.7.0/24", floor(50_000.0)));
    assert!(!attacks(&faint, "198.18.8.0/24", floor(300.0)), "of another prefix");
    assert!(attacks(&faint, "198.18.7.7/32", floor(300.0)));
}

#[test]
fn a_flood_that_goes_on_with_less_is_not_over() {
    // Less than a third of it, and still above what is harmless.
    let told = told(1_500);
    let last = told.last().unwrap();
    let ended = last.ended_at.map(|end| end.since(start()).secs());
    assert!(told.iter().all(|attack| attack.id == last.id), "one attack");
    assert!(ended.is_none_or(|ended| ended >= 149), "over at {ended:?}");
}

#[test]
fn what_a_target_gets_in_peace_is_known_while_it_is_attacked() {
    let settings = Settings { floor: Floor::Low, ..Settings::of(Profile::Daemon) };
    let tick = settings.tick;
    let mut shard = Shard::new(settings.profile, &settings.networks, tick, 7);
    let mut engine = Engine::new(settings, Seed::new(1));
    let host = Prefix::host(HOST);
    assert_eq!(engine.usual(&host), None, "nothing is known yet");
    let mut records = packets(0).into_iter().peekable();
    let mut until = start();
    let mut known = Vec::new();
    // In peace, and five seconds into the flood.
    for end in [38, 45] {
        while until < start().plus(Span::from_secs(end)) {
            until = until.plus(tick);
            while let Some(record) = records.next_if(|record| record.at < until) {
                shard.record(&record);
            }
            engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
        }
        known.push(engine.usual(&host).unwrap());
    }
    // 100 SYNs and 200 segments, all as long as the model's SYN by the octets that the records tell.
    for (packets, bits) in known {
        assert!((250.0..600.0).contains(&packets), "{packets} packets/s");
        assert!((300.0 * 20.0 * 8.0..300.0 * 80.0 * 8.0).contains(&bits), "{bits} bit/s");
    }
    assert_eq!(engine.usual(&"203.0.113.1/32".parse().unwrap()), None);
}

/// Runs a core over these packets, and closes the attack that goes on once this second is over: all that was told, and when.
fn closed_at(second: u64, records: &[Record]) -> Vec<(u64, Attack)> {
    let settings = Settings { floor: Floor::Low, ..Settings::of(Profile::Daemon) };
    let mut shard = Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut engine = Engine::new(settings.clone(), Seed::new(1));
    let (mut told, mut tick, mut closed) = (Vec::new(), 0, false);
    for record in records {
        let now = record.at.tick(settings.tick);
        if now != tick {
            tick = now;
            let until = Timestamp::ZERO.plus(settings.tick.times(tick));
            engine.handle(until, Input::Tick { until, shards: vec![shard.close()] });
            if !closed && until.since(start()) >= Span::from_secs(second) {
                closed = true;
                let active = engine.attacks().into_iter().find(|attack| attack.state == State::Active);
                engine.handle(until, Input::Close { id: active.unwrap().id });
            }
            while let Some(engine::Output::Attack { attack, .. }) = engine.poll_output() {
                told.push((until.since(start()).secs(), *attack));
            }
        }
        shard.record(record);
    }
    told.retain(|(_, attack)| attack.severity == Severity::Attack);
    told
}

#[test]
fn what_a_person_closed_is_over_at_once_and_left_alone_for_a_while_unless_it_grows() {
    let again = |rest: u64| {
        let told = closed_at(47, &packets(rest));
        let first = told.iter().find(|(_, attack)| attack.state == State::Over).unwrap();
        let (at, attack) = first;
        assert_eq!((*at, attack.ended_at.unwrap().since(start()).secs()), (47, 47));
        assert!(
            attack.explain.iter().any(|line| line.contains("a person closed it")),
            "{:?}",
            attack.explain
        );
        told.iter().find(|(_, other)| other.id != attack.id).map(|(at, _)| *at)
    };
    // It ends by itself three seconds later; it goes on as it was; it becomes three times as much.
    assert_eq!(again(0), None);
    let later = again(5_000).unwrap();
    assert!((107..112).contains(&later), "told again at {later}");
    let grown = again(15_000).unwrap();
    assert!((50..54).contains(&grown), "told again at {grown}");
}
