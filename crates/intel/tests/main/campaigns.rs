//! Made-up booters, each with its list of reflectors or its tool: which attacks are put together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};
use intel::campaign::{Campaigns, Trace, chance};
use intel::dossier::{Dossier, Reporter, VectorFacts};
use intel::export::{Shared, Terms, ddosch};
use intel::finding::{Class, Finding, Reason};
use sim::rng::Rng;

use crate::mixtures::incident;

/// Reflectors that anybody can find.
const KNOWN: u64 = 60_000;
const BOOTERS: u64 = 25;
const ATTACKS: u64 = 12;

fn reflector(number: u64) -> IpAddr {
    IpAddr::from(u32::try_from(0x2d00_0000 + number * 1013).unwrap().to_be_bytes())
}

fn finding(address: IpAddr) -> Finding {
    Finding {
        confidence: 0.97,
        reasons: vec![Reason::P1],
        packets: 10,
        bytes: 4_000,
        first: Timestamp::from_secs(1_700_000_000),
        last: Timestamp::from_secs(1_700_000_060),
        vectors: vec![0],
        ports: Some((123, 80)),
        ip_protocol: 17,
        reflects: Some("ntp".into()),
        ..Finding::of(address, Class::Reflector)
    }
}

/// An attack of a booter: two of five of its list, which changes by a fifth over its life.
fn attack(booter: u64, turn: u64, rng: &mut Rng) -> Dossier {
    let list = |place: u64| {
        let generation = if place * 12 / 5 < turn * 250 { turn / 4 } else { 0 };
        Rng::part(Rng::part(booter << 20, generation).bits(), place).below(KNOWN)
    };
    let mut used: Vec<u64> = (0..2_500).filter(|_| rng.chance(0.4)).map(list).collect();
    used.sort_unstable();
    used.dedup();
    let mut incident = incident(true);
    incident.started = Timestamp::from_secs(1_700_000_000 + rng.below(30) * 86_400);
    let seconds = rng.pick(&[60u64, 300, 600]);
    incident.packets = 1_000;
    incident.vectors = vec![VectorFacts {
        name: "udp-amplification-ntp".into(),
        share: 1.0,
        packets: 1_000,
        last: incident.started.plus(Span::from_secs(seconds)),
        shapes: vec![("ip=4 ttl=64 proto=udp len=468 sport=123 payload=00d70003002a0006".into(), 1_000)],
        ..VectorFacts::default()
    }];
    let findings = used.into_iter().map(|n| finding(reflector(n))).collect();
    Dossier { incident, findings, reporter: Reporter::default() }
}

#[test]
fn attacks_of_a_booter_are_put_together_and_those_of_others_are_not() {
    let mut rng = Rng::new(11);
    let mut campaigns = Campaigns::default();
    let mut of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for turn in 0..ATTACKS {
        for booter in 0..BOOTERS {
            let trace = Trace::of(&attack(booter, turn, &mut rng), 9);
            let link = campaigns.place(trace);
            assert!((0.0..=1.0).contains(&link.score));
            of.entry(booter).or_default().push(link.campaign);
        }
    }
    // Pairs that are together, and of these those that should be; and the same the other way round.
    let all: Vec<(u64, usize)> = of.iter().flat_map(|(b, c)| c.iter().map(|c| (*b, *c))).collect();
    let (mut together, mut right, mut belong) = (0.0, 0.0, 0.0);
    for (at, a) in all.iter().enumerate() {
        for b in &all[at + 1..] {
            together += f64::from(u8::from(a.1 == b.1));
            belong += f64::from(u8::from(a.0 == b.0));
            right += f64::from(u8::from(a == b));
        }
    }
    println!("precision {:.3}, recall {:.3} over {} attacks", right / together, right / belong, all.len());
    assert!(right / together >= 0.99 && right / belong >= 0.69);
}

