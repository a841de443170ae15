//! The daemon speaks with real routers: configured, ordered by the command line, journalled, killed, started again.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::process::Command;

use serde_json::Value;

use super::daemons::{Daemon, Kind, Options};
use super::{OUR_AS, OURS, PEER_AS, each_of, wait};
use crate::daemon::Daemon as Spillway;
use crate::support::{Scratch, spillway, stderr};

/// What the tests begin with.
const KINDS: [Kind; 2] = [Kind::Gobgp, Kind::Bird];

/// A peer's section.
pub(super) fn peer(name: &str, port: u16, more: &str) -> String {
    format!(
        "[routing.peers.{name}]\naddress = \"127.0.0.1:{port}\"\nasn = {PEER_AS}\nlocal = \"{OURS}\"\n\
         carries = [\"blackhole\", \"flowspec\", \"diversion\"]\nblackhole_next_hop = \"192.0.2.66\"\n\
         blackhole_next_hop6 = \"2001:db8::66\"\ndiversion_next_hop = \"192.0.2.67\"\n\
         diversion_next_hop6 = \"2001:db8::67\"\n{more}\n"
    )
}

/// A daemon's folder and configuration.
pub(super) struct House {
    scratch: Scratch,
    pub(super) config: String,
}

impl House {
    pub(super) fn new(name: &str, routing: &str, peers: &str) -> Self {
        Self::under("", name, routing, peers)
    }

    /// With keys at the top of its file.
    pub(super) fn under(top: &str, name: &str, routing: &str, peers: &str) -> Self {
        let scratch = Scratch::new(&format!("route-{name}"));
        let text = format!(
            "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n{top}\n\
             [listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n[detection]\nquiet = \"15s\"\n\
             [routing]\nasn = {OUR_AS}\nrouter_id = \"192.0.2.1\"\n{routing}\n{peers}\n",
            scratch.path("state").display()
        );
        let config = scratch.file("spillway.toml", text.as_bytes());
        Self { scratch, config }
    }

