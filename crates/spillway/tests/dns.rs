//! Names diverted at real servers by the command line: put back with their TTLs, over kills, refusals and others' changes.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

#[path = "dns/forward.rs"]
mod forward;
#[path = "dns/servers.rs"]
mod servers;

use serde_json::Value;

use crate::daemon::{Daemon, wait};
use crate::support::{Scratch, spillway, stderr};
use servers::{KINDS, Kind, SECRET, Server};

/// What the zone has.
const ZONE: &str = "www 3600 A 198.51.100.7\nwww 3600 A 198.51.100.8\nwww 1800 AAAA 2001:db8::7\n\
                    six 600 AAAA 2001:db8::6\nalias 60 CNAME www\n*.wild 60 A 198.51.100.9\n";
/// The same, as it is asked for.
const WAS: [&str; 3] = ["3600 198.51.100.7", "3600 198.51.100.8", "1800 2001:db8::7"];
const DIVERTED: [&str; 2] = ["20 203.0.113.80", "20 2001:db8:80::1"];
const WHY: [&str; 2] = ["--reason", "a test"];

/// A daemon's folder and configuration.
struct House {
    scratch: Scratch,
    config: String,
}

impl House {
    fn new(label: &str, server: &Server) -> Self {
        Self::with(label, server, SECRET, "spillway")
    }

