//! Who is served, before and since: by peers known from peace, whatever a flood does, in both families.

use std::net::IpAddr;

use base::map::Seed;
use base::{Prefix, Span, Timestamp};
use engine::service::{Question, Served};
use engine::{Engine, Input, Profile, Settings, Shard};
use telemetry::Record;
use telemetry::record::{Observed, Sampling};
use wire::Headers;
use wire::packet::{Parsed, TCP, Tcp, UDP, flags};

const WINDOW: Span = Span::from_secs(10);

/// A world in one family.
#[derive(Clone, Copy)]
struct World {
    v6: bool,
    shards: usize,
    seed: u64,
}

impl World {
    fn host(self) -> IpAddr {
        if self.v6 { "2001:db8:1::7" } else { "198.51.100.7" }.parse().unwrap()
    }

    /// A client of this number; of IPv6, with other interface bits each time.
    fn client(self, number: u32, time: u32) -> IpAddr {
        let [_, _, high, low] = number.to_be_bytes();
        if self.v6 {
            let high = u16::from_be_bytes([high, low]);
            let [a, b] = [u16::try_from(time >> 16).unwrap(), u16::try_from(time & 0xffff).unwrap()];
            IpAddr::from([0x2001, 0xdb9, 0, high, 0, a, b, 1])
        } else {
            IpAddr::from([203, 0, high, low])
        }
    }

