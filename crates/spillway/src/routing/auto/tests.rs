//! What the configuration says to the ladder, and what workers make of records.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use base::Timestamp;
use steer::effect::{Fate, Place};
use steer::ladder::{Mode, Neighbor, Plan, Step};
use steer::rails::Class;
use telemetry::Record;
use telemetry::record::Observed;
use wire::Headers;

use super::Terms;
use super::situation::{away, candidates, for_routers};
use crate::config::Config;
use crate::routing::lookout::{Lookout, Sight, Spyglass, Watched};

const FILE: &str = r#"
networks = ["198.51.100.0/22", "2001:db8::/32"]
mode = "enforce"
[listen]
sflow = "127.0.0.1:0"
[customers.acme]
networks = ["198.51.100.0/24"]
[customers.careful]
networks = ["2001:db8:1::/48"]
[routing]
asn = 64512
router_id = "192.0.2.1"
[routing.peers.up]
address = "192.0.2.2"
asn = 64500
carries = ["flowspec"]
[routing.ladder]
behind = ["192.0.2.9"]
before = ["192.0.2.10"]
[routing.ladder.customers.acme]
steps = ["flowspec"]
[routing.ladder.customers.careful]
mode = "suggest"
[routing.links.transit]
capacity = "10 Gbps"
exporters = ["192.0.2.3"]
"#;

