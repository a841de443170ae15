//! What makes a service worse is withdrawn by itself, and what does not is not.

use super::*;
use crate::routing::{OURS, side_by_side};
use router::Service;

/// Enough told to know whom the target serves in peace: a quarter of a minute and more.
const PEACE: u32 = 1300;
/// Two windows, and time to settle; the rest is a busy machine's.
const LOOKED: Duration = Duration::from_secs(120);

/// In both families at once.
pub(in crate::routing) fn both(test: impl Fn(bool) + Sync) {
    side_by_side([false, true], test);
}

pub(super) const fn target(v6: bool) -> &'static str {
    if v6 { "2001:db8:1::7/128" } else { "198.51.100.7/32" }
}

pub(super) fn ended_of(house: &House, id: &Value) -> Option<String> {
    let line = ended(house).into_iter().find(|line| line["mitigation"] == *id)?;
    Some(line["reason"].as_str().unwrap().to_owned())
}

fn listed(house: &House, id: &Value) -> Option<Value> {
    house.mitigations().into_iter().find(|one| one["id"] == *id)
}

#[test]
fn a_rule_too_wide_by_hand_that_cuts_known_clients_is_withdrawn_and_one_that_does_not_stays() {
    both(|v6| {
        let kind = if v6 { Kind::Gobgp } else { Kind::Bird };
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let house = house(&format!("wide-{v6}"), "enforce", &peer, "", AUTOMATIC);
        let daemon = house.start();
        house.up();
        let router = Router::of(daemon.listen(0), v6, Service::Answered);
        router.has_told(PEACE);
        let rule = |id: &str, rest: &str| {
            let text = format!("{id} dst {} proto udp {rest} -> drop", target(v6));
            house.route(&with(&["announce", &text], WHY)).unwrap()["id"].clone()
        };
        let narrow = rule("ntp", "src-port 123");
        // What begins together acts together.
        router.has_told_more(200);
        let wide = rule("wide", "dst-port 53");
        wait("both rules", || peer.view().rules == 2);
        router.serve(Service::Cut);
        let reason = wait_for("its end", LOOKED, || ended_of(&house, &wide));
        println!("{reason}");
        assert!(
            reason.contains("the service does worse since it is in force: known peers that are served"),
            "{reason}"
        );
        wait("the router lets go", || peer.view().rules == 1);
        // The other one holds, and is looked at anew.
        router.serve(Service::Answered);
        let told = wait_for("what is said of the other", LOOKED, || {
            listed(&house, &narrow)
                .filter(|one| matches!(one["outcome"]["is"].as_str(), Some("same" | "better")))
        });
        println!("{:#}", told["outcome"]);
        assert!(told["outcome"]["reason"].as_str().unwrap().contains("known peers"), "{told}");
        assert_eq!(daemon.sum("spillway_route_harmful_total"), 1.0);
    });
}

/// Waits for what is said of an attack; what was said on the way is printed.
pub(super) fn told_until(daemon: &Spillway, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_for(what, LOOKED, || {
        let sure = daemon.attacks().into_iter().filter(|attack| attack["severity"] == "attack");
        let attack = sure.max_by_key(|attack| attack["started_at"].to_string())?;
        let said = &attack["mitigation"];
        let brief = serde_json::json!([
            said["stands"],
            said["health"],
            said["refused"],
            said["needs_person"],
            attack["state"]
        ]);
        if brief != last {
            println!("{brief}");
            last = brief;
        }
        is(said).then_some(attack)
    })
}

#[test]
fn rules_of_the_ladder_that_cut_known_clients_are_withdrawn_and_nothing_stronger_follows_by_itself() {
    both(|v6| {
        let kind = if v6 { Kind::Bird } else { Kind::Gobgp };
        let Some(peer) = Daemon::start(kind, Options::default()) else { return };
        let approvals = "[routing.approvals]\nflowspec = \"automatic\"\nblackhole = \"automatic\"\n";
        let house = house(&format!("harm-{v6}"), "enforce", &peer, "", approvals);
        let daemon = house.start();
        house.up();
        let router = Router::of(daemon.listen(0), v6, Service::Answered);
        router.has_told(PEACE);
        router.flood(Flood::Queries);
        wait("the rules", || peer.view().rules > 0);
        router.flood(Flood::QueriesDiscarded);
        router.serve(Service::Cut);
        let document = told_until(&daemon, "its withdrawal", |said| said["withdrawn"][0].is_object());
        let said = &document["mitigation"];
        println!("{said:#}");
        let reason = said["withdrawn"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("known peers that are served a second"), "{reason}");
        wait("the router lets go", || peer.view().rules == 0);
        // What it was is not begun again, and a person is asked about what is stronger.
        let barred = super::said(&daemon, "that it is not tried again", |said| {
            said["rejected"].to_string().contains("does worse since it is in force")
                && said["needs_person"] == true
        });
        router.has_told_more(500);
        let view = peer.view();
        assert!(view.rules == 0 && view.blackholes.is_empty(), "{view:?} {barred}");
        // The next daemon knows it too.
        daemon.signal("-KILL");
        let _ = daemon.ended();
        let daemon = house.start();
        router.tell(daemon.listen(0));
        house.up();
        super::said(&daemon, "that it is not tried again after a kill", |said| {
            said["rejected"].to_string().contains("does worse since it is in force")
                && said["needs_person"] == true
        });
        router.has_told_more(300);
        let view = peer.view();
        assert!(view.rules == 0 && view.blackholes.is_empty(), "{view:?}");
    });
}