    /// A file or folder of its own.
    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path(name)
    }

    pub(super) fn start(&self) -> Spillway {
        Spillway::start(&self.config)
    }

    /// Runs `spillway drill …`: how it ended, and the document.
    pub(super) fn drill(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = spillway([&["drill"], args, &["-c", &self.config, "-o", "json"]].concat());
        let document = serde_json::from_slice(&output.stdout);
        (output.status.code(), document.unwrap_or_else(|_| stderr(&output).into()))
    }

    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.scratch.path("state/control.sock")
    }

    /// Runs `spillway route …`; the document it prints, or the line it complains with.
    pub(super) fn route(&self, args: &[&str]) -> Result<Value, String> {
        let all: Vec<&str> = [&["route"], args, &["-c", &self.config, "-o", "json"]].concat();
        let output = spillway(all);
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            Some(1) => Err(stderr(&output)),
            other => panic!("{args:?}: {other:?} {}", stderr(&output)),
        }
    }

    pub(super) fn up(&self) {
        let mut before = Value::Null;
        wait("the sessions", || {
            let peers = self.route(&["peers"]).unwrap()["peers"].clone();
            if peers != before {
                println!("{peers}");
                before = peers.clone();
            }
            peers.as_array().unwrap().iter().all(|peer| peer["state"] == "established")
        });
    }

    /// Writes the configuration with one thing changed, and waits until the daemon has taken it.
    pub(super) fn reload(&self, daemon: &Spillway, from: &str, to: &str) {
        let taken = || daemon.sum("spillway_config_last_reload_success_timestamp_seconds");
        let text = std::fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from));
        std::fs::write(&self.config, text.replace(from, to)).unwrap();
        let before = taken();
        daemon.signal("-HUP");
        wait("the reload", || taken() > before);
    }

    pub(super) fn mitigations(&self) -> Vec<Value> {
        self.route(&["list"]).unwrap()["mitigations"].as_array().unwrap().clone()
    }

    /// Lines of the audit trail, newest first.
    pub(super) fn audit(&self) -> Vec<Value> {
        let output = spillway(["audit", "-c", &self.config, "-o", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut lines = document["items"].as_array().unwrap().clone();
        // that it was started, and how often, is another matter
        lines.retain(|line| !line["action"].as_str().unwrap().starts_with("daemon."));
        lines
    }

    pub(super) fn history(&self) -> Vec<String> {
        let history = self.route(&["history"]).unwrap()["history"].clone();
        history.as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn each(test: impl Fn(Daemon) + Sync) {
    each_of(KINDS, test);
}

/// Waits until a mitigation's time is over.
pub(super) fn over(one: &Value) {
    let until: base::Timestamp = one["until"].as_str().unwrap().parse().unwrap();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        base::Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap())
    };
    wait("the end of its time", || now() > until);
}

pub(super) const WHY: &[&str] = &["--reason", "a test"];

pub(super) fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
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
        let brief = house.route(&with(&["blackhole", "198.51.100.9", "--for", "10s"], WHY)).unwrap();
        let both = ["198.51.100.7/32", "2001:db8:1::7/128"];
        wait(&format!("{name} holds all"), || {
            let view = router.view();
            view.blackholes == ["198.51.100.7/32", "198.51.100.9/32", both[1]] && view.rules == 1
        });
        daemon.signal("-KILL");
        let _ = daemon.ended();
        over(&brief);
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

#[test]
fn each_rail_refuses_with_its_remedy_and_the_refusal_is_in_the_history() {
    let Some(router) = Daemon::start(Kind::Gobgp, Options::default()) else { return };
    let routing =
        "never = [\"198.51.100.53/32\"]\ndiversion = [\"198.51.101.0/24\"]\nroutes_max = 2\nper_minute = 3\n";
    let peers = [
        peer("upstream", router.port, "profile = \"gobgp\""),
        peer("quiet", 1, "")
            .replace("127.0.0.1:1", "198.51.100.99:1790")
            .replace("carries = [\"blackhole\", \"flowspec\", \"diversion\"]", "carries = [\"flowspec\"]"),
    ];
    let house = House::new("rails", routing, &peers.concat());
    let _daemon = house.start();
    wait("the session", || house.route(&["peers"]).unwrap()["peers"][1]["state"] == "established");
    let refused: &[(&[&str], &str)] = &[
        (&["blackhole", "203.0.113.7"], "203.0.113.7/32 does not lie within `networks`"),
        (&["blackhole", "0.0.0.0/0"], "0.0.0.0/0: a blackhole announcement is /32 to /32"),
        (&["blackhole", "198.51.100.0/24"], "a blackhole announcement is /32 to /32"),
        (&["blackhole", "2001:db8::/64"], "a blackhole announcement is /128 to /128"),
        (&["blackhole", "198.51.100.53"], "198.51.100.53/32 touches 198.51.100.53/32 (`routing.never`)"),
        (&["blackhole", "198.51.100.99"], "touches 198.51.100.99 (the peer quiet), which is never announced"),
        (&["divert", "198.51.102.0/24"], "is not provisioned for diversion: name it in `routing.diversion`"),
        (&["announce", "r proto udp -> drop"], "rule `r` has no destination"),
        (
            &["announce", "r dst 198.51.100.0/24 proto udp -> drop"],
            "rule `r` may cut packets to 198.51.100.53/32",
        ),
        (&["announce", "r dst 198.51.100.7/32 -> rate 1000pps"], "not known to act on rates in packets"),
        (&["announce", "r dst 198.51.100.7/32 ttl 5 -> drop"], "FlowSpec cannot match ttl"),
        (&["announce", "dst"], "the rule, "),
        (
            &["blackhole", "198.51.100.7", "--peer", "nobody"],
            "there is no peer `nobody`; known here: quiet, upstream",
        ),
        (&["blackhole", "198.51.100.7", "--peer", "quiet"], "peer `quiet` does not carry blackholes"),
        (&["blackhole", "198.51.100.7", "--for", "25h"], "at most 1d (`routing.lease_max`)"),
        (&["blackhole", "hello"], "`hello` is not an address or a prefix"),
        (&["withdraw", "77"], "there is no mitigation 77"),
    ];
    for (args, expected) in refused {
        let line = house.route(&with(args, WHY)).unwrap_err();
        assert!(line.contains(expected), "{args:?}\n  said     {line}\n  expected {expected}");
    }
    assert!(
        house.route(&["blackhole", "198.51.100.7", "--reason", " "]).unwrap_err().contains("needs a reason")
    );
    assert_eq!(house.mitigations(), Vec::<Value>::new());
    let events = house.history();
    assert!(events.len() >= refused.len() && events.iter().all(|event| event == "refused"), "{events:?}");
    // What is asked for with --dry-run is only shown.
    let shown = house.route(&with(&["blackhole", "198.51.100.7", "--dry-run"], WHY)).unwrap();
    assert_eq!((shown["id"].as_u64(), shown["peers"].as_array().unwrap().len()), (None, 1), "{shown}");
    assert!(
        shown["effect"].as_str().unwrap().contains("all traffic to 198.51.100.7/32 is discarded"),
        "{shown}"
    );
    // Caps.
    house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
    let twice = house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap_err();
    assert!(twice.contains("mitigation 1 (blackhole) is about the same prefix"), "{twice}");
    house.route(&with(&["divert", "198.51.101.0/24"], WHY)).unwrap();
    let full = house.route(&with(&["blackhole", "198.51.100.8"], WHY)).unwrap_err();
    assert!(full.contains("2 prefixes are announced already, which is the limit"), "{full}");
    house.route(&with(&["withdraw", "1"], WHY)).unwrap();
    house.route(&with(&["blackhole", "198.51.100.8"], WHY)).unwrap();
    house.route(&with(&["withdraw", "2"], WHY)).unwrap();
    let fast = house.route(&with(&["blackhole", "198.51.100.9"], WHY)).unwrap_err();
    assert!(fast.contains("announcements were made within a minute"), "{fast}");
    wait("only the last", || router.view().blackholes == ["198.51.100.8/32"]);
}

#[test]
fn nobody_cuts_the_administrators_own_session_or_what_the_host_lives_by() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let house = House::new("lifeline", "", &peer("upstream", router.port, ""));
    // As if somebody had started it over SSH.
    let mut command = Command::new(env!("CARGO_BIN_EXE_spillway"));
    command.args(["run", "-c", &house.config]);
    let ends = "198.51.100.200 50000 198.51.100.201 22";
    let _daemon = Spillway::begin(command.env("SSH_CONNECTION", ends));
    house.up();
    let refused = |args: &[&str]| house.route(&with(args, WHY)).unwrap_err();
    let said = refused(&["blackhole", "198.51.100.200"]);
    assert!(
        said.contains("(the other end of an administrator's session), which is never announced"),
        "{said}"
    );
    let said = refused(&["announce", "r dst 198.51.100.201/32 proto tcp tcp-flags syn/syn -> drop"]);
    assert!(said.contains("rule `r` may cut an administrator's session from 198.51.100.200"), "{said}");
    // Another port is nobody's lifeline.
    house.route(&with(&["announce", "w dst 198.51.100.201/32 proto tcp dst-port 80 -> drop"], WHY)).unwrap();
    // Who asks is spared as well, by the command itself.
    for args in [["blackhole", "198.51.100.210"], ["divert", "198.51.100.0/24"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spillway"));
        command.arg("route").args(args).args(WHY).args(["-c", &house.config]);
        let output = command.env("SSH_CONNECTION", "198.51.100.210 50000 203.0.113.1 22").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("touches 198.51.100.210, an end of your own SSH connection"), "{said}");
    }
    assert_eq!(house.mitigations().len(), 1);
}

