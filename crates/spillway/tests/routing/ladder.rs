//! Attacks are met by routers without anybody's hand: told by sFlow, found, announced, held, let go.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

pub(super) mod health;
pub(super) mod router;
mod steps;

use std::time::Duration;

use serde_json::Value;

use super::daemons::{Daemon, Kind, Options};
use super::desk::{House, WHY, peer, with};
use super::{side_by_side, wait};
use crate::daemon::{Daemon as Spillway, wait_for};
use router::{Flood, Router};

/// An attack is over when nothing of it came for a quarter of a minute.
const OVER: Duration = Duration::from_secs(150);
/// What is done by itself, soon enough for a test.
const LADDER: &str = "[routing.ladder]\nhold = \"5s\"\nsettle = \"1s\"\nsteps = [\"flowspec\", \"blackhole\"]\n\
                      [dataplane]\nblind = true\n";
const AUTOMATIC: &str = "[routing.approvals]\nflowspec = \"automatic\"\n";

fn house(name: &str, mode: &str, router: &Daemon, routing: &str, approvals: &str) -> House {
    let peers = [&peer("upstream", router.port, ""), approvals, LADDER].concat();
    House::under(&format!("mode = \"{mode}\""), &format!("ladder-{name}"), routing, &peers)
}

fn attack(daemon: &Spillway) -> Option<Value> {
    daemon.attacks().into_iter().find(|attack| attack["severity"] == "attack")
}

/// Waits for what is said of the attack.
fn said(daemon: &Spillway, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait(what, || {
        last = attack(daemon).unwrap_or_default();
        is(&last["mitigation"])
    });
    last
}

fn ended(house: &House) -> Vec<Value> {
    let history = house.route(&["history"]).unwrap()["history"].clone();
    history.as_array().unwrap().iter().filter(|line| line["event"] == "ended").cloned().collect()
}

fn time(text: &Value) -> base::Timestamp {
    text.as_str().unwrap().parse().unwrap()
}

#[test]
fn an_attack_is_met_by_rules_at_the_router_that_go_when_it_was_quiet_for_long_enough() {
    side_by_side([Kind::Gobgp, Kind::Bird], |kind| {
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let name = kind.name();
        let house = house(&format!("enforce-{name}"), "enforce", &peer, "", AUTOMATIC);
        let daemon = house.start();
        house.up();
        let router = Router::start(daemon.listen(0));
        router.flood(Flood::Forwarded);
        wait(&format!("{name} filters"), || peer.view().rules > 0);
        let list = house.mitigations();
        println!("{list:#?}");
        assert!(
            list.iter().all(|one| one["actor"] == "the engine" && one["class"] == "flowspec"),
            "{list:?}"
        );
        assert!(list.iter().all(|one| one["reason"].as_str().unwrap().starts_with("attack ")), "{list:?}");
        // It filters and tells of what it drops: that is no sign that it does not work.
        router.flood(Flood::Discarded);
        let document = said(&daemon, "the effect", |said| said["in_force"][0]["effect"] == "effective");
        println!("{:#}", document["mitigation"]);
        assert_eq!(document["mitigation"]["step"], "flowspec", "{document}");
        assert_eq!(document["mitigation"]["wanted"], "flowspec", "{document}");
        router.flood(Flood::None);
        let over = wait_for("the end of the attack", OVER, || {
            attack(&daemon).filter(|attack| attack["state"] == "over")
        });
        wait(&format!("{name} lets go"), || peer.view().rules == 0);
        let ended = ended(&house);
        assert!(!ended.is_empty() && house.mitigations().is_empty());
        for line in &ended {
            assert!(line["reason"].as_str().unwrap().contains("quiet for long enough"), "{line}");
            let quiet = time(&line["at"]).since(time(&over["ended_at"]));
            assert!(quiet.secs() >= 5, "{line}: held for {quiet} after {}", over["ended_at"]);
        }
    });
}

