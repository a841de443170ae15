//! A long transfer whose connection was opened by a cookie, at a round trip of 50 ms.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use spillway::lab::{Request, Site, dial, inside};

use crate::arena::{Arena, TALK, client};
use crate::delay::{Delay, RATE};
use crate::flood::Flood;

/// Octets that are moved.
const LONG: u64 = 20_000_000;
/// SYNs a second.
const FLOOD: u32 = 20_000;
/// The machine does other things too: of so many tries the best counts.
const TRIES: u32 = 5;

const RULES: &str = "syn proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n";

/// Which way the octets go.
#[derive(Clone, Copy, Debug)]
enum Way {
    Down,
    Up,
}

/// Bits a second of one transfer.
fn transfer(arena: &Arena, over_ipv6: bool, way: Way, octets: u64) -> f64 {
    let request = Request {
        from: std::net::SocketAddr::new(client(1, over_ipv6), 0),
        to: arena.server(over_ipv6),
        mss: None,
        patience: Duration::from_secs(5),
    };
    let go = move || -> std::io::Result<Duration> {
        let began = Instant::now();
        let mut stream = dial(&request)?;
        let mut order = [0; TALK];
        order[1] = u8::from(matches!(way, Way::Up));
        order[2..10].copy_from_slice(&octets.to_be_bytes());
        stream.write_all(&order)?;
        let mut buffer = vec![7; 1 << 16];
        let mut done = 0;
        while done < octets {
            let part = usize::try_from((octets - done).min(1 << 16)).unwrap();
            let went = match way {
                Way::Down => stream.read(&mut buffer[..part])?,
                Way::Up => stream.write(&buffer[..part])?,
            };
            if went == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            done += went as u64;
        }
        stream.read_exact(&mut buffer[..1])?;
        Ok(began.elapsed())
    };
    let took = inside(&arena.network, Site::Clients, go).unwrap().join().unwrap().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let bits = octets as f64 * 8.0;
    bits / took.as_secs_f64()
}

const CASES: [(bool, Way); 4] = [(false, Way::Down), (true, Way::Down), (false, Way::Up), (true, Way::Up)];

#[test]
fn a_long_transfer_begun_under_cookies_is_as_fast_as_without_attack() {
    let _turn = super::turn();
    let Some(arena) = Arena::new("t") else { return };
    let _wire = Delay::insert(&arena.network);
    // What one transfer lost shall not slow the next.
    for site in [Site::Clients, Site::Server] {
        arena.network.set(site, "net.ipv4.tcp_no_metrics_save", "1").unwrap();
    }
    let without = CASES.map(|(over_ipv6, way)| transfer(&arena, over_ipv6, way, LONG));
    for rate in without {
        assert!(rate > 0.5 * RATE, "the wire of {RATE} bit/s carries only {rate:.0} without an attack");
    }
    let (one, two) =
        (arena.rules("one.txt", RULES), arena.rules("two.txt", &format!("{RULES}other proto gre -> drop\n")));
    arena.protect(&one);
    let _flood = Flood::start(&arena, FLOOD);
    let nothing: &(dyn Fn() + Sync) = &|| {};
    let swap: &(dyn Fn() + Sync) =
        &|| [&two, &one].into_iter().for_each(|rules| arena.attach(&["--rules", rules]));
    let upgrade: &(dyn Fn() + Sync) = &|| arena.attach(&["--rules", &one, "--reload"]);
    for (what, change) in
        [("as it is", nothing), ("while rules are swapped", swap), ("while programs are replaced", upgrade)]
    {
        let cases = CASES.into_iter().zip(without);
        // While something changes, each family and each direction is moved once.
        let cases =
            cases.filter(|((over_ipv6, way), _)| what == "as it is" || *over_ipv6 == matches!(way, Way::Up));
        for ((over_ipv6, way), without) in cases {
            let mut best = 0.0f64;
            for _ in 0..TRIES {
                let rate = std::thread::scope(|scope| {
                    let moved = scope.spawn(|| transfer(&arena, over_ipv6, way, LONG));
                    change();
                    moved.join().unwrap()
                });
                best = best.max(rate / without);
                if best >= 0.9 {
                    break;
                }
            }
            let family = if over_ipv6 { "IPv6" } else { "IPv4" };
            println!("{way:?}, {family}, {what}: {best:.3} of {:.1} Mbit/s", without / 1e6);
            assert!(best >= 0.9, "{way:?}, {family}, {what}: only {best:.3} of what is without attack");
        }
    }
    // What cannot be kept without timestamps is told, not promised.
    arena.network.set(Site::Clients, "net.ipv4.tcp_timestamps", "0").unwrap();
    let rate = transfer(&arena, false, Way::Down, LONG / 8);
    println!("Down, IPv4, a client without timestamps: {:.3} of it", rate / without[0]);
}
