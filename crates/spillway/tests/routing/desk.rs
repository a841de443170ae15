//! The daemon speaks with real routers: configured, ordered by the command line, journalled, killed, started again.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use serde_json::Value;

use super::daemons::{Daemon, Kind};
use super::{OUR_AS, OURS, PEER_AS, wait};
use crate::daemon::Daemon as Spillway;
use crate::support::{Scratch, spillway, stderr};

/// What the tests begin with.
const KINDS: [Kind; 2] = [Kind::Gobgp, Kind::Bird];

/// A peer's section.
fn peer(name: &str, port: u16, more: &str) -> String {
    format!(
        "[routing.peers.{name}]\naddress = \"127.0.0.1:{port}\"\nasn = {PEER_AS}\nlocal = \"{OURS}\"\n\
         carries = [\"blackhole\", \"flowspec\", \"diversion\"]\nblackhole_next_hop = \"192.0.2.66\"\n\
         blackhole_next_hop6 = \"2001:db8::66\"\ndiversion_next_hop = \"192.0.2.67\"\n\
         diversion_next_hop6 = \"2001:db8::67\"\n{more}\n"
    )
}

/// A daemon's folder and configuration.
struct House {
    scratch: Scratch,
    config: String,
}

impl House {
    fn new(name: &str, routing: &str, peers: &str) -> Self {
        let scratch = Scratch::new(&format!("route-{name}"));
        let text = format!(
            "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n\
             [listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [routing]\nasn = {OUR_AS}\nrouter_id = \"192.0.2.1\"\n{routing}\n{peers}\n",
            scratch.path("state").display()
        );
        let config = scratch.file("spillway.toml", text.as_bytes());
        Self { scratch, config }
    }

    fn start(&self) -> Spillway {
        Spillway::start(&self.config)
    }

    /// Runs `spillway route …`; the document it prints, or the line it complains with.
    fn route(&self, args: &[&str]) -> Result<Value, String> {
        let all: Vec<&str> = [&["route"], args, &["-c", &self.config, "-o", "json"]].concat();
        let output = spillway(all);
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            Some(1) => Err(stderr(&output)),
            other => panic!("{args:?}: {other:?} {}", stderr(&output)),
        }
    }

    fn up(&self) {
        wait("the sessions", || {
            let peers = self.route(&["peers"]).unwrap()["peers"].clone();
            peers.as_array().unwrap().iter().all(|peer| peer["state"] == "established")
        });
    }

    fn mitigations(&self) -> Vec<Value> {
        self.route(&["list"]).unwrap()["mitigations"].as_array().unwrap().clone()
    }

    fn history(&self) -> Vec<String> {
        let history = self.route(&["history"]).unwrap()["history"].clone();
        history.as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn each(test: impl Fn(Daemon)) {
    for kind in KINDS {
        if let Some(daemon) = Daemon::start(kind, &[]) {
            println!("{}", kind.name());
            test(daemon);
        }
    }
}

const WHY: &[&str] = &["--reason", "a test"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn what_is_ordered_stands_at_the_router_outlives_a_kill_and_ends_by_itself() {
    each(|router| {
        let name = router.kind.name();
        let house = House::new(name, "", &peer("upstream", router.port, ""));
        let mut daemon = house.start();
        house.up();
        let first = house.route(&with(&["blackhole", "198.51.100.7", "--for", "1h"], WHY)).unwrap();
        assert_eq!((first["id"].as_u64(), first["state"].as_str()), (Some(1), Some("active")));
        assert_eq!(first["peers"][0]["state"], "announced", "{first}");
        house.route(&with(&["blackhole", "2001:db8:1::7", "--for", "1h"], WHY)).unwrap();
        house
            .route(&with(&["announce", "ntp dst 198.51.100.8/32 proto udp src-port 123 -> drop"], WHY))
            .unwrap();
        // Long enough that the daemon is killed before its end.
        house.route(&with(&["blackhole", "198.51.100.9", "--for", "4s"], WHY)).unwrap();
        let both = ["198.51.100.7/32", "2001:db8:1::7/128"];
        wait(&format!("{name} holds all"), || {
            let view = router.view();
            view.blackholes == ["198.51.100.7/32", "198.51.100.9/32", both[1]] && view.rules == 1
        });
        daemon.signal("-KILL");
        let _ = daemon.ended();
        std::thread::sleep(std::time::Duration::from_secs(4));
        daemon = house.start();
        wait(&format!("{name} holds what still holds, and lets go what is over"), || {
            let view = router.view();
            view.blackholes == both && view.rules == 1
        });
        let list = house.mitigations();
        assert_eq!(list.len(), 3, "{list:?}");
        assert!(list.iter().all(|one| one["state"] == "active"));
        house.route(&with(&["blackhole", "198.51.100.10", "--for", "1s"], WHY)).unwrap();
        wait(&format!("{name}: an end by itself"), || house.mitigations().len() == 3);
        house.route(&with(&["withdraw", "2"], WHY)).unwrap();
        wait(&format!("{name} lets go"), || router.view().blackholes == ["198.51.100.7/32"]);
        let history = house.history();
        assert_eq!(history.iter().filter(|event| *event == "ended").count(), 3, "{history:?}");
        assert_eq!(daemon.sum("spillway_bgp_peer_up"), 1.0);
        drop(daemon);
        drop(house.scratch);
    });
}
