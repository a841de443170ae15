//! The table engine in the tree's place, and single rules beside a set.

use base::Span;
use dataplane::{Clock, Engine, Error, Plane, Policy, Removed};
use proptest::strategy::{Strategy, ValueTree};
use rules::{Action, Rule, RuleSet, parse};

use crate::agreement::{frame, plane, plane_with, runner};
use crate::make::{self, Packet, udp};

const DROP: u32 = 1;
const PASS: u32 = 2;

fn rule(text: &str) -> Rule {
    parse::rules(text).unwrap().remove(0)
}

fn policy(text: &str) -> Policy {
    Policy { rules: RuleSet::new(parse::rules(text).unwrap()), ..Policy::default() }
}

/// The id of the rule that decides, and what became of the packet.
fn fate(plane: &Plane, packet: &Packet) -> (Option<String>, u32) {
    let (returned, place) = plane.trace(&frame(&packet.bytes())).unwrap();
    (place.map(|place| plane.id_at(place).unwrap()), returned)
}

fn port(port: u16) -> Packet {
    Packet { ports: (1024, port), ..udp() }
}

#[test]
fn where_the_tree_is_refused_the_same_rules_are_read_from_maps_and_said_so() {
    let Some(plane) = plane().map(Plane::without_long_jumps) else { return };
    let many: String = (0..9000u32)
        .map(|i| {
            format!(
                "r{i} dst 10.{}.{}.{} proto udp dst-port {}-{} -> drop\n",
                i >> 16,
                i >> 8 & 255,
                i & 255,
                i,
                i + 9
            )
        })
        .collect();
    let small = plane.install(&policy("a proto udp dst-port 53 -> drop\n")).unwrap();
    assert_eq!((small.engine, small.no_tree), (Engine::Tree, None));
    let large = policy(&many);
    let forced = Policy { engine: Engine::Tree, ..large.clone() };
    assert!(matches!(plane.install(&forced), Err(Error::Compile(_))));
    assert_eq!(fate(&plane, &port(53)), (Some("a".into()), DROP), "what was in force stays");
    let installed = plane.install(&large).unwrap();
    assert_eq!(installed.engine, Engine::Maps);
    assert!(installed.no_tree.is_some_and(|why| why.contains("6.6")));
    let force = plane.in_force().unwrap();
    assert_eq!((force.engine, force.fallbacks, force.rules), (Engine::Maps, 1, 9000));
    for i in (0..9000u16).step_by(37) {
        let dst = format!("10.0.{}.{}", i >> 8, i & 255).parse().unwrap();
        let packet = |port| Packet { src: "192.0.2.1".parse().unwrap(), dst, ports: (1, port), ..udp() };
        assert_eq!(fate(&plane, &packet(i + 9)), (Some(format!("r{i}")), DROP));
        assert_eq!(fate(&plane, &packet(i + 10)), (None, PASS));
    }
}

#[test]
fn what_the_verifier_gives_up_on_is_read_from_maps() {
    let Some(plane) = plane() else { return };
    let mut runner = runner(42);
    let mut rules: Vec<Rule> = Vec::new();
    while rules.len() < 6000 {
        let rule = make::rule().new_tree(&mut runner).unwrap().current();
        if !matches!(rule.action, Action::Redirect(_)) {
            rules.push(Rule { id: format!("r{}", rules.len()), lease: None, ..rule });
        }
    }
    let policy = Policy { rules: RuleSet::new(rules), ..Policy::default() };
    let installed = plane.install(&policy).unwrap();
    assert_eq!(installed.engine, Engine::Maps);
    assert!(installed.no_tree.is_some_and(|why| why.contains("verifier")));
    assert_eq!(plane.in_force().unwrap().fallbacks, 1);
    let mut hits = 0;
    for _ in 0..2000 {
        let bytes = make::a_packet().new_tree(&mut runner).unwrap().current().bytes();
        let wanted = policy.rules.decide_index(&make::parsed(&bytes));
        assert_eq!(plane.trace(&frame(&bytes)).unwrap().1, wanted);
        hits += u32::from(wanted.is_some());
    }
    assert!(hits > 600, "{hits} of 2000");
}

