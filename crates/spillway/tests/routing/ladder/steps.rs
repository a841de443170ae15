//! Each step of the ladder at real routers: diversion, blackhole, what is let through behind it, and how often all this may change.

use super::health::{both, ended_of, target, told_until};
use super::*;
use router::Service;

/// A house whose ladder has these steps and no other.
fn stepped(name: &str, peer: &Daemon, steps: &str, approvals: &str, more: &str) -> House {
    let ladder = LADDER.replace("[\"flowspec\", \"blackhole\"]", steps);
    let peers = [&super::peer("upstream", peer.port, ""), approvals, more, &ladder].concat();
    House::under("mode = \"enforce\"", &format!("step-{name}"), "", &peers)
}

const BLACKHOLE: &str = "[\"blackhole\"]";
const ALONE: &str =
    "[routing.approvals]\nblackhole = \"automatic\"\ndiversion = \"automatic\"\nflowspec = \"automatic\"\n";

#[test]
fn a_blackhole_waits_for_a_person_unless_approvals_say_automatic() {
    both(|v6| {
        let kind = if v6 { Kind::Gobgp } else { Kind::Bird };
        side_by_side([false, true], |automatic| {
            let Some(peer) = Daemon::start(kind, Options::default()) else { return };
            let approvals = if automatic { ALONE } else { "" };
            let house = stepped(&format!("hole-{v6}-{automatic}"), &peer, BLACKHOLE, approvals, "");
            let daemon = house.start();
            house.up();
            let router = Router::of(daemon.listen(0), v6, Service::None);
            router.flood(Flood::Forwarded);
            if !automatic {
                let waits = said(&daemon, "that it waits", |said| said["proposals"][0].is_number());
                let said = &waits["mitigation"];
                assert!(said["step"].is_null() && said["needs_person"] == true, "{said}");
                router.has_told_more(300);
                assert!(peer.view().blackholes.is_empty());
                let id = said["proposals"][0].to_string();
                house.route(&with(&["approve", &id, "--as", "alice"], WHY)).unwrap();
            }
            wait("the blackhole", || peer.view().blackholes == [target(v6)]);
            said(&daemon, "that it is in force", |said| said["step"] == "blackhole");
        });
    });
}

#[test]
fn what_is_diverted_takes_the_absorbers_way_until_it_was_quiet_and_does_not_without_a_person() {
    both(|v6| {
        let kind = if v6 { Kind::Bird } else { Kind::Gobgp };
        let prefix = if v6 { "2001:db8:1::/48" } else { "198.51.100.0/24" };
        let absorber =
            format!("[routing.absorbers.\"scrubber\"]\nprefix = \"{prefix}\"\ncapacity = \"100 Gbps\"\n");
        side_by_side([false, true], |automatic| {
            let Some(peer) = Daemon::start(kind, Options::default()) else { return };
            let approvals = if automatic { ALONE } else { "" };
            let house =
                stepped(&format!("divert-{v6}-{automatic}"), &peer, "[\"diversion\"]", approvals, &absorber);
            let text = std::fs::read_to_string(&house.config).unwrap();
            let line = format!("[routing]\ndiversion = [\"{prefix}\"]\n");
            std::fs::write(&house.config, text.replacen("[routing]\n", &line, 1)).unwrap();
            let daemon = house.start();
            house.up();
            let router = Router::of(daemon.listen(0), v6, Service::None);
            router.flood(Flood::Forwarded);
            if !automatic {
                said(&daemon, "that it waits", |said| {
                    said["proposals"][0].is_number() && said["step"].is_null()
                });
                router.has_told_more(300);
                assert!(peer.view().others.is_empty());
                return;
            }
            wait("the diversion", || peer.view().others == [prefix]);
            let list = house.mitigations();
            assert!(
                list.iter().all(|one| one["class"] == "diversion" && one["actor"] == "the engine"),
                "{list:?}"
            );
            router.flood(Flood::None);
            wait_for("its end", OVER, || peer.view().others.is_empty().then_some(()));
            let reasons: Vec<Value> = ended(&house).iter().map(|line| line["reason"].clone()).collect();
            assert!(
                reasons.iter().any(|why| why.as_str().unwrap().contains("it was quiet for long enough")),
                "{reasons:?}"
            );
        });
    });
}