    fn settings(self) -> Settings {
        let networks: Vec<Prefix> =
            vec!["198.51.100.0/22".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        Settings { networks, ..Settings::of(Profile::Daemon) }
    }
}

/// What is sent in a tick.
type Tick<'a> = &'a dyn Fn(u32, &mut dyn FnMut(Headers));

/// Runs ticks of a quarter of a second.
fn run(world: World, ticks: u32, sends: Tick<'_>) -> Engine {
    let settings = world.settings();
    let make = || Shard::new(settings.profile, &settings.networks, settings.tick, 7);
    let mut shards: Vec<Shard> = (0..world.shards).map(|_| make()).collect();
    let mut engine = Engine::new(settings.clone(), Seed::new(world.seed));
    engine.follow_services();
    for tick in 0..ticks {
        let from = Timestamp::from_secs(1_000).plus(settings.tick.times(tick.into()));
        let mut count = 0_usize;
        sends(tick, &mut |headers| {
            count += 1;
            let packet = Parsed { headers, payload: &[], transport: &[], vlan: None };
            let record = Record {
                sampling: Sampling { rate: Some(100), ..Sampling::EVERY },
                observed: Observed::Ingress,
                ..Record::packet(from.plus(Span::from_millis(count as u64 % 250)), &packet)
            };
            shards[count % world.shards].record(&record);
        });
        let until = from.plus(settings.tick);
        engine.handle(until, Input::Tick { until, shards: shards.iter_mut().map(Shard::close).collect() });
    }
    engine
}

fn datagram(src: IpAddr, dst: IpAddr, ports: (u16, u16)) -> Headers {
    let header = if src.is_ipv6() { 48 } else { 28 };
    Headers {
        src,
        dst,
        protocol: UDP,
        length: 100,
        ports: Some(ports),
        payload_len: Some(100 - header),
        ..Headers::NOTHING
    }
}

fn segment(src: IpAddr, dst: IpAddr, ports: (u16, u16), bits: u16, payload: u32) -> Headers {
    let header = if src.is_ipv6() { 60 } else { 40 };
    Headers {
        protocol: TCP,
        length: header + payload,
        payload_len: Some(payload),
        tcp: Some(Tcp { flags: bits, window: 1000, options_len: 0 }),
        ..datagram(src, dst, ports)
    }
}

/// Each of 100 clients asks once in 25 ticks and is answered, up to a tick.
fn resolvers(world: World, tick: u32, answered: bool, send: &mut dyn FnMut(Headers)) {
    for place in 0..4 {
        let client = world.client(tick * 4 % 100 + place, tick);
        send(datagram(client, world.host(), (40_000, 53)));
        if answered {
            send(datagram(world.host(), client, (53, 40_000)));
        }
    }
}

fn ask(engine: &Engine, world: World, peace: u32, until: u32) -> Served {
    let at = |tick: u32| Timestamp::from_secs(1_000).plus(Span::from_millis(u64::from(tick) * 250));
    let question = Question::about(&[Prefix::host(world.host())], &[]);
    let known = engine.known_peers(&question, at(peace), WINDOW);
    assert_eq!((known.len(), known.left_out), (100, 0));
    assert!(known.regular > 0.99, "{}", known.regular);
    engine.served(&question, &known, at(until).minus(WINDOW), at(until)).unwrap()
}

fn each(test: impl Fn(World)) {
    for v6 in [false, true] {
        test(World { v6, shards: 1, seed: 1 });
    }
}

#[test]
fn known_peers_that_are_cut_off_are_missed_and_a_flood_that_is_answered_changes_nothing() {
    each(|world| {
        // A flood from forged addresses is answered for ten seconds; then known peers are cut off with it.
        let sends = |tick: u32, send: &mut dyn FnMut(Headers)| {
            resolvers(world, tick, tick < 200, send);
            if (120..160).contains(&tick) {
                for place in 0..40 {
                    let forged = world.client(1000 + tick * 40 + place, tick);
                    send(datagram(forged, world.host(), (40_000, 53)));
                    send(datagram(world.host(), forged, (53, 40_000)));
                }
            }
        };
        let engine = run(world, 280, &sends);
        let [peace, flood, filtered, cut] = [120, 160, 200, 280].map(|until| ask(&engine, world, 120, until));
        println!("{peace:?}\n{flood:?}\n{filtered:?}\n{cut:?}");
        assert_eq!((peace.peers, peace.known, filtered.known, cut.known), (100, 100, 100, 0));
        assert!(flood.known > 80 && flood.peers > 200, "{flood:?}");
        assert!(flood.load.0 > 5.0 * peace.load.0 && filtered.load.0 < 1.1 * peace.load.0);
        assert!(peace.requests > 50 && peace.answers == peace.requests, "{peace:?}");
        assert!(filtered.answers * 10 > filtered.requests * 9, "{filtered:?}");
        assert!(cut.requests > 50 && cut.answers == 0, "{cut:?}");
    });
}

#[test]
fn handshakes_of_known_clients_are_followed_to_their_data() {
    each(|world| {
        let (host, ack) = (world.host(), flags::ACK);
        let sends = |tick: u32, send: &mut dyn FnMut(Headers)| {
            for place in 0..4 {
                let client = world.client(tick * 4 % 100 + place, tick);
                let (there, back) = ((40_000, 443), (443, 40_000));
                send(segment(client, host, there, flags::SYN, 0));
                // From the second cut on nothing is accepted; before, what follows the handshake is cut.
                if tick < 240 {
                    send(segment(host, client, back, flags::SYN | ack, 0));
                }
                if tick < 160 {
                    send(segment(client, host, there, ack | flags::PSH, 200));
                    send(segment(host, client, back, ack, 900));
                }
            }
        };
        let engine = run(world, 320, &sends);
        let [peace, cut, dead] = [160, 220, 320].map(|until| ask(&engine, world, 160, until));
        println!("{peace:?}\n{cut:?}\n{dead:?}");
        assert!(peace.syn_ack >= 90 && peace.syn < 110 && peace.connected >= 90, "{peace:?}");
        assert!(cut.syn_ack >= 90 && cut.connected == 0 && cut.known == 0, "{cut:?}");
        assert!(dead.syn > 50 && dead.syn_ack == 0, "{dead:?}");
    });
}

#[test]
fn what_a_host_asks_of_others_is_its_service_too() {
    each(|world| {
        let sends = |tick: u32, send: &mut dyn FnMut(Headers)| {
            for place in 0..4 {
                let server = world.client(tick * 4 % 100 + place, 0);
                send(datagram(world.host(), server, (40_000, 53)));
                if tick < 160 {
                    send(datagram(server, world.host(), (53, 40_000)));
                }
            }
        };
        let engine = run(world, 240, &sends);
        let [peace, cut] = [160, 240].map(|until| ask(&engine, world, 160, until));
        assert_eq!((peace.known, cut.known), (100, 0));
        assert!(cut.requests > 50 && cut.answers == 0, "{cut:?}");
    });
}

#[test]
fn shards_and_seeds_change_nothing_and_a_feed_that_is_thinned_says_so() {
    let loud = |world: World| {
        move |tick: u32, send: &mut dyn FnMut(Headers)| {
            resolvers(world, tick, true, send);
            // What others send elsewhere.
            for place in 0..if tick < 160 { 0 } else { 4000 } {
                let other = IpAddr::from([198, 51, 101, u8::try_from(place % 200).unwrap()]);
                send(datagram(other, World { v6: false, ..world }.client(place, 0), (443, 50_000)));
            }
        }
    };
    let run = |shards: usize, seed: u64| {
        let world = World { v6: false, shards, seed };
        let engine = run(world, 200, &loud(world));
        [160, 200].map(|until| ask(&engine, world, 160, until))
    };
    let one = run(1, 1);
    println!("{one:?}");
    assert!((one[0].each - 1.0).abs() < 0.01 && one[1].each > 2.0);
    for (shards, seed) in [(2, 1), (7, 2)] {
        assert_eq!(run(shards, seed), one, "{shards} shards, seed {seed}");
    }
}

#[test]
fn nothing_is_remembered_unless_it_is_asked_for_and_not_for_ever() {
    let world = World { v6: false, shards: 1, seed: 1 };
    let at = |secs: u64| Timestamp::from_secs(1_000 + secs);
    let question = Question::about(&["198.51.100.0/24".parse().unwrap()], &[Prefix::host(world.host())]);
    let deaf = Engine::new(world.settings(), Seed::new(1));
    assert!(deaf.known_peers(&question, at(10), WINDOW).is_empty());
    assert_eq!(deaf.served(&question, &engine::service::Known::default(), at(0), at(10)), None);
    let sends = |tick: u32, send: &mut dyn FnMut(Headers)| resolvers(world, tick, true, send);
    let engine = run(world, 1600, &sends);
    // The host itself is excepted here.
    let nobody = engine.known_peers(&question, at(400), WINDOW);
    assert!(nobody.is_empty());
    let served = engine.served(&question, &nobody, at(390), at(400)).unwrap();
    assert_eq!((served.peers, served.load.0), (0, 0.0));
    assert_eq!(engine.served(&question, &nobody, at(90), at(100)), None, "older than five minutes");
    assert_eq!(
        engine.left_out().iter().find(|(name, _)| *name == "talks_evicted"),
        Some(&("talks_evicted", 0))
    );
}