#[test]
fn where_it_is_only_suggested_a_person_agrees_before_anything_is_announced() {
    let Some(peer) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let house = house("suggest", "suggest", &peer, "", AUTOMATIC);
    let daemon = house.start();
    house.up();
    let router = Router::start(daemon.listen(0));
    router.flood(Flood::Forwarded);
    wait("a proposal", || !house.mitigations().is_empty());
    let one = house.mitigations().remove(0);
    assert_eq!(
        (one["state"].as_str(), one["approvals_needed"].as_u64()),
        (Some("proposed"), Some(1)),
        "{one}"
    );
    assert!(one["reason"].as_str().unwrap().contains("stops"), "it says what it would cut: {one}");
    said(&daemon, "that it waits", |said| said["proposals"][0] == one["id"] && said["step"].is_null());
    assert_eq!(peer.view().rules, 0);
    let id = one["id"].to_string();
    house.route(&with(&["approve", &id, "--as", "alice"], WHY)).unwrap();
    wait("the rule", || peer.view().rules == 1);
    said(&daemon, "that it is in force", |said| said["step"] == "flowspec");
    // What a person ends is not announced again while the exception holds that this made.
    house.route(&with(&["withdraw", &id], WHY)).unwrap();
    let refused = said(&daemon, "that a person ended it", |said| {
        said["rejected"].to_string().contains("a person took it back: exception")
    });
    assert_eq!(peer.view().rules, 0, "{refused}");
}

#[test]
fn a_crash_in_the_middle_keeps_what_the_journal_says_and_the_next_daemon_ends_it() {
    let Some(peer) = Daemon::start(Kind::Gobgp, Options { restarts: true, ..Options::default() }) else {
        return;
    };
    let house = house("crash", "enforce", &peer, "", AUTOMATIC);
    let daemon = house.start();
    house.up();
    let router = Router::start(daemon.listen(0));
    router.flood(Flood::Forwarded);
    wait("the rule", || peer.view().rules > 0);
    router.flood(Flood::Discarded);
    let before = house.mitigations();
    daemon.signal("-KILL");
    let _ = daemon.ended();
    let daemon = house.start();
    router.tell(daemon.listen(0));
    house.up();
    let ids = |list: &[Value]| list.iter().map(|one| one["id"].as_u64()).collect::<Vec<_>>();
    assert_eq!(ids(&house.mitigations()), ids(&before));
    assert!(peer.view().rules > 0);
    said(&daemon, "that it is taken up", |said| said["step"] == "flowspec");
    router.flood(Flood::None);
    wait_for("its end", OVER, || house.mitigations().is_empty().then_some(()));
    let ended = ended(&house);
    assert!(
        ended.iter().all(|line| line["reason"].as_str().unwrap().contains("quiet for long enough")),
        "{ended:?}"
    );
    wait("the router lets go", || peer.view().rules == 0);
}

#[test]
fn a_first_enforcement_reverts_unless_it_is_confirmed_and_is_not_begun_again() {
    let Some(peer) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let house = house("confirm", "enforce", &peer, "confirm = \"4s\"", AUTOMATIC);
    let daemon = house.start();
    house.up();
    let router = Router::start(daemon.listen(0));
    router.flood(Flood::Forwarded);
    wait("the end of the trial", || !ended(&house).is_empty());
    let first = ended(&house).remove(0);
    assert!(first["reason"].as_str().unwrap().contains("was not confirmed within"), "{first}");
    said(&daemon, "that a person is asked", |said| {
        said["mitigations"] == Value::Array(Vec::new()) && said["proposals"][0].is_number()
    });
    // A wide measure of a person reverts likewise; confirmed, it stays.
    let wide = house.route(&with(&["announce", "all dst 198.51.100.9/32 -> drop"], WHY)).unwrap();
    assert!(wide["confirm_by"].is_string(), "{wide}");
    let kept = house.route(&with(&["confirm", &wide["id"].to_string()], WHY)).unwrap();
    assert!(kept["confirm_by"].is_null(), "{kept}");
    let lost = house.route(&with(&["announce", "all dst 198.51.100.10/32 -> drop"], WHY)).unwrap();
    wait("the other's end", || ended(&house).iter().any(|line| line["mitigation"] == lost["id"]));
    assert!(house.mitigations().iter().any(|one| one["id"] == wide["id"]));
    assert!(
        house.route(&with(&["confirm", &lost["id"].to_string()], WHY)).unwrap_err().contains("does not wait")
    );
}