#[test]
fn a_list_too_long_for_one_packet_is_refused_and_never_cut() {
    let Some(plane) = plane() else { return };
    plane.install(&policy("a proto udp -> drop\n")).unwrap();
    let some = |count: u32| -> String {
        (0..count).map(|i| format!("r{i} proto udp dst-port {i} -> drop\n")).collect()
    };
    let with = |text: &str| Policy { engine: Engine::Maps, ..policy(text) };
    let refused = plane.install(&with(&some(4092))).unwrap_err();
    assert!(refused.to_string().contains("would meet 4093 rules"), "{refused}");
    let ports: Vec<String> = (0..300).map(|i| (i * 2).to_string()).collect();
    let ports = format!("p proto udp dst-port {} -> drop\n", ports.join(","));
    let refused = plane.install(&with(&ports)).unwrap_err();
    assert!(refused.to_string().contains("rule number 1 asks 300 things"), "{refused}");
    assert_eq!(fate(&plane, &port(1)), (Some("a".into()), DROP), "what was in force stays");
    // As many as there may be: the last of them is found.
    plane.install(&with(&some(4091))).unwrap();
    assert_eq!(fate(&plane, &port(4090)), (Some("r4090".into()), DROP));
    assert_eq!(fate(&plane, &port(4091)), (None, PASS));
}

#[test]
fn a_single_rule_is_in_force_at_once_and_leaves_no_trace_when_removed() {
    let Some(plane) = plane() else { return };
    assert!(matches!(plane.add(&rule("x -> drop\n")), Err(Error::NotOurs)), "nothing is in force");
    for engine in [Engine::Tree, Engine::Maps] {
        let base = "b @5 proto udp dst-port 53 -> pass\nz @9 proto udp -> drop\n";
        plane.install(&Policy { engine, ..policy(base) }).unwrap();
        assert_eq!(fate(&plane, &port(53)), (Some("b".into()), PASS));
        plane.add(&rule("late @7 proto udp dst-port 53-60 -> drop\n")).unwrap();
        plane.add(&rule("early @1 dst 198.51.100.7 proto udp dst-port 53 payload 1:01 -> drop\n")).unwrap();
        assert_eq!(fate(&plane, &port(53)), (Some("early".into()), DROP), "its payload is read");
        assert_eq!(fate(&plane, &Packet { payload: vec![9; 9], ..port(53) }), (Some("b".into()), PASS));
        assert_eq!(fate(&plane, &port(54)), (Some("late".into()), DROP), "before z");
        assert_eq!(fate(&plane, &port(61)), (Some("z".into()), DROP));
        let ids: Vec<String> =
            plane.counts().unwrap().into_iter().map(|c| format!("{} {}", c.id, c.packets)).collect();
        assert_eq!(ids, ["early 1", "b 2", "late 1", "z 1"], "in deciding order");
        assert_eq!(plane.in_force().unwrap().added, 2);
        assert!(matches!(plane.add(&rule("b -> drop\n")), Err(Error::Twice(id)) if id == "b"));
        assert!(matches!(plane.remove("nobody"), Err(Error::Unknown(_))));
        assert_eq!(plane.remove("early").unwrap(), Removed::Gone);
        assert_eq!(fate(&plane, &port(53)), (Some("b".into()), PASS));
        assert_eq!(plane.remove("z").unwrap(), Removed::Lapsed);
        assert_eq!(fate(&plane, &port(61)).1, PASS, "as if its lease were over");
        let left: Vec<String> = plane.rules().unwrap().unwrap().into_iter().map(|rule| rule.id).collect();
        assert_eq!(left, ["b", "late"]);
        assert_eq!(plane.remove("late").unwrap(), Removed::Gone);
        assert_eq!(fate(&plane, &port(54)).1, PASS);
        assert_eq!(plane.in_force().unwrap().added, 0);
    }
    // Who did not put a set in force can take note of it, if it is that one.
    let other = policy("b proto tcp -> drop\n");
    plane.install(&other).unwrap();
    assert!(!plane.adopt(&policy("a proto tcp -> drop\n")).unwrap(), "another rule");
    assert!(!plane.adopt(&Policy { digest: [1; 32], ..other.clone() }).unwrap(), "another digest");
    assert!(plane.adopt(&other).unwrap());
    plane.add(&rule("one proto udp dst-port 53 -> drop\n")).unwrap();
    assert!(!plane.adopt(&other).unwrap(), "a single rule stands beside it");
    // The next whole set begins without any, and the one before it still has its own.
    plane.install(&policy("a proto tcp -> drop\n")).unwrap();
    plane.add(&rule("one proto udp dst-port 53 -> drop\n")).unwrap();
    plane.install(&policy("a proto tcp -> drop\n")).unwrap();
    assert_eq!(fate(&plane, &port(53)), (None, PASS));
    assert!(plane.roll_back().unwrap());
    assert_eq!(fate(&plane, &port(53)), (Some("one".into()), DROP));
}