#[test]
fn two_different_persons_agree_before_anything_is_sent() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let peers = peer("upstream", router.port, "") + "[routing.approvals]\nblackhole = 2\n";
    let house = House::new("approval", "", &peers);
    let daemon = house.start();
    house.up();
    let alice = &["--reason", "a test", "--as", "alice"];
    let bob = &["--reason", "looks right", "--as", "bob"];
    let asked = house.route(&with(&["blackhole", "198.51.100.7"], alice)).unwrap();
    assert_eq!(asked["state"], "proposed", "{asked}");
    assert_eq!(asked["approvals_needed"], 2);
    let again = house.route(&with(&["approve", "1"], alice)).unwrap_err();
    assert!(again.contains("agreed already: another person has to"), "{again}");
    // It outlives a kill as what it is: a proposal.
    daemon.signal("-KILL");
    let _ = daemon.ended();
    let _daemon = house.start();
    house.up();
    assert_eq!(house.mitigations()[0]["state"], "proposed");
    assert!(router.view().blackholes.is_empty());
    let done = house.route(&with(&["approve", "1"], bob)).unwrap();
    assert_eq!(done["state"], "active", "{done}");
    wait("the route", || router.view().blackholes == ["198.51.100.7/32"]);
    house.route(&with(&["blackhole", "198.51.100.8"], alice)).unwrap();
    house.route(&with(&["reject", "2"], bob)).unwrap();
    assert!(house.route(&with(&["reject", "1"], bob)).unwrap_err().contains("holds already"));
    assert_eq!(house.mitigations().len(), 1);
    let history = house.route(&["history", "1"]).unwrap()["history"].clone();
    let approved = history.as_array().unwrap().iter().find(|line| line["event"] == "approved").unwrap();
    assert!(approved["actor"].as_str().unwrap().starts_with("bob ("), "{approved}");
    // Each order stands in the audit trail, with who, why, what was and what is; also what was refused.
    house.route(&with(&["renew", "1", "--for", "2h"], alice)).unwrap();
    house.route(&with(&["withdraw", "1"], bob)).unwrap();
    let trail = house.audit();
    let lines: Vec<(&str, &str, bool)> = trail
        .iter()
        .map(|line| {
            let actor = line["actor"].as_str().unwrap();
            assert_eq!((&line["via"], &line["address"]), (&"local".into(), &"local".into()), "{line}");
            assert!(!line["reason"].as_str().unwrap().is_empty(), "{line}");
            (
                line["action"].as_str().unwrap(),
                actor.split(' ').next().unwrap(),
                line["outcome"]["done"] == true,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("mitigation.withdraw", "bob", true),
            ("mitigation.renew", "alice", true),
            ("mitigation.reject", "bob", false),
            ("mitigation.reject", "bob", true),
            ("mitigation.announce", "alice", true),
            ("mitigation.approve", "bob", true),
            ("mitigation.approve", "alice", false),
            ("mitigation.announce", "alice", true),
        ]
    );
    let document = |line: &Value, key: &str| -> Value {
        let text = line.pointer(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key}: {line}"));
        serde_json::from_str(text).unwrap()
    };
    assert_eq!((&trail[5]["object"], &trail[5]["reason"]), (&"1".into(), &"looks right".into()));
    assert_eq!(document(&trail[5], "/before")["state"], "proposed");
    assert_eq!(document(&trail[5], "/outcome/after")["state"], "active");
    assert_eq!(document(&trail[1], "/before")["state"], "active");
    assert!(trail[6]["outcome"]["said"].as_str().unwrap().contains("agreed already"), "{}", trail[6]);
    assert_eq!(trail[7]["object"], "198.51.100.7");
}

