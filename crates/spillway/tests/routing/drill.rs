//! Fire drills at real routers: a spare address goes and comes back, and what is seen of that is dated and kept.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::daemons::{Daemon, Kind, Options, run};
use super::desk::{House, WHY, peer, with};
use super::lifeline::{Cable, OURS_THERE, THEIRS_THERE};
use super::{OURS, wait};
use crate::daemon::Daemon as Spillway;
use crate::support::{free_port, spillway};

/// Class, prefix and result.
fn told(document: &Value) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let drills = document["drills"].as_array().unwrap_or_else(|| panic!("{document}"));
    drills.iter().map(|one| [text(&one["class"]), text(&one["prefix"]), text(&one["result"])]).collect()
}

#[test]
fn without_probes_a_drill_says_how_far_it_was_seen_and_is_kept_over_a_kill() {
    let port = free_port();
    let options = Options { bmp: Some(port), ..Options::default() };
    let Some(router) = Daemon::start(Kind::Gobgp, options) else { return };
    let drill = "[routing.drill]\nspare = [\"198.51.100.99/32\", \"2001:db8::99/128\"]\ndiversion = [\"198.51.101.0/24\"]\n";
    let peers = peer("upstream", router.port, "") + drill;
    let house = House::new("drill", "diversion = [\"198.51.101.0/24\"]\n", &peers);
    let text = std::fs::read_to_string(&house.config).unwrap();
    let text = text.replace("[listen]\n", &format!("[listen]\nbmp = \"127.0.0.1:{port}\"\n"));
    std::fs::write(&house.config, text).unwrap();
    let daemon = house.start();
    house.up();
    wait("BMP", || house.route(&["status"]).unwrap()["routers"] == 1);
    let (code, document) = house.drill(WHY);
    assert_eq!(code, Some(0), "{document}");
    let expected = [
        ["flowspec", "198.51.100.99/32", "sent"],
        ["flowspec", "2001:db8::99/128", "sent"],
        ["diversion", "198.51.101.0/24", "taken"],
        ["blackhole", "198.51.100.99/32", "taken"],
        ["blackhole", "2001:db8::99/128", "taken"],
    ];
    assert_eq!(told(&document), expected);
    let view = router.view();
    assert_eq!((view.blackholes.len(), view.rules), (0, 0), "all is withdrawn");
    assert_eq!(house.mitigations(), Vec::<Value>::new());
    let drilled = |events: Vec<String>| events.iter().filter(|event| *event == "drilled").count();
    assert_eq!(drilled(house.history()), 5);
    wait("the metric", || daemon.sum("spillway_drill_timestamp_seconds") > 0.0);
    daemon.signal("-KILL");
    let _ = daemon.ended();
    let _daemon = house.start();
    let (code, list) = house.drill(&["--list"]);
    assert_eq!(code, Some(0));
    let mut kept = told(&list);
    kept.reverse();
    assert_eq!(kept, expected);
    let peers = house.route(&["peers"]).unwrap();
    assert_eq!(peers["peers"][0]["drills"].as_array().unwrap().len(), 5, "{peers}");
    // What does not fit is refused with its remedy, and who asks too soon hears why.
    let refused = |args: &[&str]| house.drill(&with(args, WHY)).1.as_str().unwrap().to_owned();
    assert!(refused(&["--peer", "nobody"]).contains("there is no peer `nobody`; known here: upstream"));
    house.route(&with(&["panic"], WHY)).unwrap();
    assert!(refused(&[]).contains("announcements are frozen: `spillway route resume` ends that"));
}

#[test]
fn ctrl_c_withdraws_and_proves_nothing() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    // Packets go on to arrive, so it looks for long.
    let drill = "[routing.drill]\nspare = [\"198.51.100.99/32\"]\nprobe = [\"/bin/true\", \"{address}\"]\n";
    let house = House::new("drill-stop", "", &(peer("upstream", router.port, "") + drill));
    let _daemon = house.start();
    house.up();
    let child = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["drill", "--class", "blackhole", "-c", &house.config])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait("the announcement", || router.view().blackholes == ["198.51.100.99/32"]);
    let second = house.drill(&[]).1;
    assert!(second.as_str().unwrap().contains("a drill runs already"), "{second}");
    run("sh", &["-c", &format!("kill -INT {}", child.id())]);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("nothing is proven: stopped: interrupted"), "{text}");
    wait("the withdrawal", || router.view().blackholes.is_empty());
    assert_eq!(told(&house.drill(&["--list"]).1), Vec::<[String; 3]>::new());
    assert_eq!(house.mitigations(), Vec::<Value>::new());
}