#[test]
fn behind_a_blackhole_a_part_is_let_through_and_an_attack_that_goes_on_brings_it_back() {
    both(|v6| {
        let kind = if v6 { Kind::Gobgp } else { Kind::Bird };
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let house = stepped(&format!("part-{v6}"), &peer, BLACKHOLE, ALONE, "");
        let daemon = house.start();
        house.up();
        let router = Router::of(daemon.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        wait("the blackhole", || peer.view().blackholes == [target(v6)]);
        let first = house.mitigations()[0]["id"].clone();
        router.flood(Flood::None);
        wait_for("a part", OVER, || {
            let view = peer.view();
            (view.blackholes.is_empty() && view.rules == 1).then_some(())
        });
        let part = house.mitigations().remove(0);
        println!("{part:#}");
        let text = part["what"].as_str().unwrap();
        assert!(text.contains(target(v6)) && text.contains("rate 10Mbps"), "{part}");
        assert!(ended_of(&house, &first).unwrap().contains("a part is let through"), "{first}");
        router.flood(Flood::Forwarded);
        told_until(&daemon, "the blackhole again", |_| {
            let view = peer.view();
            view.blackholes == [target(v6)] && view.rules == 0
        });
        assert!(ended_of(&house, &part["id"]).unwrap().contains("the attack goes on"));
    });
}

#[test]
fn an_hour_has_a_bound_of_changes_over_a_kill_too() {
    both(|v6| {
        let kind = if v6 { Kind::Bird } else { Kind::Gobgp };
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let house = stepped(&format!("bound-{v6}"), &peer, BLACKHOLE, ALONE, "");
        let daemon = house.start();
        house.up();
        let router = Router::of(daemon.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        wait("the blackhole", || peer.view().blackholes == [target(v6)]);
        said(&daemon, "that it is in force", |said| said["step"] == "blackhole");
        daemon.signal("-KILL");
        let _ = daemon.ended();
        // As if it had gone up and down all the hour.
        let path = house.socket().with_file_name("ladder.json");
        let mut saved: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let changes = saved[0]["climb"]["hold"]["changes"].as_array_mut().unwrap();
        let last = changes[0].clone();
        changes.extend(std::iter::repeat_n(last, 11));
        std::fs::write(&path, saved.to_string()).unwrap();
        let daemon = house.start();
        router.tell(daemon.listen(0));
        house.up();
        router.flood(Flood::None);
        let over = wait_for("the end of the attack", OVER, || {
            attack(&daemon).filter(|attack| attack["state"] == "over")
        });
        println!("{:#}", over["mitigation"]);
        // Twice as long as the hold.
        router.has_told_more(600);
        let held = said(&daemon, "that it is held", |said| said["step"] == "blackhole");
        let stands = held["mitigation"]["stands"].as_str().unwrap();
        assert!(stands.contains("held: quiet for"), "{stands}");
        assert_eq!(peer.view().blackholes, [target(v6)]);
    });
}

#[test]
fn a_kind_that_was_not_confirmed_is_doubted_over_a_kill_until_a_person_confirms_it() {
    both(|v6| {
        let kind = if v6 { Kind::Gobgp } else { Kind::Bird };
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let peers =
            [&super::peer("upstream", peer.port, ""), ALONE, &LADDER.replace("\"flowspec\", ", "")].concat();
        let house = House::under("mode = \"enforce\"", &format!("doubt-{v6}"), "confirm = \"4s\"", &peers);
        let daemon = house.start();
        house.up();
        let router = Router::of(daemon.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        wait("the end of the trial", || {
            ended(&house).iter().any(|line| line["reason"].to_string().contains("was not confirmed"))
        });
        wait("the router lets go", || peer.view().blackholes.is_empty());
        daemon.signal("-KILL");
        let _ = daemon.ended();
        let daemon = house.start();
        router.tell(daemon.listen(0));
        house.up();
        let waits = told_until(&daemon, "that a person is asked", |said| said["proposals"][0].is_number());
        assert!(peer.view().blackholes.is_empty());
        let id = waits["mitigation"]["proposals"][0].to_string();
        house.route(&with(&["approve", &id, "--as", "alice"], WHY)).unwrap();
        wait("the blackhole", || peer.view().blackholes == [target(v6)]);
    });
}