#[test]
fn a_good_filter_of_a_flood_that_was_answered_stays_though_there_are_fewer_answers() {
    both(|v6| {
        let floods = [
            (Kind::Bird, Flood::Queries, Flood::QueriesDiscarded),
            (Kind::Gobgp, Flood::Forwarded, Flood::Discarded),
        ];
        side_by_side(floods, |(kind, flood, filtered)| {
            let Some(peer) = Daemon::start(kind, Options::default()) else { return };
            let house = house(&format!("good-{v6}-{flood:?}"), "enforce", &peer, "", AUTOMATIC);
            let daemon = house.start();
            house.up();
            let router = Router::of(daemon.listen(0), v6, Service::Answered);
            router.has_told(PEACE);
            router.flood(flood);
            wait("the rules", || peer.view().rules > 0);
            router.flood(filtered);
            let document = wait_for("what is said of the service", LOOKED, || {
                attack(&daemon).filter(|attack| {
                    let health = attack["mitigation"]["health"].as_array();
                    health.is_some_and(|all| {
                        all.iter().any(|one| matches!(one["outcome"].as_str(), Some("same" | "better")))
                    })
                })
            });
            println!("{:#}", document["mitigation"]["health"]);
            router.has_told_more(600);
            assert_eq!(daemon.sum("spillway_route_harmful_total"), 0.0, "{:?}", ended(&house));
            assert!(peer.view().rules > 0);
        });
    });
}

/// What is asked at the target, and how often it was.
fn marks(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[test]
fn a_probe_that_fails_since_a_measure_withdraws_it_and_without_anything_seen_it_stays() {
    both(|v6| {
        let Some(peer) = Daemon::start(Kind::Bird, Options::default()) else { return };
        let folder = std::env::temp_dir().join(format!("spillway-health-{}-{v6}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (asked, cut) = (folder.join("asked"), folder.join("cut"));
        let address = target(v6).split('/').next().unwrap();
        // A program that hangs, or a server that is busy.
        let server = std::net::TcpListener::bind((OURS, 0)).unwrap();
        let url = format!("url = \"http://{}/health\"", server.local_addr().unwrap());
        let nap = format!("98{}", std::process::id());
        let script = format!("echo >> {}; test ! -e {} || sleep {nap}", asked.display(), cut.display());
        let command = format!("command = [\"/bin/sh\", \"-c\", \"{script}\"]");
        let how = if v6 { &url } else { &command };
        let health = format!("[routing.health.\"{address}\"]\n{how}\nevery = \"1s\"\ntimeout = \"900ms\"\n");
        let house = house(&format!("probe-{v6}"), "enforce", &peer, "", &[AUTOMATIC, &health].concat());
        if v6 {
            let (asked, cut) = (asked.clone(), cut.clone());
            // It ends with the process.
            std::thread::spawn(move || serve(&server, &asked, &cut));
        }
        let daemon = house.start();
        house.up();
        // What is seen of traffic says nothing of the target.
        let router = Router::of(daemon.listen(0), v6, Service::None);
        wait_for("some answers", LOOKED, || (marks(&asked) >= 6).then_some(()));
        let announce = |dst: &str| {
            let text = format!("r{} dst {dst} proto udp dst-port 53 -> drop", dst.len());
            house.route(&with(&["announce", &text], WHY)).unwrap()["id"].clone()
        };
        let (wide, other) =
            (announce(target(v6)), announce(if v6 { "2001:db8:2::/64" } else { "198.51.101.0/24" }));
        std::fs::write(&cut, "").unwrap();
        let reason = wait_for("its end", LOOKED, || ended_of(&house, &wide));
        println!("{reason}");
        assert!(reason.contains("answers to the probe: 1.00 before, 0.00 now"), "{reason}");
        let why =
            if v6 { "the server answered with status 503" } else { "took longer than 900 ms and was killed" };
        assert!(reason.contains(why), "{reason}");
        let kept = listed(&house, &other).unwrap();
        assert_eq!(kept["outcome"]["is"], "unknown", "{kept}");
        assert!(kept["outcome"]["reason"].as_str().unwrap().contains("too little was counted"), "{kept}");
        // Who is killed cannot kill its children; who ends does.
        daemon.signal("-TERM");
        let _ = daemon.ended();
        drop(router);
        if !v6 {
            wait("no program that hangs is left", || !is_running(&nap));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

/// Answers well until it is cut off.
fn serve(server: &std::net::TcpListener, asked: &std::path::Path, cut: &std::path::Path) {
    use std::io::{Read as _, Write as _};
    for stream in server.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 512]);
        let status = if cut.exists() { "503 Busy" } else { "200 OK" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(asked) {
            let _ = writeln!(file);
        }
    }
}

/// Whether a process has this among its arguments.
fn is_running(word: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.split(|octet| *octet == 0).any(|argument| argument == word.as_bytes()))
}
