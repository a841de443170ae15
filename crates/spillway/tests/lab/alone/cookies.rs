//! Honest clients of real kernels, under a flood of forged SYNs that the data plane answers by cookies.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sim::rng::Rng;
use spillway::lab::Site;

use crate::arena::{Arena, Way};
use crate::flood::Flood;

const RULES: &str = "syn proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n";
/// SYNs a second.
const FLOOD: u32 = 20_000;
/// No kill comes later, so that a hundred of them end in time.
const LONGEST: Duration = Duration::from_millis(1_200);
/// As many honest connections for each way to connect.
const CONNECTIONS: u32 = 1_000;
/// Of these have to succeed.
const GOOD: u32 = 995;
/// A SYN that was lost comes again after one second, after three, and after seven.
const PATIENCE: Duration = Duration::from_secs(8);
const PLAIN: Way = Way { over_ipv6: false, mss: None, patience: PATIENCE };

/// SYNs a second at which a host with a backlog of 511 and without cookies is lost within three seconds.
fn what_a_host_does_not_survive(arena: &Arena) -> f64 {
    arena.network.set(Site::Server, "net.ipv4.tcp_syncookies", "0").unwrap();
    for rate in [100, 200, 400, 800, 1_600, 3_200] {
        let flood = Flood::start(arena, rate);
        std::thread::sleep(Duration::from_secs(3));
        let short = Way { patience: Duration::from_millis(300), ..PLAIN };
        let good = arena.ask(40, short);
        println!("without us, without cookies: {good} of 40 connections at {:.0} SYNs/s", flood.rate());
        if good < 38 {
            return flood.rate();
        }
    }
    panic!("the host survives 3,200 SYNs/s without cookies");
}

#[test]
fn honest_connections_succeed_under_a_forged_syn_flood_whatever_they_offer() {
    let _turn = super::turn();
    let Some(arena) = Arena::new("c") else { return };
    let lost = what_a_host_does_not_survive(&arena);
    arena.protect(&arena.rules("rules.txt", RULES));
    let before = arena.challenged();
    let began = Instant::now();
    let flood = Flood::start(&arena, FLOOD);
    let mut worst = CONNECTIONS;
    for timestamps in ["1", "0"] {
        arena.network.set(Site::Clients, "net.ipv4.tcp_timestamps", timestamps).unwrap();
        for sack in ["1", "0"] {
            arena.network.set(Site::Clients, "net.ipv4.tcp_sack", sack).unwrap();
            for (over_ipv6, mss) in [(false, 1460), (false, 536), (true, 1440), (true, 536)] {
                // An MSS of what the interface allows is asked for by not asking.
                let mss = (mss == 536).then_some(mss);
                let good = arena.ask(CONNECTIONS, Way { over_ipv6, mss, patience: PATIENCE });
                let family = if over_ipv6 { "IPv6" } else { "IPv4" };
                println!(
                    "{good} of {CONNECTIONS}: {family}, timestamps {timestamps}, SACK {sack}, MSS {mss:?}; lost: {:#?}",
                    arena.lost()
                );
                worst = worst.min(good);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let answered = (arena.challenged() - before) as f64 / began.elapsed().as_secs_f64();
    let ratio = flood.rate() / lost;
    println!("flood: {:.0} SYNs/s sent, {answered:.0} a second answered by cookies", flood.rate());
    println!("{ratio:.1} times what this host does not survive without us ({lost:.0} SYNs/s)");
    assert!(worst >= GOOD, "{worst} of {CONNECTIONS} in the worst case");
    assert!(ratio >= 10.0, "the flood is only {ratio:.1} times what the host does not survive without");
}

#[test]
fn a_client_that_begins_anew_what_its_server_closed_first_is_let_in() {
    let _turn = super::turn();
    let Some(arena) = Arena::new("w") else { return };
    arena.protect(&arena.rules("rules.txt", RULES));
    for over_ipv6 in [false, true] {
        let challenged = arena.challenged();
        arena.ask_again(40, Way { over_ipv6, ..PLAIN });
        assert!(arena.challenged() > challenged, "those that begin are challenged");
    }
}

/// Something that an operator does, by its number.
type Change<'a> = &'a (dyn Fn(u32) + Sync);

#[test]
fn honest_connections_succeed_while_rules_are_swapped_programs_replaced_and_attaches_killed() {
    let _turn = super::turn();
    let Some(arena) = Arena::new("k") else { return };
    let one = arena.rules("one.txt", RULES);
    let two = arena.rules("two.txt", &format!("{RULES}other proto udp dst-port 9 -> drop\n"));
    arena.protect(&one);
    let _flood = Flood::start(&arena, FLOOD);
    let swap = |n: u32| arena.attach(&["--rules", if n.is_multiple_of(2) { &two } else { &one }]);
    let reload = |_| arena.attach(&["--rules", &one, "--reload"]);
    // Kills fall anywhere in the time that an attach takes here, and a little behind it; on a busy machine, in its first part.
    let began = Instant::now();
    swap(0);
    let longest = u32::try_from((began.elapsed() * 6 / 5).min(LONGEST).as_micros()).unwrap();
    let mut rng = Rng::new(9);
    let kills = [(); 100].map(|()| Duration::from_micros(u64::from(rng.range(0, longest))));
    let finished = AtomicU32::new(0);
    let kill = |n: u32| {
        let name = arena.network.interface(Site::Server);
        let rules = if n.is_multiple_of(2) { &two } else { &one };
        let mut attach = arena.dataplane(Site::Server, &["attach", &name, "--rules", rules]).spawn().unwrap();
        std::thread::sleep(kills[usize::try_from(n).unwrap()]);
        if attach.try_wait().unwrap().is_some() {
            finished.fetch_add(1, Ordering::Relaxed);
        }
        let _ = attach.kill();
        attach.wait().unwrap();
    };
    let (swap, reload, kill): (Change<'_>, Change<'_>, Change<'_>) = (&swap, &reload, &kill);
    for (what, times, change) in [("swaps", 10, swap), ("upgrades", 6, reload), ("kills", 100, kill)] {
        let (mut asked, mut good) = (0, 0);
        std::thread::scope(|scope| {
            // Children of the lab die with the thread that started them: changes are made by one that waits for them.
            let changes = scope.spawn(|| (0..times).for_each(change));
            while !changes.is_finished() || asked < CONNECTIONS {
                // A family whose SYN was lost does not keep the other waiting.
                let ask = |over_ipv6| arena.ask(50, Way { over_ipv6, ..PLAIN });
                good += std::thread::scope(|both| {
                    let other = both.spawn(|| ask(true));
                    ask(false) + other.join().unwrap()
                });
                asked += 100;
                // Whoever changes something needs the processor too.
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        println!("{good} of {asked} connections during {times} {what}; lost: {:#?}", arena.lost());
        assert!(f64::from(good) >= 0.995 * f64::from(asked), "{good} of {asked} during {what}");
    }
    println!("{} of 100 attaches were done before they were killed", finished.load(Ordering::Relaxed));
    let challenged = arena.challenged();
    assert!(arena.ask(10, PLAIN) == 10 && arena.challenged() > challenged, "still challenged");
}