#[test]
fn a_router_that_takes_it_and_does_nothing_fails() {
    let Some(router) = Daemon::start(Kind::Gobgp, Options::default()) else { return };
    let drill = "[routing.drill]\nspare = [\"2001:db8::99/128\"]\nprobe = [\"/bin/true\", \"{address}\"]\n";
    let house = House::new("drill-fails", "", &(peer("upstream", router.port, "") + drill));
    let _daemon = house.start();
    house.up();
    let (code, document) = house.drill(&with(&["--class", "flowspec"], WHY));
    assert_eq!(code, Some(1), "{document}");
    let peers = house.route(&["peers"]).unwrap();
    let failed = &peers["peers"][0]["drills"][0];
    assert_eq!((&failed["result"], &failed["class"]), (&"failed".into(), &"flowspec".into()), "{peers}");
    assert!(failed["wrong"].as_str().unwrap().contains("probes still arrived after 30s"), "{failed}");
    wait("the withdrawal", || router.view().rules == 0);
    let text = spillway(["route", "peers", "-c", &house.config]).stdout;
    assert!(String::from_utf8(text).unwrap().contains("failed: probes still arrived after 30s"));
}

/// A host behind the router, with the spare addresses.
struct Home(String);

impl Home {
    fn behind(router: &str) -> Self {
        let home = Self(format!("spw-home-{}", std::process::id()));
        run("ip", &["netns", "add", &home.0]);
        let ends = ["link", "add", "inside", "netns", router, "type", "veth", "peer", "name", "host"];
        run("ip", &[&ends[..], &["netns", &home.0]].concat());
        for (namespace, end, host) in [(router, "inside", "1"), (&home.0, "host", "99")] {
            let (v4, v6) = (format!("198.51.100.{host}/24"), format!("2001:db8::{host}/64"));
            run("ip", &["-n", namespace, "addr", "add", &v4, "dev", end]);
            run("ip", &["-n", namespace, "addr", "add", &v6, "dev", end, "nodad"]);
            run("ip", &["-n", namespace, "link", "set", end, "up"]);
        }
        home
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.0]);
    }
}

/// Namespaces.
mod net {
    use super::*;

    #[test]
    fn a_blackhole_that_a_real_kernel_makes_is_proven_by_probes_in_both_families() {
        let Some(cable) = Cable::new("drill") else { return };
        let home = Home::behind(&cable.theirs);
        let options = Options {
            kernel: true,
            between: Some((THEIRS_THERE, OURS_THERE)),
            namespace: Some(&cable.theirs),
            ..Options::default()
        };
        let Some(router) = Daemon::start(Kind::Bird, options) else { return };
        let section = peer("upstream", router.port, "")
            .replace("127.0.0.1:", &format!("{THEIRS_THERE}:"))
            .replace(&OURS.to_string(), OURS_THERE);
        let drill = format!(
            "[routing.drill]\nspare = [\"198.51.100.99/32\", \"2001:db8::99/128\"]\n\
             probe = [\"/usr/bin/nsenter\", \"--net=/run/netns/{}\", \"ping\", \"-c1\", \"-W1\", \"{{address}}\"]\n",
            cable.theirs
        );
        let house = House::new("drill-net", "", &(section + &drill));
        let program = env!("CARGO_BIN_EXE_spillway");
        let place = ["netns", "exec", &cable.ours, program, "run", "-c", &house.config];
        let _daemon = Spillway::begin(Command::new("ip").args(place));
        house.up();
        let (code, document) = house.drill(&with(&["--class", "blackhole"], WHY));
        assert_eq!(code, Some(0), "{document}");
        let expected =
            [["blackhole", "198.51.100.99/32", "passed"], ["blackhole", "2001:db8::99/128", "passed"]];
        assert_eq!(told(&document), expected);
        for one in document["drills"].as_array().unwrap() {
            assert!(one["acted_after_ms"].is_u64() && one["gone_after_ms"].is_u64(), "{one}");
        }
        // And it is the kernel that drops: its table says so while one holds.
        house.route(&with(&["blackhole", "198.51.100.99"], WHY)).unwrap();
        let kernel = || run("ip", &["-n", &cable.theirs, "route", "show", "type", "blackhole"]);
        wait("the kernel's route", || kernel().contains("198.51.100.99"));
        drop(home);
    }
}