    fn with(label: &str, server: &Server, secret: &str, key_name: &str) -> Self {
        let scratch = Scratch::new(&format!("dns-{label}-{:?}", server.kind));
        let key = scratch.file("key", secret.as_bytes());
        // The way there is of IPv6 for one of both.
        let address = if server.kind == Kind::Bind { "[::1]" } else { "127.0.0.1" };
        let text = format!(
            "networks = [\"198.51.100.7/32\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [dns.main]\nserver = \"{address}:{}\"\nzone = \"example.net\"\nkey_name = \"{key_name}\"\nkey_file = \"{key}\"\n\
             names = [\"www.example.net\", \"six.example.net\", \"alias.example.net\", \"none.example.net\", \"a.wild.example.net\", \"many.example.net\"]\n\
             algorithm = \"{}\"\nto = [\"203.0.113.80\", \"2001:db8:80::1\"]\nttl = \"20s\"\n",
            scratch.path("state").display(),
            server.port,
            server.kind.algorithm()
        );
        let config = scratch.file("spillway.toml", text.as_bytes());
        Self { scratch, config }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.config)
    }

    /// Runs `spillway dns …`; the document it prints, or the line it complains with.
    fn dns(&self, args: &[&str]) -> Result<Value, String> {
        let output = spillway([&["dns"], args, &["-c", &self.config, "-o", "json"]].concat());
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            Some(1) => Err(stderr(&output)),
            other => panic!("{args:?}: {other:?} {}", stderr(&output)),
        }
    }

    fn divert(&self, name: &str, hold: &str) -> Result<Value, String> {
        self.dns(&[&["divert", &format!("{name}.example.net"), "--for", hold], &WHY[..]].concat())
    }

    fn restore(&self, name: &str) -> Result<Value, String> {
        self.dns(&[&["restore", &format!("{name}.example.net")], &WHY[..]].concat())
    }

    fn name(&self, name: &str) -> Value {
        let wanted = format!("{name}.example.net.");
        // While the configuration is reloaded there is no desk, and then another one.
        wait("a status", || {
            let names = self.dns(&["status"]).ok()?["names"].clone();
            names.as_array().unwrap().iter().find(|one| one["name"] == wanted).cloned()
        })
    }

    /// Waits until it stands so.
    fn stands(&self, name: &str, state: &str) -> Value {
        wait(&format!("{name} to be {state}"), || Some(self.name(name)).filter(|one| one["state"] == state))
    }

    fn history(&self) -> Vec<String> {
        let history = self.dns(&["history"]).unwrap()["history"].clone();
        history.as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn each(test: impl Fn(Server)) {
    for kind in KINDS {
        if let Some(server) = Server::start(kind, ZONE, true) {
            println!("{kind:?}");
            test(server);
        }
    }
}

fn killed(daemon: Daemon) {
    daemon.signal("-KILL");
    let _ = daemon.ended();
}

#[test]
fn a_name_is_diverted_at_real_servers_outlives_a_kill_and_comes_back_with_its_ttls() {
    each(|server| {
        let house = House::new("walk", &server);
        let daemon = house.start();
        let peace = wait("a first look", || Some(house.name("www")).filter(|one| one["seen_at"].is_string()));
        assert_eq!((&peace["state"], &peace["negative_ttl"]), (&"idle".into(), &300.into()), "{peace}");
        assert!(peace["advice"][0].as_str().unwrap().contains("its TTL is 1h"), "{peace}");
        let one = house.divert("www", "1h").unwrap();
        assert_eq!(one["state"], "diverted", "{one}");
        assert_eq!(server.addresses("www"), DIVERTED);
        let advice = one["advice"][0].as_str().unwrap();
        assert!(
            advice.contains("for up to 1h after the diversion")
                && advice.contains("for up to 20s after its end"),
            "{advice}"
        );
        assert!(one["diversion"]["moved_by"].is_string() && one["diversion"]["actor"].is_string(), "{one}");
        // It is what it was after a kill, and its end can be moved.
        killed(daemon);
        let daemon = house.start();
        house.stands("www", "diverted");
        let renewed = house.divert("www", "2h").unwrap();
        assert_eq!(renewed["diversion"]["id"], 1, "{renewed}");
        assert_eq!(server.addresses("www"), DIVERTED);
        let back = house.restore("www").unwrap();
        assert_eq!((&back["state"], &back["last"]["how"]), (&"idle".into(), &"restored".into()), "{back}");
        assert!(back["last"]["back_by"].is_string(), "{back}");
        assert_eq!(server.addresses("www"), WAS);
        assert_eq!(house.history(), ["ended", "restoring", "renewed", "started"]);
        // A name of one family gets the other meanwhile.
        let six = house.divert("six", "1h").unwrap();
        assert!(
            six["advice"][1].as_str().unwrap().contains("it gets A records while it is diverted"),
            "{six}"
        );
        assert_eq!(server.addresses("six"), DIVERTED);
        house.restore("six").unwrap();
        assert_eq!(server.addresses("six"), ["600 2001:db8::6"]);
        assert_eq!(daemon.sum("spillway_dns_updates_total"), 3.0);
        assert_eq!(daemon.sum("spillway_dns_troubled"), 1.0, "the alias");
        // Each order stands in the audit trail, with what was and what is.
        let out = spillway(["audit", "-c", &house.config, "-o", "json"]);
        let trail: Value = serde_json::from_slice(&out.stdout).unwrap();
        let mut trail = trail["items"].as_array().unwrap().clone();
        trail.retain(|line| !line["action"].as_str().unwrap().starts_with("daemon."));
        let actions: Vec<&str> = trail.iter().map(|line| line["action"].as_str().unwrap()).collect();
        let both = ["dns.restore", "dns.divert"];
        assert_eq!(actions, [both[0], both[1], both[0], both[1], both[1]]);
        assert!(
            trail.iter().all(|line| line["outcome"]["done"] == true && line["reason"] != ""),
            "{trail:?}"
        );
        let stood = |line: &Value, key: &str| -> Value {
            serde_json::from_str(line.pointer(key).and_then(Value::as_str).unwrap()).unwrap()
        };
        let renewal = &trail[3];
        assert_eq!(stood(renewal, "/before")["state"], "diverted", "{renewal}");
        assert_eq!(stood(renewal, "/outcome/after")["diversion"]["id"], 1, "{renewal}");
        assert_eq!(stood(&trail[4], "/before")["state"], "idle");
        // Each beginning and end is a decision that stands in the ledger.
        wait("the ledger", || {
            let out = spillway(["ledger", "report", "-c", &house.config, "-o", "json"]);
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            (text.contains("announcement") && text.contains("withdrawal")).then_some(())
        });
        drop(daemon);
        drop(house.scratch);
    });
}

#[test]
fn a_lease_ends_by_itself_also_while_the_daemon_is_dead() {
    each(|server| {
        let house = House::new("lease", &server);
        let daemon = house.start();
        house.divert("www", "2s").unwrap();
        assert_eq!(server.addresses("www"), DIVERTED);
        let over = house.stands("www", "idle");
        assert_eq!(over["last"]["how"], "restored", "{over}");
        assert_eq!(server.addresses("www"), WAS);
        house.divert("www", "1s").unwrap();
        killed(daemon);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let _daemon = house.start();
        wait("what was there", || (server.addresses("www") == WAS).then_some(()));
        house.stands("www", "idle");
    });
}

#[test]
fn killed_at_any_moment_nothing_is_lost() {
    let Some(server) = Server::start(Kind::Knot, ZONE, true) else { return };
    let house = House::new("kill", &server);
    for round in 0..12u64 {
        let daemon = house.start();
        wait("a first look", || Some(house.name("www")).filter(|one| one["seen_at"].is_string()));
        let restoring = round % 2 == 1;
        if restoring {
            house.divert("www", "1h").unwrap();
        }
        std::thread::scope(|scope| {
            let order =
                scope.spawn(|| if restoring { house.restore("www") } else { house.divert("www", "1h") });
            std::thread::sleep(std::time::Duration::from_millis(round * 3));
            killed(daemon);
            let _ = order.join();
        });
        let _daemon = house.start();
        let settled = wait("it to settle", || {
            let one = house.name("www");
            (one["seen_at"].is_string() && (one["state"] == "idle" || one["state"] == "diverted"))
                .then_some(one)
        });
        if settled["state"] == "diverted" {
            assert_eq!(server.addresses("www"), DIVERTED, "round {round}");
            house.restore("www").unwrap();
        }
        assert_eq!(server.addresses("www"), WAS, "round {round}");
    }
}

#[test]
fn a_server_that_refuses_is_found_said_and_left_out() {
    let (refused, bad_sig, bad_key) = (
        "the server says REFUSED: it does not let this key update the zone",
        "the server says BADSIG: the secrets differ",
        "the server says BADKEY: it does not know the key",
    );
    let wrong = "d3JvbmcgZm9yIHN1cmUsIG9mIHRoaXJ0eSB0d28uLi4=";
    for kind in KINDS {
        // Whether the zone takes updates, the secret and the key's name.
        let cases = [
            // Knot says so where no list of the zone names the key.
            (false, SECRET, "spillway", if kind == Kind::Knot { bad_key } else { refused }),
            (true, wrong, "spillway", bad_sig),
            (true, SECRET, "nobody", bad_key),
        ];
        for (place, (updates, secret, key, said)) in cases.into_iter().enumerate() {
            let Some(server) = Server::start(kind, ZONE, updates) else { continue };
            let house = House::with(&format!("refuse{place}"), &server, secret, key);
            let daemon = house.start();
            let refused = house.divert("www", "1h").unwrap_err();
            assert!(refused.contains(said), "{kind:?} {place}: {refused}");
            let after = house.stands("www", "idle");
            assert_eq!(after["last"]["how"], "left-out", "{after}");
            assert_eq!(server.addresses("www"), WAS);
            assert_eq!(daemon.sum("spillway_dns_left_out_total"), 1.0);
        }
    }
}

#[test]
fn a_server_that_is_down_is_said_and_a_restore_waits_for_it() {
    let Some(mut server) = Server::start(Kind::Bind, ZONE, true) else { return };
    let house = House::new("down", &server);
    let daemon = house.start();
    house.divert("www", "1h").unwrap();
    server.kill();
    let waits = house.restore("www").unwrap_err();
    assert!(waits.contains("is not restored yet: the server") && waits.contains("it is tried on"), "{waits}");
    let refused = house.divert("six", "1h").unwrap_err();
    assert!(refused.contains("six.example.net. not diverted: the server cannot be reached"), "{refused}");
    assert_eq!(house.name("www")["state"], "restoring");
    // Over a kill, too.
    killed(daemon);
    let _daemon = house.start();
    server.run();
    house.stands("www", "idle");
    assert_eq!(server.addresses("www"), WAS);
}

#[test]
fn what_somebody_else_changed_meanwhile_is_said_and_left_alone() {
    each(|server| {
        let house = House::new("others", &server);
        let daemon = house.start();
        house.divert("www", "1h").unwrap();
        server.change("del www.example.net. A\nadd www.example.net. 77 A 192.0.2.99");
        let said = house.restore("www").unwrap_err();
        assert!(
            said.contains(
                "somebody else changed the records meanwhile: 192.0.2.99 (TTL 77), 2001:db8:80::1 (TTL 20)"
            ),
            "{said}"
        );
        assert_eq!(server.addresses("www"), ["77 192.0.2.99", "20 2001:db8:80::1"]);
        let after = house.name("www");
        assert_eq!(
            (&after["state"], &after["last"]["how"]),
            (&"idle".into(), &"changed-by-others".into()),
            "{after}"
        );
        assert_eq!(daemon.sum("spillway_dns_changed_by_others_total"), 1.0);
        // A name beside it is nobody's business.
        assert_eq!(server.addresses("six"), ["600 2001:db8::6"]);
    });
}

#[test]
fn only_listed_names_that_have_addresses_of_their_own_are_diverted() {
    let Some(server) = Server::start(Kind::Knot, ZONE, true) else { return };
    let house = House::new("rails", &server);
    let daemon = house.start();
    for (name, hold, said) in [
        ("ns", "1h", "ns.example.net. may not be diverted: name it in `names` of a section [dns.NAME]"),
        ("a.www", "1h", "a.www.example.net. may not be diverted"),
        ("www", "25h", "at most 1d (`lease_max`)"),
        ("alias", "1h", "the name is an alias (CNAME) of www.example.net."),
        ("none", "1h", "the name has no address, so there is nothing to divert"),
        ("a.wild", "1h", "a wildcard or a view answers for the name; give it records of its own"),
        ("b c", "1h", "`b c.example.net` is not the name of a host"),
    ] {
        let refused = house.divert(name, hold).unwrap_err();
        assert!(refused.contains(said), "{name}\n  said     {refused}\n  expected {said}");
    }
    let idle = house.restore("www").unwrap_err();
    assert!(idle.contains("www.example.net. is not diverted"), "{idle}");
    let silent = house.dns(&["divert", "www.example.net", "--for", "1h", "--reason", " "]).unwrap_err();
    assert!(silent.contains("needs a reason"), "{silent}");
    assert_eq!(server.addresses("www"), WAS);
    assert_eq!(daemon.sum("spillway_dns_orders_refused_total"), 4.0);
}

#[test]
fn many_addresses_go_over_tcp() {
    let many: Vec<String> = (1..=40).map(|host| format!("many 60 A 198.51.100.{host}\n")).collect();
    let six: Vec<String> = (1..=20).map(|host| format!("many 60 AAAA 2001:db8::{host}\n")).collect();
    for kind in KINDS {
        let Some(server) = Server::start(kind, &(ZONE.to_owned() + &many.concat() + &six.concat()), true)
        else {
            continue;
        };
        let house = House::new("many", &server);
        let _daemon = house.start();
        let before = server.addresses("many");
        assert_eq!(before.len(), 60);
        house.divert("many", "1h").unwrap();
        assert_eq!(server.addresses("many"), DIVERTED);
        house.restore("many").unwrap();
        assert_eq!(server.addresses("many"), before);
    }
}

#[test]
fn a_diverted_name_that_is_listed_no_more_is_said_and_comes_back_when_it_is_listed_again() {
    let Some(server) = Server::start(Kind::Knot, ZONE, true) else { return };
    let house = House::new("orphan", &server);
    let daemon = house.start();
    house.divert("www", "1h").unwrap();
    let text = std::fs::read_to_string(&house.config).unwrap();
    std::fs::write(&house.config, text.replace("\"www.example.net\", ", "")).unwrap();
    daemon.signal("-HUP");
    let orphan = house.stands("www", "not-configured");
    assert!(orphan["trouble"].as_str().unwrap().contains("198.51.100.7 (TTL 3600)"), "{orphan}");
    assert_eq!(daemon.sum("spillway_dns_orphans"), 1.0);
    std::fs::write(&house.config, text).unwrap();
    daemon.signal("-HUP");
    house.stands("www", "diverted");
    house.restore("www").unwrap();
    assert_eq!(server.addresses("www"), WAS);
}

#[test]
fn the_status_shows_people_ttls_and_what_they_mean() {
    let Some(server) = Server::start(Kind::Knot, ZONE, true) else { return };
    let house = House::new("table", &server);
    let _daemon = house.start();
    house.divert("www", "1h").unwrap();
    let output = spillway(["dns", "status", "-c", &house.config, "-o", "text"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "www.example.net. diverted · zone example.net. at 127.0.0.1:",
        "  to 203.0.113.80 (TTL 20), 2001:db8:80::1 (TTL 20)",
        "  comes back: 198.51.100.7 (TTL 3600), 198.51.100.8 (TTL 3600), 2001:db8::7 (TTL 1800)",
        "  resolvers that respect TTLs have let go of the old addresses by 20",
        "alias.example.net. idle",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let help = spillway(["dns", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("It is useless while the address of the origin is known to the attacker"),
        "{help}"
    );
}
