//! Several are attacked at once, and there is room for one: the plan for all of them says who gets it.

use std::time::Duration;

use super::super::ladder::health::both;
use super::super::ladder::router::{Flood, Router, Service};
use super::*;
use crate::daemon::wait_for;

/// What is done by itself, soon enough for a test; one customer is worth ten of the others.
const LADDER: &str = "[routing.ladder]\nhold = \"5s\"\nsettle = \"1s\"\nsteps = [\"diversion\", \"blackhole\"]\n\
     [routing.ladder.customers.gold]\nvalue = 10.0\n[dataplane]\nblind = true\n\
     [routing.approvals]\ndiversion = \"automatic\"\nblackhole = \"automatic\"\n";
/// Until a smaller attack is believed, and what is held is let go.
const EASED: Duration = Duration::from_secs(150);

/// Between two looks, each of which starts several programs.
const LOOK: Duration = Duration::from_millis(300);

/// Two prefixes of one family with a target in each; the second is the customer's who is worth more.
struct Two {
    host: &'static str,
    prefixes: [&'static str; 2],
    cheap: &'static str,
}

const TWO: [Two; 2] = [
    Two { host: "127.0.0.1", prefixes: ["198.51.100.0/24", "198.51.101.0/24"], cheap: "198.51.100.7/32" },
    Two { host: "[::1]", prefixes: ["2001:db8:1::/48", "2001:db8:2::/48"], cheap: "2001:db8:1::7/128" },
];

/// An address of each prefix that nobody needs.
const SPARE: [[&str; 2]; 2] =
    [["198.51.100.250/32", "198.51.101.250/32"], ["2001:db8:1::250/128", "2001:db8:2::250/128"]];

/// A router, a brain, and absorbers that each are trusted with this much.
struct Town {
    router: Daemon,
    house: House,
    absorbers: Vec<Absorber>,
}

impl Town {
    /// Absorbers by their next hops, each with both prefixes.
    fn new(name: &str, v6: bool, capacity: &str, hops: &[&str]) -> Option<Self> {
        Self::with(name, v6, "capacity = \"20 Gbps\"", capacity, hops)
    }

    /// Absorbers whose owner says this of what they take.
    fn with(name: &str, v6: bool, declares: &str, capacity: &str, hops: &[&str]) -> Option<Self> {
        let two = &TWO[usize::from(v6)];
        let router = Daemon::start(if v6 { Kind::Bird } else { Kind::Gobgp }, Options::default())?;
        let keys = Scratch::new(&format!("planned-{name}"));
        let brain = key(&keys.path("key"));
        let declared: String =
            two.prefixes.iter().map(|prefix| format!("[prefixes.\"{prefix}\"]\n")).collect();
        let brief = "hold_time = \"3s\"\non_crash = \"withdraw\"\n";
        let (mut peers, mut absorbers) = (peer("edge", router.port, brief), Vec::new());
        for (number, hop) in hops.iter().enumerate() {
            let place = Place { host: two.host, prefix: two.prefixes[0], family: "" };
            let name = format!("{name}-{number}");
            let absorber = Absorber::new(place, &name, &brain, declares, &declared);
            for (part, prefix) in two.prefixes.iter().enumerate() {
                let section = absorber.section("").replace(place.prefix, prefix).replace("10 Gbps", capacity);
                let section = section.replace(".scrub]", &format!(".scrub-{number}-{part}]"));
                peers += &format!("{section}next_hop = \"{hop}\"\n");
            }
            absorbers.push(absorber);
        }
        let [a, b] = two.prefixes;
        let top = format!("mode = \"enforce\"\n[customers.gold]\nnetworks = [\"{b}\"]\n");
        let diversion = format!("diversion = [\"{a}\", \"{b}\"]");
        let house = House::under(&top, &format!("planned-{name}"), &diversion, &[&peers, LADDER].concat());
        std::fs::create_dir_all(house.path("state")).unwrap();
        std::fs::copy(keys.path("key"), house.path("state/absorbers.key")).unwrap();
        Some(Self { router, house, absorbers })
    }

    fn up(&self) {
        self.house.up();
        wait("the conversations", || {
            let all = self.house.route(&["absorbers"]).unwrap()["absorbers"].clone();
            all.as_array().unwrap().iter().all(|one| one["state"] == "up")
        });
    }

