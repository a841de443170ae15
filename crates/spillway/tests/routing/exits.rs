//! How the daemon goes, and what its routers hold then: killed at random instants under load, stopped, crashed.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::daemons::{Daemon, Kind, Options};
use super::desk::{House, WHY, over, peer, with};
use super::{side_by_side, wait};

/// Kills in an ordinary run; `SPILLWAY_KILLS` asks for more, `SPILLWAY_SEED` for others.
const KILLS: u64 = 30;
/// Caps that a load does not meet.
const WIDE: &str = "per_minute = 1000000\nroutes_max = 1000\nrules_max = 1000\nblackholed_share = 1.0\n";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator (xorshift64*), so that a seed says it all.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}

/// Orders as fast as they are answered, until nobody answers; how many were carried out.
fn load(socket: &Path, mut dice: Dice) -> u64 {
    let mut done = 0;
    let mut ids: Vec<u64> = Vec::new();
    loop {
        let order = match dice.roll(4) {
            0 if !ids.is_empty() => {
                let at = usize::try_from(dice.roll(ids.len() as u64)).unwrap();
                json!({ "withdraw": { "id": ids.swap_remove(at), "reason": "load" } })
            }
            kind => {
                let host = dice.roll(300);
                let (high, low) = (host / 100, host % 100 + 1);
                let (class, what) = match kind {
                    1 => ("flowspec", format!("r dst 198.51.10{high}.{low}/32 proto udp -> drop")),
                    2 => ("blackhole", format!("2001:db8:{high}::{low:x}")),
                    _ => ("blackhole", format!("198.51.10{high}.{low}")),
                };
                json!({ "announce": { "class": class, "what": what, "peers": [], "hold": 3600, "reason": "load", "dry_run": false } })
            }
        };
        let Some(reply) = ask(socket, &order) else { return done };
        if reply["ok"] == true {
            done += 1;
            ids.extend(reply["answer"]["one"]["id"].as_u64());
        }
    }
}

fn ask(socket: &Path, order: &Value) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    writeln!(stream, "{}", json!({ "route": order })).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// What the journal says: the blackholes in order, and how many rules.
fn by_the_journal(house: &House) -> (Vec<String>, usize) {
    let all = house.mitigations();
    assert!(all.iter().all(|one| one["state"] == "active"), "{all:?}");
    let of = |class: &'static str| all.iter().filter(move |one| one["class"] == class);
    let mut blackholes: Vec<String> =
        of("blackhole").map(|one| one["what"].as_str().unwrap().to_owned()).collect();
    blackholes.sort_unstable();
    (blackholes, of("flowspec").count())
}

#[test]
fn killed_at_random_instants_under_load_the_router_ends_with_what_the_journal_says() {
    let (seed, kills) = (number("SPILLWAY_SEED", 7), number("SPILLWAY_KILLS", KILLS));
    println!("SPILLWAY_SEED={seed} SPILLWAY_KILLS={kills}");
    // Each has dice of its own, so that a seed says it all.
    let routers = [(Kind::Gobgp, kills - kills / 3, 1), (Kind::Bird, kills / 3, 3)];
    side_by_side(routers, |(kind, kills, of)| {
        let mut dice = Dice(seed.wrapping_mul(4) | of);
        let Some(router) = Daemon::start(kind, Options::default()) else { return };
        let more = "pace = 0\non_crash = \"withdraw\"\n[routing.approvals]\nblackhole = \"automatic\"\n";
        let house = House::new(&format!("kills-{}", kind.name()), WIDE, &peer("upstream", router.port, more));
        let mut carried_out = 0;
        let mut loaded = Duration::ZERO;
        for kill in 0..=kills {
            let daemon = house.start();
            // Each third time all is compared, and the next kill hits a session that is up; in between kills follow each other
            // before the router has heard of the last.
            if kill % 3 == 0 || kill == kills {
                let (blackholes, rules) = by_the_journal(&house);
                wait(&format!("{} after kill {kill} of seed {seed}", kind.name()), || {
                    let view = router.view();
                    view.blackholes == blackholes && view.rules == rules
                });
            }
            if kill < kills {
                let (socket, dice_of_load) = (house.socket(), Dice(dice.roll(u64::MAX) | 1));
                let loading = std::thread::spawn(move || load(&socket, dice_of_load));
                let pause = Duration::from_millis(dice.roll(400));
                std::thread::sleep(pause);
                daemon.signal("-KILL");
                let _ = daemon.ended();
                carried_out += loading.join().unwrap();
                loaded += pause;
            }
        }
        println!("{}: {carried_out} orders carried out in {loaded:?}", kind.name());
        assert!(carried_out > 0, "there was a load");
    });
}

