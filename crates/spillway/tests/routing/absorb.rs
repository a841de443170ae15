//! Two processes: the brain with a real router, and an absorber that holds a prefix before its route moves.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

mod acts;
mod falls;
mod kernel;
mod planned;
mod refusals;

use std::process::Command;

use serde_json::Value;

use super::daemons::{Daemon, Kind, Options};
use super::desk::{House, WHY, peer, with};
use super::wait;
use crate::daemon::Daemon as Spillway;
use crate::support::{Scratch, free_port, spillway, stderr};

/// Where an absorber listens, and what may be diverted there.
#[derive(Clone, Copy)]
struct Place {
    host: &'static str,
    prefix: &'static str,
    family: &'static str,
}

const V4: Place = Place { host: "127.0.0.1", prefix: "198.51.100.0/24", family: "ipv4" };
const V6: Place = Place { host: "[::1]", prefix: "2001:db8:1::/48", family: "ipv6" };

/// Makes a key: its fingerprint.
fn key(path: &std::path::Path) -> String {
    let output = spillway(["absorb", "keys", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An absorber's folder and configuration.
struct Absorber {
    scratch: Scratch,
    config: String,
    place: Place,
    port: u16,
    fingerprint: String,
}

impl Absorber {
    /// For a brain of this fingerprint, with keys at the top of its file and prefixes at its end.
    fn new(place: Place, name: &str, brain: &str, top: &str, prefixes: &str) -> Self {
        let scratch = Scratch::new(&format!("absorb-{name}"));
        let port = free_port();
        let fingerprint = key(&scratch.path("key"));
        let text = format!(
            "name = \"{name}\"\nlisten = \"{}:{port}\"\nkey = \"{}\"\n{top}\n[brains]\nmain = \"{brain}\"\n{prefixes}\n",
            place.host,
            scratch.path("key").display()
        );
        let config = scratch.file("absorb.toml", text.as_bytes());
        let check = spillway(["absorb", "-c", &config, "--check"]);
        assert!(check.status.success(), "{}", stderr(&check));
        Self { scratch, config, place, port, fingerprint }
    }

    fn start(&self) -> Spillway {
        Spillway::begin(Command::new(env!("CARGO_BIN_EXE_spillway")).args(["absorb", "-c", &self.config]))
    }

    /// What the brain's file says of it.
    fn section(&self, more: &str) -> String {
        format!(
            "[routing.absorbers.scrub]\nprefix = \"{}\"\ncapacity = \"10 Gbps\"\ncontrol = \"{}:{}\"\n\
             fingerprint = \"{}\"\nlease = \"13s\"\nsilence = \"2s\"\nlinger = \"1s\"\n{more}\n",
            self.place.prefix, self.place.host, self.port, self.fingerprint
        )
    }
}

const CAPACITY: &str = "capacity = \"1 Gbps\"";

fn declared() -> String {
    declared_at(V4)
}

fn declared_at(place: Place) -> String {
    format!("[prefixes.\"{}\"]\n", place.prefix)
}

/// A router, a brain that may divert through it, and an absorber.
struct Scene {
    router: Daemon,
    house: House,
    absorber: Absorber,
}

impl Scene {
    fn new(name: &str, top: &str, prefixes: &str, more: &str) -> Option<Self> {
        Self::under((V4, ""), name, top, prefixes, more)
    }

    /// A brain that does things by itself.
    fn acting(name: &str, top: &str, prefixes: &str, more: &str) -> Option<Self> {
        Self::under((V4, "mode = \"enforce\""), name, top, prefixes, more)
    }

    fn under(
        (place, brain_top): (Place, &str),
        name: &str,
        top: &str,
        prefixes: &str,
        more: &str,
    ) -> Option<Self> {
        let router = Daemon::start(Kind::Gobgp, Options::default())?;
        let keys = Scratch::new(&format!("absorb-brain-{name}"));
        let brain = key(&keys.path("key"));
        let absorber = Absorber::new(place, name, &brain, top, prefixes);
        let brief = "hold_time = \"3s\"\non_crash = \"withdraw\"\n";
        let peers = format!("{}{}", peer("edge", router.port, brief), absorber.section(more));
        let house = House::under(
            brain_top,
            &format!("absorb-{name}"),
            &format!("diversion = [\"{}\"]", place.prefix),
            &peers,
        );
        // The brain finds its key where it looks for it.
        std::fs::create_dir_all(house.path("state")).unwrap();
        std::fs::copy(keys.path("key"), house.path("state/absorbers.key")).unwrap();
        Some(Self { router, house, absorber })
    }

    fn divert(&self) -> Result<Value, String> {
        self.house.route(&with(&["divert", self.absorber.place.prefix, "--for", "1h"], WHY))
    }

    /// How the absorber is, in the brain's words.
    fn shown(&self) -> Value {
        self.house.route(&["absorbers"]).unwrap()["absorbers"][0].clone()
    }

    fn up(&self) {
        self.house.up();
        wait("the conversation", || self.shown()["state"] == "up");
    }

    fn routed(&self) -> bool {
        let place = self.absorber.place;
        self.router.command(&["global", "rib", "-a", place.family]).contains(place.prefix)
    }

    fn place(&self) -> Value {
        self.shown()["prefixes"][0].clone()
    }
}

#[test]
fn a_route_moves_when_the_absorber_holds_its_prefix_and_comes_back_before_that_is_let_go() {
    let Some(scene) = Scene::new("order", CAPACITY, &declared(), "") else { return };
    let brain = scene.house.start();
    scene.house.up();
    // Nobody is there to take it: nothing is announced, and the order says why.
    let why = scene.divert().unwrap_err();
    assert!(why.contains("absorber `scrub` is not reached"), "{why}");
    assert!(!scene.routed());
    assert!(scene.house.mitigations().is_empty());
    let absorber = scene.absorber.start();
    assert_eq!(absorber.ready["fingerprint"], scene.absorber.fingerprint.as_str());
    scene.up();
    let shown = scene.shown();
    assert_eq!((&shown["says"], &shown["kind"]), (&"order".into(), &"scrub".into()), "{shown}");
    assert_eq!(shown["prefixes"][0]["state"], "idle", "{shown}");
    let one = scene.divert().unwrap();
    assert_eq!(scene.place()["state"], "stands");
    assert_eq!(one["peers"][0]["state"], "announced", "{one}");
    wait("the route", || scene.routed());
    // Renewals go on beyond the lease, and nothing flaps.
    std::thread::sleep(std::time::Duration::from_secs(15));
    assert_eq!(scene.place()["state"], "stands");
    assert!(scene.routed());
    scene.house.route(&with(&["withdraw", &one["id"].to_string()], WHY)).unwrap();
    wait("the route back", || {
        let (gone, place) = (!scene.routed(), scene.place());
        // As long as there is a route, the absorber holds it.
        assert!(gone || place["state"] == "stands", "{place}");
        gone
    });
    wait("the release", || scene.place()["state"] == "idle");
    let history = scene.house.history();
    assert_eq!(history.iter().filter(|event| *event == "announced").count(), 1, "{history:?}");
    assert!(!history.contains(&"held back".to_owned()), "{history:?}");
    let text = spillway(["route", "absorbers", "-c", &scene.house.config]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("scrub") && text.contains(" up ") && text.contains("returns: routed"), "{text}");
    drop(brain);
    absorber.signal("-TERM");
    let (code, errors) = absorber.ended();
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("taken") && errors.contains("stopped"), "{errors}");
}

#[test]
fn an_upstream_that_takes_blackholes_is_an_absorber_whose_load_nobody_knows() {
    let Some(scene) = Scene::new("upstream", CAPACITY, &declared(), "") else { return };
    let _brain = scene.house.start();
    scene.house.up();
    let spare = ["198.51.100.9/32", "2001:db8:1::9/128"];
    for prefix in spare {
        scene.house.route(&with(&["blackhole", prefix, "--for", "1h"], WHY)).unwrap();
    }
    let upstream = || {
        let all = scene.house.route(&["absorbers"]).unwrap()["absorbers"].clone();
        all.as_array().unwrap().iter().find(|one| one["kind"] == "upstream").cloned().unwrap()
    };
    let announced = |shown: &Value| {
        shown["prefixes"].as_array().unwrap().iter().filter(|one| one["state"] == "announced").count()
    };
    wait("the routes", || announced(&upstream()) == 2);
    let shown = upstream();
    assert_eq!((&shown["name"], &shown["state"]), (&"edge".into(), &"up".into()), "{shown}");
    assert_eq!((&shown["prefixes_max"], &shown["prefixes_free"]), (&100.into(), &98.into()), "{shown}");
    for (prefix, is) in spare.iter().zip(shown["prefixes"].as_array().unwrap()) {
        assert_eq!((&is["prefix"], &is["returns"]), (&(*prefix).into(), &"none".into()), "{shown}");
        assert!(is["received"].is_null() && shown["capacity"].is_null(), "not known is not nothing: {shown}");
    }
    let text = spillway(["route", "absorbers", "-c", &scene.house.config]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("discards; 98 of 100 routes free") && text.contains("is not known"), "{text}");
}

#[test]
fn ipv6_is_diverted_over_ipv6_likewise() {
    let Some(scene) = Scene::under((V6, ""), "six", CAPACITY, &declared_at(V6), "") else { return };
    let _absorber = scene.absorber.start();
    let _brain = scene.house.start();
    scene.up();
    let one = scene.divert().unwrap();
    assert_eq!((&one["peers"][0]["state"], &scene.place()["state"]), (&"announced".into(), &"stands".into()));
    wait("the route", || scene.routed());
    scene.house.route(&with(&["withdraw", &one["id"].to_string()], WHY)).unwrap();
    wait("the route back", || !scene.routed());
    wait("the release", || scene.place()["state"] == "idle");
}