#[test]
fn panic_withdraws_everything_and_freezes_by_command_and_by_signal() {
    each(|router| {
        let house =
            House::new(&format!("panic-{}", router.kind.name()), "", &peer("upstream", router.port, ""));
        let mut daemon = house.start();
        house.up();
        let fill = || {
            house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
            house.route(&with(&["blackhole", "2001:db8:1::7"], WHY)).unwrap();
            house.route(&with(&["announce", "a dst 198.51.100.8/32 -> drop"], WHY)).unwrap();
            wait("the routes", || router.view().blackholes.len() == 2 && router.view().rules == 1);
        };
        let empty = || {
            wait("nothing", || router.view().blackholes.is_empty() && router.view().rules == 0);
            let list = house.route(&["list"]).unwrap();
            assert_eq!((&list["frozen"], list["mitigations"].as_array().unwrap().len()), (&true.into(), 0));
            let line = house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap_err();
            assert!(line.contains("`spillway route resume` ends that"), "{line}");
        };
        fill();
        assert_eq!(house.route(&with(&["panic"], WHY)).unwrap()["mitigations"], 3);
        empty();
        // Frozen is frozen over a kill.
        daemon.signal("-KILL");
        let _ = daemon.ended();
        daemon = house.start();
        house.up();
        empty();
        house.route(&with(&["resume"], WHY)).unwrap();
        fill();
        daemon.signal("-USR2");
        empty();
        house.route(&with(&["resume"], WHY)).unwrap();
        drop(daemon);
    });
}