#[test]
fn stopped_or_crashed_the_routers_hold_what_the_profile_promises() {
    // Who helps a speaker that restarts without being asked, and with what: prefixes, rules.
    let helped = [
        (Kind::Bird, (true, true)),
        (Kind::Frr, (true, false)),
        (Kind::Gobgp, (false, false)),
        (Kind::Exabgp, (false, false)),
    ];
    side_by_side(helped, |(kind, kept)| {
        let Some(router) = Daemon::start(kind, Options::default()) else { return };
        for (keys, signal, keeps) in [
            ("on_crash = \"withdraw\"", "-KILL", false),
            ("on_crash = \"keep\"", "-KILL", true),
            ("on_stop = \"withdraw\"", "-TERM", false),
            ("on_stop = \"keep\"", "-TERM", true),
        ] {
            let what = format!("{} {keys} {signal}", kind.name());
            let promised = if keeps { kept } else { (false, false) };
            leaves(&router, &what, keys, signal, promised);
        }
    });
}

/// Announces, ends by the signal, and looks what the router has then; and whether the next daemon takes it up.
fn leaves(router: &Daemon, what: &str, keys: &str, signal: &str, promised: (bool, bool)) {
    println!("{what}");
    let name = format!("exits-{}", router.kind.name());
    let house = House::new(&name, "", &peer("upstream", router.port, keys));
    let daemon = house.start();
    house.up();
    house.route(&with(&["blackhole", "198.51.100.7"], WHY)).unwrap();
    house.route(&with(&["announce", "a dst 198.51.100.8/32 -> drop"], WHY)).unwrap();
    let holds = || {
        let view = router.view();
        (view.blackholes == ["198.51.100.7/32"], view.rules == 1)
    };
    wait(&format!("{what}: the routes"), || holds() == (true, true));
    daemon.signal(signal);
    let (code, _) = daemon.ended();
    assert_eq!(code, (signal == "-TERM").then_some(0));
    wait(&format!("{what}: {promised:?}"), || holds() == promised);
    if promised.0 {
        // Longer than it takes the router to see that the connection is gone.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(holds(), promised, "{what}");
    }
    let daemon = house.start();
    wait(&format!("{what}: the routes again"), || holds() == (true, true));
    house.route(&with(&["panic"], WHY)).unwrap();
    wait(&format!("{what}: nothing"), || holds() == (false, false));
    daemon.signal("-TERM");
    let _ = daemon.ended();
}

#[test]
fn what_ends_while_the_daemon_is_away_is_let_go_by_a_router_that_kept_it() {
    let Some(router) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let house = House::new("stale", "", &peer("upstream", router.port, "on_crash = \"keep\""));
    let daemon = house.start();
    house.up();
    let brief = house.route(&with(&["blackhole", "198.51.100.7", "--for", "8s"], WHY)).unwrap();
    house.route(&with(&["blackhole", "2001:db8::7", "--for", "1h"], WHY)).unwrap();
    wait("the routes", || router.view().blackholes.len() == 2);
    daemon.signal("-KILL");
    let _ = daemon.ended();
    over(&brief);
    assert_eq!(router.view().blackholes.len(), 2, "graceful restart keeps both");
    let _daemon = house.start();
    wait("what is over goes, what holds stays", || router.view().blackholes == ["2001:db8::7/128"]);
}