fn terms() -> Terms {
    let config = Config::parse(Path::new("f"), FILE).unwrap();
    Terms::of(&config, std::iter::once(ip("192.0.2.77"))).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_router_that_is_away_hears_of_routes_when_it_is_back_and_of_nothing_that_it_does_not_carry() {
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let plan = |texts: &[&str]| Plan {
        step: Step::Diversion,
        prefixes: prefixes(texts),
        rules: Vec::new(),
        neighbors: vec!["here".to_owned()],
        stops: 1.0,
        cuts: None,
        drilled: false,
    };
    let one = |name: &str, up: bool, carries: &[(Class, bool)], routes_left: usize| Neighbor {
        name: name.to_owned(),
        up,
        links: Vec::new(),
        carries: carries.to_vec(),
        rules_left: 0,
        routes_left,
    };
    let both = [(Class::Diversion, true), (Class::Diversion, false)];
    let all = [
        one("here", true, &both, 9),
        one("away", false, &both, 9),
        one("four", false, &both[..1], 9),
        one("full", false, &both, 0),
    ];
    assert_eq!(away(&plan(&["198.51.100.0/24"]), Class::Diversion, &all), ["away", "four"]);
    assert_eq!(away(&plan(&["2001:db8::/48"]), Class::Diversion, &all), ["away"]);
    assert!(away(&plan(&["198.51.100.0/24"]), Class::Blackhole, &all).is_empty());
}

#[test]
fn a_customers_policy_narrows_steps_and_mode() {
    let terms = terms();
    let policy = |target: &str| terms.policy(&target.parse().unwrap()).steps;
    assert_eq!(policy("198.51.102.7/32"), [Some(Mode::Enforce); 4]);
    assert_eq!(policy("2001:db8:1::7/128"), [Some(Mode::Suggest); 4]);
    let acme = policy("198.51.100.7/32");
    assert_eq!(acme, Step::ALL.map(|step| (step == Step::Flowspec).then_some(Mode::Enforce)));
}

#[test]
fn only_routers_that_act_are_believed_about_what_they_drop() {
    let terms = terms();
    let place = |exporter: &str, egress| terms.place(ip(exporter), egress);
    assert_eq!(place("192.0.2.2", false), (Place::At, true));
    assert_eq!(place("192.0.2.3", false), (Place::At, true));
    assert_eq!(place("192.0.2.3", true), (Place::Behind, false));
    assert_eq!(place("192.0.2.9", false), (Place::Behind, false));
    assert_eq!(place("192.0.2.77", false), (Place::Behind, false));
    assert_eq!(place("192.0.2.10", true), (Place::Before, false));
    assert_eq!(place("203.0.113.1", false), (Place::At, false));
}

#[test]
fn workers_count_what_rules_match_by_who_looked_and_what_became_of_it() {
    let mut parsed = rules::parse::rules("r dst 198.51.100.7/32 proto udp src-port 123 -> drop").unwrap();
    let rule = parsed.remove(0);
    let target = "198.51.100.7/32".parse().unwrap();
    let lookout = Lookout::default();
    let mut spyglass = Spyglass::default();
    let record = |port: u16, output: Option<u32>, observed: Observed| {
        let headers = Headers {
            src: ip("203.0.113.5"),
            dst: ip("198.51.100.7"),
            protocol: 17,
            ports: Some((port, 80)),
            ..Headers::NOTHING
        };
        let packet = wire::packet::Parsed { headers, payload: &[], transport: &[], vlan: None };
        Record { output_if: output, observed, ..Record::packet(Timestamp::from_secs(1), &packet) }
    };
    // Nothing is looked for yet.
    spyglass.see(ip("192.0.2.2"), false, &record(123, Some(0), Observed::Ingress));
    assert!(spyglass.take().is_empty());
    let rules = vec![(rule.id, rule.matches)];
    lookout.watch(vec![Watched { name: target, targets: vec![target], rules }]);
    spyglass.aim(&lookout.watched());
    assert!(Arc::ptr_eq(&lookout.watched(), &lookout.watched()));
    for (dropped, record) in [
        // No output says nothing before this one has named any.
        (false, record(123, Some(0), Observed::Ingress)),
        (false, record(123, Some(7), Observed::Ingress)),
        (false, record(123, Some(0), Observed::Ingress)),
        (true, record(123, None, Observed::Ingress)),
        (false, record(123, None, Observed::Egress)),
        (false, record(53, Some(7), Observed::Ingress)),
    ] {
        spyglass.see(ip("192.0.2.2"), dropped, &record);
    }
    // Of these two it told one by one.
    for port in [123, 53] {
        spyglass.see_dropped(ip("192.0.2.2"), &record(port, None, Observed::Unknown));
    }
    let seen = spyglass.take();
    let count = |rule: bool, egress: bool, fate: Fate| -> u64 {
        let is = |s: &&(crate::routing::lookout::Sighting, crate::routing::lookout::Amount)| {
            s.0.rule.is_some() == rule && s.0.egress == egress && s.0.fate() == fate
        };
        seen.iter().filter(is).map(|(_, amount)| amount.packets).sum()
    };
    assert_eq!(count(true, false, Fate::Unknown), 1);
    assert_eq!(count(true, false, Fate::Forwarded), 1);
    assert_eq!(count(true, false, Fate::Dropped), 2);
    assert_eq!((count(true, false, Fate::Notified), count(false, false, Fate::Notified)), (1, 1));
    assert_eq!(count(true, true, Fate::Unknown), 1);
    assert_eq!(count(false, false, Fate::Forwarded), 1);
}

#[test]
fn routers_are_told_what_flowspec_can_say_with_its_own_share_and_price_or_nothing() {
    let report = |id: &str, part: &str, price: f64| {
        serde_json::from_value(serde_json::json!({
            "id": id, "text": format!("{id} @1000 dst 198.51.100.7/32 proto tcp dst-port 443 {part} -> drop for 15m"),
            "action": "drop", "expires_at": Timestamp::from_secs(900).to_string(),
            "collateral": {"packets": price, "bytes": price, "peers": price,
                "packets_upper95": price, "bytes_upper95": price, "peers_upper95": price},
        }))
        .unwrap()
    };
    let mut attack = attack(101);
    attack.rules = vec![report("best", "window 1024", 0.0)];
    attack.covered = Some(1.0);
    let view = terms().view();
    let (unsaid, _) = for_routers(&attack, &view);
    assert!(unsaid.iter().all(|one| one.rule.id == "best"), "the ladder says why it is not sent");
    attack.router_rules = vec![report("said", "length 60", 0.004), report("also", "length 64", 0.0)];
    attack.covered_by_routers = Some(0.9);
    let (said, left_out) = for_routers(&attack, &view);
    assert!(left_out.is_empty());
    let told: Vec<_> = said.iter().map(|one| (one.rule.id.as_str(), one.stops, one.price)).collect();
    assert_eq!(told, [("said", 0.45, Some(0.004)), ("also", 0.45, Some(0.0))]);
    // This machine and absorbers get what is best.
    let best: Vec<_> = candidates(&attack).into_iter().map(|one| one.rule.id).collect();
    assert_eq!(best, ["best"]);
}

#[test]
fn how_often_an_attack_came_back_is_remembered_over_a_restart() {
    let folder = std::env::temp_dir().join(format!("spillway-ladder-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    assert!(super::memory::read(&folder).is_empty());
    let climb = steer::ladder::Climb::resumed(Timestamp::from_secs(9), Step::Flowspec, terms().hold());
    let target = "2001:db8:1::7/128".parse().unwrap();
    let barred = super::Barred {
        attack: Some("a".to_owned()),
        steps: [(Step::Flowspec, "it harms".to_owned())].into(),
        careful: true,
    };
    let all = [super::Remembered { target, climb, barred }];
    super::memory::write(&folder, &all);
    assert_eq!(super::memory::read(&folder), all);
    std::fs::write(folder.join("ladder.json"), b"[").unwrap();
    assert!(super::memory::read(&folder).is_empty());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// One of 10 Mbit/s that began at second 100, as it is at this one.
fn attack(second: u64) -> engine::report::Attack {
    let document = serde_json::json!({
        "event": "attack", "state": "active", "id": "a", "target": "198.51.100.7/32", "targets": ["198.51.100.7/32"],
        "direction": "in", "severity": "attack", "started_at": Timestamp::from_secs(100).to_string(),
        "detected_at": Timestamp::from_secs(100).to_string(), "ended_at": null, "peak_pps": 2_000, "peak_bps": 20_000_000,
        "vectors": [], "sources": {"count": 1, "nature": "spoofed", "confidence": 1.0, "top": []}, "rules": [], "explain": [],
        "packets": 1_000 * (second - 100), "bytes": 1_250_000 * (second - 100),
    });
    serde_json::from_value(document).unwrap()
}

#[test]
fn what_an_earlier_run_found_is_as_large_as_what_comes_until_it_was_counted_for_a_while() {
    let terms = Arc::new(terms());
    let look = |case: &mut super::Case, attack: &engine::report::Attack, second: u64| {
        case.hear(attack);
        case.measure(&Sight { terms: Arc::clone(&terms), ..Sight::quiet(Timestamp::from_secs(second)) });
    };
    let looked = |climb: steer::ladder::Climb, from: u64, at: u64| {
        let mut case = super::Case::new(&terms, "198.51.100.7/32".parse().unwrap(), climb);
        for second in from..=at {
            look(&mut case, &attack(second), second);
        }
        case.least(Timestamp::from_secs(at)).map(|least| least.bits.0)
    };
    let at = |step| steer::ladder::Climb::resumed(Timestamp::from_secs(130), step, terms.hold());
    // The mean of all that came, also after a restart at second 130 …
    assert_eq!(looked(at(Step::Diversion), 130, 134), Some(10e6));
    assert_eq!(looked(at(Step::Diversion), 130, 141), None, "counted for long enough");
    // … and for as long as nothing more of it is seen: what it once was at most is no reason to give anybody up …
    let mut over = super::Case::new(&terms, "198.51.100.7/32".parse().unwrap(), at(Step::Diversion));
    for second in 130..190 {
        look(&mut over, &attack(130), second);
    }
    assert!(over.least(Timestamp::from_secs(190)).is_some_and(|least| least.bits.0 < 5e6));
    // It is told in bundles, and a restart at second 130 begins in the midst of one: it is as large as before, also after its end.
    let mut jumps = super::Case::new(&terms, "198.51.100.7/32".parse().unwrap(), at(Step::Diversion));
    for second in 130..155 {
        let told = attack(second.min(142));
        let (packets, bytes) = if second % 2 == 1 && second < 142 { (500, 625_000) } else { (0, 0) };
        let told =
            engine::report::Attack { packets: told.packets + packets, bytes: told.bytes + bytes, ..told };
        look(&mut jumps, &told, second);
        let size = jumps.volume(Timestamp::from_secs(second)).bits.0;
        assert!(second < 140 || size < 11e6, "{size} at {second}");
    }
    // … but who is given up already is not spared for what nobody sees.
    assert_eq!(looked(at(Step::Blackhole), 130, 134), None);
    // One that was seen from its first second on is known soon.
    assert_eq!(looked(at(Step::Diversion), 101, 101), Some(10e6));
    assert_eq!(looked(at(Step::Diversion), 101, 103), None);
}