#[test]
fn a_reload_leaves_sessions_alone_unless_it_is_about_routers() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let house = House::new("reload", "", &peer("upstream", router.port, "on_crash = \"withdraw\""));
    let daemon = house.start();
    house.up();
    house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
    let ups = || house.route(&["peers"]).unwrap()["peers"][0]["ups"].as_u64().unwrap();
    house.reload(&daemon, "[api]", "workers = 1\n[api]");
    assert_eq!(ups(), 1);
    house.reload(&daemon, "router_id = \"192.0.2.1\"", "router_id = \"192.0.2.9\"");
    // The desk is another one, and what the journal says stands again.
    house.up();
    wait("the route", || router.view().blackholes == ["198.51.100.7/32"]);
    assert_eq!(house.mitigations().len(), 1);
}

#[test]
fn routers_come_change_and_go_without_harm_to_the_others() {
    let options = || Options { restarts: true, ..Options::default() };
    let (Some(first), Some(second)) =
        (Daemon::start(Kind::Bird, options()), Daemon::start(Kind::Gobgp, options()))
    else {
        return;
    };
    let one = peer("one", first.port, "blackhole_communities = [\"blackhole\", \"65010:666\"]\npace = 40");
    let two = peer("two", second.port, "");
    let house = House::new("change", "", &one);
    let daemon = house.start();
    house.up();
    house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
    house.route(&with(&["blackhole", "2001:db8:1::7"], WHY)).unwrap();
    let both = ["198.51.100.7/32", "2001:db8:1::7/128"];
    let ups = || house.route(&["peers"]).unwrap()["peers"][0]["ups"].as_u64().unwrap();
    wait("both", || first.view().blackholes == both);
    // One comes; the other's session goes on, with its routes as its section has them now.
    house.reload(&daemon, &one, &format!("{}{two}", one.replace("65010:666", "65010:667")));
    house.up();
    assert_eq!((first.view().blackholes == both, ups()), (true, 1));
    house.route(&with(&["blackhole", "198.51.100.8", "--peer", "two"], WHY)).unwrap();
    wait("the new one", || second.view().blackholes == ["198.51.100.8/32"]);
    house.reload(&daemon, "\"65010:667\"", "\"65010:668\"");
    assert_eq!((ups(), first.view().blackholes == both), (1, true));
    // A session that has to begin anew, and a router that keeps routes meanwhile.
    house.reload(&daemon, "pace = 40", "pace = 41");
    let mut lost = 0;
    wait("the new session", || {
        lost += u32::from(first.view().blackholes != both);
        house.route(&["peers"]).unwrap()["peers"][0]["state"] == "established"
    });
    assert_eq!(lost, 0, "it keeps them over the change");
    // What a router is no longer told ends there, and only there.
    let carries =
        "carries = [\"blackhole\", \"flowspec\", \"diversion\"]\nblackhole_next_hop = \"192.0.2.66\"\n";
    house.reload(&daemon, &two, &two.replace(carries, "carries = [\"flowspec\", \"diversion\"]\n"));
    wait("the end at one", || second.view().blackholes.is_empty());
    assert_eq!(first.view().blackholes, both);
    // One goes.
    let text = std::fs::read_to_string(&house.config).unwrap();
    let (_, gone) = text.split_once("[routing.peers.two]").unwrap();
    house.reload(&daemon, &format!("[routing.peers.two]{gone}"), "\n");
    assert_eq!(house.route(&["peers"]).unwrap()["peers"].as_array().unwrap().len(), 1);
    assert_eq!((first.view().blackholes == both, ups()), (true, 1));
}