    /// The brain while both are attacked, the first one's diversion stands, and the second attack begins.
    fn flooded(&self, v6: bool) -> (Spillway, Router) {
        let brain = self.house.start();
        self.up();
        self.spare(v6);
        let router = Router::of(brain.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        let first = &TWO[usize::from(v6)].prefixes[..1];
        wait("the first diversion", || self.router.view().others == first);
        router.flood_second(10);
        (brain, router)
    }

    /// The router's own view of unicast routes, with their next hops.
    fn routes(&self, v6: bool) -> String {
        let bird = ["show", "route", "table", "master6", "all"];
        self.router.command(if v6 { &bird } else { &["global", "rib", "-a", "ipv4"] })
    }

    /// The plan for what is attacked now.
    fn planned(&self) -> Value {
        let output = spillway(["plan", "--live", "-c", &self.house.config, "-o", "json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Absorbers that look at no interface say that nothing comes, and would not be believed: while routers stop a part of a
    /// prefix, nobody compares.
    fn spare(&self, v6: bool) {
        for address in SPARE[usize::from(v6)] {
            self.house.route(&with(&["blackhole", address, "--for", "1h"], WHY)).unwrap();
        }
    }

    /// The hosts that are given up, but for the spare ones.
    fn given_up(&self) -> Vec<String> {
        let mut all = self.router.view().blackholes;
        all.retain(|one| !SPARE.iter().flatten().any(|spare| spare == one));
        all
    }

    /// Where the effect of a diversion is not measured, a person has to agree to a blackhole: one does.
    fn agree(&self) {
        for one in self.house.mitigations() {
            if (&one["state"], &one["class"]) == (&"proposed".into(), &"blackhole".into()) {
                let id = one["id"].to_string();
                self.house.route(&with(&["approve", &id, "--as", "alice"], WHY)).unwrap();
            }
        }
    }
}

#[test]
fn the_less_valuable_of_two_is_given_up_whatever_the_order_and_taken_back_when_the_other_attack_shrinks() {
    both(|v6| {
        for gold_first in [true, false] {
            let two = &TWO[usize::from(v6)];
            let hop = if v6 { "2001:db8:ffff::21" } else { "192.0.2.21" };
            let Some(town) = Town::new(&format!("two-{v6}-{gold_first}"), v6, "3 Gbps", &[hop]) else {
                return;
            };
            let _absorbers: Vec<Spillway> = town.absorbers.iter().map(Absorber::start).collect();
            let brain = town.house.start();
            town.up();
            town.spare(v6);
            let router = Router::of(brain.listen(0), v6, Service::None);
            let floods = |gold: bool| {
                if gold { router.flood_second(10) } else { router.flood(Flood::Forwarded) }
            };
            floods(gold_first);
            let first = two.prefixes[usize::from(gold_first)];
            wait("the first diversion", || town.router.view().others == [first]);
            floods(!gold_first);
            let mut seen = town.router.view();
            wait_for("the sacrifice", Duration::from_secs(60), || {
                std::thread::sleep(LOOK);
                town.agree();
                seen = town.router.view();
                (town.given_up() == [two.cheap] && seen.others == [two.prefixes[1]]).then_some(())
            });
            let list = town.house.mitigations();
            let is_hole =
                |one: &&Value| (&one["class"], &one["actor"]) == (&"blackhole".into(), &"the engine".into());
            let hole = list.iter().find(is_hole).unwrap();
            println!("{hole:#}");
            let why = hole["reason"].as_str().unwrap();
            assert!(why.contains("is sacrificed (value 1 of 11)"), "{why}");
            let planned = town.planned();
            let lots = planned["targets"].as_array().unwrap();
            let lost: Vec<&Value> = lots.iter().filter(|lot| lot["sacrificed"] == true).collect();
            assert_eq!((lost.len(), &lost[0]["target"]), (1, &two.cheap.into()), "{planned:#}");
            assert!(town.house.history().contains(&"planned".to_owned()));
            // One of the two attacks becomes small: there is room for both.
            router.flood_second(2);
            wait_for("the second diversion", EASED, || {
                std::thread::sleep(LOOK);
                let seen = town.router.view();
                let mut others = seen.others;
                others.sort();
                (town.given_up().is_empty() && others == two.prefixes).then_some(())
            });
        }
    });
}

#[test]
fn an_absorber_that_refuses_one_more_keeps_what_it_has_however_large() {
    both(|v6| {
        let (two, gives_up) =
            (&TWO[usize::from(v6)], ["198.51.101.7/32", "2001:db8:2::7/128"][usize::from(v6)]);
        let hop = if v6 { "2001:db8:ffff::21" } else { "192.0.2.21" };
        let Some(town) = Town::new(&format!("one-{v6}"), v6, "10 Gbps", &[hop]) else { return };
        // The brain's file has it for both, its owner declared one of them.
        let file = &town.absorbers[0].config;
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replace(&format!("[prefixes.\"{}\"]\n", two.prefixes[1]), "")).unwrap();
        let _absorbers: Vec<Spillway> = town.absorbers.iter().map(Absorber::start).collect();
        let _running = town.flooded(v6);
        wait_for("the second's end", Duration::from_secs(60), || {
            std::thread::sleep(LOOK);
            town.agree();
            (town.given_up() == [gives_up]).then_some(())
        });
        // It was the absorber that said so, and for a while it is not asked again.
        let planned = town.planned();
        assert!(planned["left_out"].to_string().contains("is not declared"), "{planned:#}");
        assert_eq!(town.router.view().others, two.prefixes[..1], "{planned:#}");
        let lots = planned["targets"].as_array().unwrap();
        let kept: Vec<&Value> = lots.iter().filter(|lot| lot["sacrificed"] == false).collect();
        assert_eq!((kept.len(), &kept[0]["target"]), (1, &two.cheap.into()), "{planned:#}");
    });
}

#[test]
fn the_only_place_of_an_absorber_goes_to_the_more_valuable_without_its_being_asked_for_two() {
    both(|v6| {
        let two = &TWO[usize::from(v6)];
        let hop = if v6 { "2001:db8:ffff::21" } else { "192.0.2.21" };
        let one_only = "capacity = \"20 Gbps\"\nheld = 1";
        let Some(town) = Town::with(&format!("place-{v6}"), v6, one_only, "10 Gbps", &[hop]) else { return };
        let absorbers: Vec<Spillway> = town.absorbers.iter().map(Absorber::start).collect();
        let _running = town.flooded(v6);
        wait_for("the first's end", Duration::from_secs(60), || {
            std::thread::sleep(LOOK);
            town.agree();
            (town.given_up() == [two.cheap] && town.router.view().others == two.prefixes[1..]).then_some(())
        });
        let planned = town.planned();
        let lost =
            planned["targets"].as_array().unwrap().iter().find(|lot| lot["sacrificed"] == true).unwrap();
        assert!(lost["why"].to_string().contains("takes 1 prefixes of ours at one time"), "{planned:#}");
        for absorber in absorbers {
            absorber.signal("-TERM");
            let (_, errors) = absorber.ended();
            assert!(!errors.contains("refused"), "{errors}");
        }
    });
}

#[test]
fn a_diversion_whose_absorber_is_lost_moves_to_another_that_holds_it_before_its_route_moves() {
    both(|v6| {
        let two = &TWO[usize::from(v6)];
        let hops = if v6 { ["2001:db8:ffff::21", "2001:db8:ffff::22"] } else { ["192.0.2.21", "192.0.2.22"] };
        let Some(town) = Town::new(&format!("moved-{v6}"), v6, "3 Gbps", &hops) else { return };
        let mut absorbers: Vec<Spillway> = town.absorbers.iter().map(Absorber::start).collect();
        let brain = town.house.start();
        town.up();
        town.spare(v6);
        let router = Router::of(brain.listen(0), v6, Service::None);
        router.flood(Flood::Forwarded);
        let prefix = two.prefixes[0];
        wait("the diversion", || town.router.view().others == [prefix]);
        // The plan has a sentence for it, with the absorber that it does not go to.
        let planned = town.planned();
        let target = &planned["targets"][0];
        let first = target["absorber"].as_str().unwrap().to_owned();
        let place = usize::from(first.starts_with("scrub-1"));
        let why = target["why"].as_str().unwrap();
        assert!(why.contains(&format!("is kept (value 1): absorber {first} takes its")), "{why}");
        assert!(why.contains("; not scrub-"), "{why}");
        assert!(town.routes(v6).contains(hops[place]), "{}", town.routes(v6));
        let stands = |number: usize| {
            let all = town.house.route(&["absorbers"]).unwrap()["absorbers"].clone();
            let list = all[number]["prefixes"].as_array().unwrap().clone();
            list.iter().any(|one| (&one["prefix"], &one["state"]) == (&prefix.into(), &"stands".into()))
        };
        assert!(stands(place) && !stands(1 - place));
        let lost = absorbers.remove(place);
        lost.signal("-KILL");
        let _ = lost.ended();
        wait("the other way", || {
            let moved = town.routes(v6).contains(hops[1 - place]);
            // There is no route to an absorber that does not hold the prefix.
            assert!(!moved || stands(1 - place));
            moved
        });
        let list = town.house.mitigations();
        let one = list.iter().find(|one| one["class"] == "diversion").unwrap();
        assert!(one["effect"].as_str().unwrap().contains(hops[1 - place]), "{one}");
        let history = town.house.history();
        assert!(
            history.contains(&"moved".to_owned()) && history.contains(&"planned".to_owned()),
            "{history:?}"
        );
        // It outlives a restart of the brain: the journal says what is diverted, and it stays where it is.
        brain.signal("-KILL");
        let _ = brain.ended();
        let brain = town.house.start();
        router.tell(brain.listen(0));
        town.house.up();
        wait("the route again", || town.routes(v6).contains(hops[1 - place]));
        assert!(!town.routes(v6).contains(hops[place]));
        let text = spillway(["plan", "--live", "-c", &town.house.config]);
        assert!(text.status.success(), "{}", stderr(&text));
    });
}