#[test]
fn floods_of_a_tool_that_anybody_has_are_not_one_campaign() {
    let flood = |shape: &str, tool: bool| {
        let mut incident = incident(true);
        incident.packets = 1_000;
        incident.vectors = vec![VectorFacts {
            name: "tcp-syn-flood".into(),
            packets: 1_000,
            last: incident.started.plus(Span::from_secs(60)),
            shapes: vec![(shape.into(), 1_000)],
            tools: if tool { vec![("hping3-tcp".into(), "hping3".into(), 1_000)] } else { Vec::new() },
            ..VectorFacts::default()
        }];
        Trace::of(&Dossier { incident, findings: Vec::new(), reporter: Reporter::default() }, 9)
    };
    let mut campaigns = Campaigns::default();
    assert!(campaigns.place(flood("ip=4 win=512", true)).is_new);
    assert!(campaigns.place(flood("ip=4 win=512", true)).is_new);
    let own = campaigns.place(flood("ip=4 win=31337 opts=o77", false));
    let again = campaigns.place(flood("ip=4 win=31337 opts=o77", false));
    assert!(own.is_new && !again.is_new && again.campaign == own.campaign, "{again:?}");
}

#[test]
fn a_trace_holds_no_address_and_outlives_being_written() {
    let dossier = attack(3, 0, &mut Rng::new(1));
    let trace = Trace::of(&dossier, 9);
    let text = serde_json::to_string(&trace).unwrap();
    for finding in &dossier.findings {
        assert!(!text.contains(&finding.address.to_string()));
    }
    assert_eq!(serde_json::from_str::<Trace>(&text).unwrap(), trace);
    assert!(text.len() < 3_000, "{}", text.len());
}

/// Two attacks of one booter and one of another, as traces, as our fingerprints, and as the dissector would have written those.
#[test]
fn fingerprints_of_others_are_compared_with_own_traces_and_new_is_an_answer() {
    let rules = intel::Rules::embedded().unwrap();
    let mut rng = Rng::new(5);
    let attacks = [attack(3, 0, &mut rng), attack(3, 1, &mut rng), attack(4, 0, &mut rng)];
    let fingerprint = |dossier: &Dossier, ours: bool| {
        let mut told = ddosch::fingerprint(&Shared::new(dossier, Terms::default()));
        let vector = &mut told.attack_vectors[0];
        (vector.source_port, vector.protocol) = (ddosch::Spread::One(123), "UDP".to_owned());
        if !ours {
            told.spillway = None;
            told.attack_vectors[0].spillway = None;
        }
        ddosch::trace(&told, &rules, 9).unwrap()
    };
    let own = Trace::of(&attacks[0], 9);
    for ours in [true, false] {
        let same = fingerprint(&attacks[0], ours);
        assert_eq!((&same.reflectors, &same.vectors), (&own.reflectors, &own.vectors), "ours: {ours}");
        let odds = |other: &Dossier| own.likeness(&fingerprint(other, ours)).0;
        assert!(chance(odds(&attacks[1])) > 0.9, "the same list of reflectors");
        assert!(chance(odds(&attacks[2])) < 0.5, "new");
    }
}

#[test]
fn a_trace_of_others_that_cannot_be_one_is_refused_with_its_field() {
    let own = Trace::of(&attack(3, 0, &mut Rng::new(1)), 9);
    assert_eq!(own.check(), Ok(()));
    let good = serde_json::to_value(&own).unwrap();
    for (field, value, why) in [
        ("/seconds", serde_json::json!(-1.0), "seconds"),
        ("/reflectors/digest", "zz".repeat(256).into(), "reflectors: no digest"),
        ("/reflectors/digest", "00".into(), "reflectors: no digest"),
        ("/reflectors/count", 7.into(), "reflectors: no digest"),
        ("/shapes", serde_json::json!({"a": 1e300}), "shapes: the share of a"),
        ("/vectors", serde_json::json!(vec!["x"; 5_000]), "more than"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(field).unwrap() = value;
        let said = serde_json::from_value::<Trace>(bad).unwrap().check().unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}