#[test]
fn check_lists_what_is_never_announced_whoever_asks() {
    let peers = peer("upstream", 1790, "") + "[routing.rpki]\ncaches = [\"127.0.0.9:3323\"]\n";
    let house = House::new("check", "never = [\"198.51.100.53/32\"]", &peers);
    let text = std::fs::read_to_string(&house.config).unwrap();
    std::fs::write(&house.config, text.replace("[listen]\n", "[listen]\nbmp = \"127.0.0.8:11019\"\n"))
        .unwrap();
    let output = spillway(["check", "-c", &house.config]);
    let text = String::from_utf8(output.stdout).unwrap();
    for what in [
        "198.51.100.53/32 (`routing.never`)",
        "192.0.2.1 (our router id)",
        "127.0.0.1 (the peer upstream)",
        "127.0.0.2 (our end of the session with upstream)",
        "192.0.2.66 (a next hop at upstream)",
        "127.0.0.9 (an RPKI cache)",
        "127.0.0.8 (our `listen.bmp`)",
        "2001:db8::67 (a next hop at upstream)",
    ] {
        assert!(text.contains(&format!("never announced: {what}\n")), "{what} is missing in\n{text}");
    }
    let output = spillway(["check", "-c", &house.config, "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["never_announced"].as_array().unwrap().len() >= 6, "{report}");
    assert_eq!(spillway(["route", "blackhole", "198.51.100.7", "-c", &house.config]).status.code(), Some(2));
    let nobody = house.route(&["list"]).unwrap_err();
    assert!(nobody.contains("no daemon answers at"), "{nobody}");
}

#[test]
fn where_the_journal_cannot_be_written_nothing_is_announced() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let wide = "per_minute = 100000\nroutes_max = 1000\nblackholed_share = 1.0\n";
    let house = House::new("full", wide, &peer("upstream", router.port, "pace = 0"));
    // Files grow to 320 KiB and no further, as on a disk that is full.
    let program = env!("CARGO_BIN_EXE_spillway");
    let limited = format!("trap '' XFSZ; ulimit -S -f 640; exec {program} run -c {}", house.config);
    let daemon = Spillway::begin(Command::new("sh").args(["-c", &limited]));
    house.up();
    let trail = rusqlite::Connection::open(house.path("state/access.db")).unwrap();
    let order = |host: usize| {
        let address = format!("198.51.{}.{}", 100 + host / 250, host % 250 + 1);
        // The audit trail is kept short, so that the journal is what does not fit first.
        trail.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        house.route(&with(&["blackhole", &address], WHY))
    };
    let agree = |count: usize| {
        wait("the router and the list agree", || {
            let list = house.mitigations();
            list.iter().all(|one| one["state"] == "active")
                && list.len() == count
                && router.view().blackholes.len() == count
        });
    };
    let (taken, why) = (0..500).find_map(|host| order(host).err().map(|why| (host, why))).unwrap();
    println!("{taken} were taken, then: {why}");
    assert!(taken > 0 && why.contains("the journal cannot be written, so nothing is announced"), "{why}");
    agree(taken);
    assert!(order(taken + 1).is_err());
    let status =
        Command::new("prlimit").args(["--pid", &daemon.id().to_string(), "--fsize=unlimited"]).status();
    assert!(status.unwrap().success());
    wait("room again", || order(taken + 2).is_ok());
    agree(taken + 1);
    assert!(daemon.sum("spillway_route_journal_errors_total") > 0.0);
    // What was taken before and after stands again; what was refused does not.
    daemon.signal("-KILL");
    let _ = daemon.ended();
    let _daemon = house.start();
    agree(taken + 1);
}