#[test]
fn a_single_rule_works_beside_no_rules_at_all_and_its_lease_ends() {
    let Some(plane) = plane_with(Clock::Set) else { return };
    plane.install(&Policy::default()).unwrap();
    plane.set_clock(1_000_000_000).unwrap();
    let leased = rule("r proto udp -> drop for 10s\n");
    assert_eq!(leased.lease, Some(Span::from_secs(10)));
    plane.add(&leased).unwrap();
    for (now, wanted) in [(1_000_000_000, DROP), (10_999_999_999, DROP), (11_000_000_000, PASS)] {
        plane.set_clock(now).unwrap();
        assert_eq!(fate(&plane, &udp()).1, wanted, "at {now}");
    }
}

#[test]
fn single_rules_fill_their_table_and_no_more() {
    let Some(plane) = plane() else { return };
    plane.install(&policy("a proto tcp -> drop\n")).unwrap();
    let one = |i: u16| rule(&format!("r{i} dst 198.51.100.7 proto udp dst-port {i} -> drop\n"));
    for i in 0..256 {
        plane.add(&one(i)).unwrap();
    }
    assert!(matches!(plane.add(&one(256)), Err(Error::Added { most: 256 })));
    for i in [0, 128, 255] {
        assert_eq!(fate(&plane, &port(i)), (Some(format!("r{i}")), DROP));
    }
    assert_eq!(fate(&plane, &port(256)), (None, PASS));
    assert_eq!(plane.remove("r7").unwrap(), Removed::Gone);
    plane.add(&one(256)).unwrap();
    assert_eq!(fate(&plane, &port(256)), (Some("r256".into()), DROP));
}

#[test]
fn payload_far_behind_the_first_octets_is_read_from_the_frame() {
    let Some(plane) = plane() else { return };
    let mut runner = runner(41);
    for _ in 0..300 {
        let (offset, len, flip) =
            (0usize..1200, 1usize..90, 0usize..90).new_tree(&mut runner).unwrap().current();
        let octets: Vec<u8> = (0..1300usize).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
        let hex: String = octets[offset..offset + len].iter().map(|octet| format!("{octet:02x}")).collect();
        let rules = format!("p proto udp payload {offset}:{hex} -> drop\n");
        plane.install(&Policy { engine: Engine::Maps, ..policy(&rules) }).unwrap();
        for (change, cut) in [(None, 0), (Some(flip), 0), (None, flip)] {
            let mut payload = octets.clone();
            if let Some(at) = change {
                payload[offset + at % len] ^= 1;
            }
            payload.truncate(offset + len - cut.min(len));
            let packet = Packet { payload, ..udp() };
            let bytes = packet.bytes();
            let wanted = RuleSet::new(parse::rules(&rules).unwrap()).decide(&make::parsed(&bytes)).is_some();
            assert_eq!(fate(&plane, &packet).1 == DROP, wanted, "{rules} {change:?} {cut}");
        }
    }
}

#[test]
fn no_packet_is_lost_while_single_rules_come_and_go() {
    const PACKETS: u32 = 2_000_000;
    let Some(plane) = plane() else { return };
    for engine in [Engine::Tree, Engine::Maps] {
        plane.install(&Policy { engine, ..policy("base @5 proto udp -> drop\n") }).unwrap();
        let left =
            |place: &str| plane.leaves().unwrap().into_iter().find(|t| t.place == place).unwrap().packets;
        let before = left("dropped");
        let mut turns = 0u32;
        let last = std::thread::scope(|scope| {
            let sender = scope.spawn(|| plane.test_run(&frame(&udp().bytes()), PACKETS).unwrap().returned);
            while !sender.is_finished() || turns < 50 {
                // Before the base, behind it, and beside it.
                for (id, question) in [("a @1", "proto udp"), ("b @9", "proto udp"), ("c @1", "proto tcp")] {
                    plane.add(&rule(&format!("{id} {question} -> drop\n"))).unwrap();
                }
                for id in ["b", "a", "c"] {
                    assert_eq!(plane.remove(id).unwrap(), Removed::Gone);
                }
                turns += 1;
            }
            sender.join().unwrap()
        });
        println!("{engine:?}: {turns} times three rules");
        assert_eq!((last, left("dropped") - before), (DROP, u64::from(PACKETS)));
    }
}
