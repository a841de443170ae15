//! The speaker beside real daemons, on loopback: what they say they hold is what was announced.

mod absorb;
mod daemons;
mod desk;
mod differential;
mod drill;
mod exabgp;
mod exits;
mod falls;
mod ladder;
mod lifeline;
mod limits;
mod operations;
mod random;
mod refusals;
mod told;
mod wired;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use base::Prefix;
use rules::compile::flowspec;
use rules::{Rule, parse};
use spillway::routing::{Neighbor, PeerStatus, Speaker};
use steer::bgp::dialect::Offsets;
use steer::bgp::out::Key;
use steer::bgp::session::Farewell;
use steer::bgp::step::State;
use steer::bgp::{Dialect, Pacing, Route, Settings};
use wire::bgp::attribute::{Segment, community};
use wire::bgp::{Attributes, Family, nlri};

use daemons::{Daemon, KINDS, Kind, Options};

const OUR_AS: u32 = 65010;
const PEER_AS: u32 = 65020;
/// Where we speak from; the daemons listen at 127.0.0.1.
const OURS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What a test waits for at most; it ends as soon as the thing is there.
const PATIENCE: Duration = Duration::from_secs(30);

fn neighbor(port: u16) -> Neighbor {
    Neighbor {
        name: "peer".into(),
        address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        local: Some(OURS.into()),
        settings: Settings {
            local_as: OUR_AS,
            peer_as: PEER_AS,
            id: Ipv4Addr::new(192, 0, 2, 1),
            families: Family::ALL.to_vec(),
            hold_time: 90,
            patience: 0,
            restart_time: None,
            on_stop: Farewell::Withdraw,
            dialect: Dialect::default(),
        },
        pacing: Pacing { per_second: 0, burst: 1, peer_limit: 0, search: false },
        md5: None,
        hops: None,
        restarting: false,
        learned: None,
    }
}

fn attributes() -> Attributes {
    Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![OUR_AS])]),
        ..Attributes::default()
    }
}

/// A host that is to be blackholed upstream (RFC 7999).
fn blackhole(prefix: &str) -> Route {
    let prefix: Prefix = prefix.parse().unwrap();
    let (family, hop): (Family, IpAddr) = match prefix.is_ipv4() {
        true => (Family::IPV4, "192.0.2.66".parse().unwrap()),
        false => (Family::IPV6, "2001:db8::66".parse().unwrap()),
    };
    let mut octets = Vec::new();
    nlri::write(&mut octets, &prefix);
    let communities = vec![community::BLACKHOLE, community::NO_EXPORT, community::NO_LLGR];
    Route {
        key: Key { family, nlri: octets },
        next_hop: Some(hop),
        attributes: Attributes { communities, ..attributes() },
        rank: 1,
    }
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Rules as FlowSpec routes.
fn flowspec(text: &str) -> Vec<Route> {
    let rules: Vec<Rule> = parse::rules(text).unwrap();
    flowspec::lines(&rules).into_iter().map(route_of).collect()
}

fn route_of(line: flowspec::FlowspecLine) -> Route {
    assert_eq!(line.error, None, "{}", line.id);
    let extended = line.ext_communities.iter().map(|hex| octets(hex).try_into().unwrap()).collect();
    let extended6 = line.ipv6_ext_communities.iter().map(|hex| octets(hex).try_into().unwrap()).collect();
    let family = if line.afi == 1 { Family::FLOWSPEC4 } else { Family::FLOWSPEC6 };
    Route {
        key: Key { family, nlri: octets(&line.nlri.unwrap()) },
        next_hop: None,
        attributes: Attributes { extended, extended6, ..attributes() },
        rank: 10,
    }
}

const RULES: &str = "\
a dst 198.51.100.7/32 proto udp src-port 123 length >=468 -> drop
b dst 198.51.100.8/32 proto tcp tcp-flags syn/syn+ack -> rate 8Mbps
c dst 2001:db8:1::7/128 proto udp dst-port 53 -> drop
";

fn wait(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        // Daemons are asked by programs of theirs, which need the processor that others wait for.
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(speaker: &Speaker) -> PeerStatus {
    speaker.status().unwrap().remove("peer").unwrap()
}

fn started(neighbor: Neighbor, daemon: &Daemon) -> Speaker {
    let speaker = Speaker::start(vec![neighbor]).unwrap();
    wait(&format!("a session with {}", daemon.kind.name()), || status(&speaker).state == State::Established);
    speaker
}

/// Side by side, for each of them: who waits for daemons most of the time has a processor to spare.
fn side_by_side<T: Send>(all: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        let test = &test;
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || test(one))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

fn each(test: impl Fn(Daemon) + Sync) {
    each_of(KINDS, test);
}

/// Each of these daemons that is installed.
fn each_of(kinds: impl IntoIterator<Item = Kind>, test: impl Fn(Daemon) + Sync) {
    side_by_side(kinds, |kind| {
        if let Some(daemon) = Daemon::start(kind, Options::default()) {
            println!("{}", kind.name());
            test(daemon);
        }
    });
}

#[test]
fn every_daemon_holds_what_is_announced_and_lets_go_what_is_withdrawn() {
    each(|daemon| {
        let speaker = started(neighbor(daemon.port), &daemon);
        let mut routes = vec![blackhole("198.51.100.7/32"), blackhole("2001:db8:1::7/128")];
        routes.extend(flowspec(RULES));
        for route in &routes {
            speaker.announce("peer", route.clone()).unwrap();
        }
        let name = daemon.kind.name();
        wait(&format!("{name} holds all"), || {
            let view = daemon.view();
            view.blackholes == ["198.51.100.7/32", "2001:db8:1::7/128"] && view.rules == 3
        });
        let view = daemon.view();
        println!("{}", view.text);
        daemon.expects(&view.text);
        for route in &routes {
            speaker.withdraw("peer", route.key.clone(), false).unwrap();
        }
        wait(&format!("{name} holds nothing"), || {
            let view = daemon.view();
            view.blackholes.is_empty() && view.rules == 0
        });
        assert_eq!(status(&speaker).ups, 1, "{name}: one session for all of it");
    });
}

#[test]
fn a_stop_ends_all_routes_at_every_daemon() {
    each(|daemon| {
        let speaker = started(neighbor(daemon.port), &daemon);
        speaker.announce("peer", blackhole("198.51.100.9/32")).unwrap();
        wait("the route", || daemon.view().blackholes == ["198.51.100.9/32"]);
        speaker.stop("maintenance until 03:00");
        wait(&format!("{} lets go", daemon.kind.name()), || daemon.view().blackholes.is_empty());
    });
}

#[test]
fn a_daemon_that_restarts_hears_everything_again() {
    each(|mut daemon| {
        let speaker = started(neighbor(daemon.port), &daemon);
        speaker.announce("peer", blackhole("198.51.100.9/32")).unwrap();
        flowspec(RULES).into_iter().for_each(|route| speaker.announce("peer", route).unwrap());
        wait("the routes", || daemon.view().rules == 3);
        wait("proof", || status(&speaker).unproven == 0);
        daemon.restart();
        wait(&format!("{} holds all again", daemon.kind.name()), || {
            let view = daemon.view();
            view.blackholes == ["198.51.100.9/32"] && view.rules == 3
        });
    });
}

/// A rule with an IPv6 prefix and an offset of 64 bits.
fn offset(pattern: &[u8]) -> Route {
    let components = [&[1, 104, 64][..], pattern].concat();
    let length = u8::try_from(components.len()).unwrap();
    let mut route = flowspec("x dst 2001:db8::/32 -> drop\n").remove(0);
    route.key.nlri = [&[length], components.as_slice()].concat();
    route
}

/// As RFC 8956 encodes it, over which FRR 8.4 ends the session.
fn poison() -> Route {
    offset(&[0x12, 0x34, 0x56, 0x78, 0x9a])
}

/// A profile that is wrong about its router.
fn wrong(port: u16) -> Neighbor {
    let mut neighbor = neighbor(port);
    neighbor.settings.dialect.offsets = Offsets::Rfc8956;
    neighbor
}

#[test]
fn a_rule_that_ends_the_session_is_quarantined_and_the_others_are_back() {
    // BIRD refuses the form before that RFC.
    let legacy = offset(&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a]);
    side_by_side([(Kind::Frr, poison()), (Kind::Bird, legacy)], |(kind, poison)| {
        let Some(daemon) = Daemon::start(kind, Options::default()) else { return };
        let speaker = started(wrong(daemon.port), &daemon);
        let good = flowspec(RULES);
        good.iter().for_each(|route| speaker.announce("peer", route.clone()).unwrap());
        speaker.announce("peer", blackhole("198.51.100.9/32")).unwrap();
        wait("the good ones are proven", || {
            let status = status(&speaker);
            status.held == 4 && status.unproven == 0
        });
        speaker.announce("peer", poison.clone()).unwrap();
        wait("the poison is found", || !status(&speaker).quarantine.is_empty());
        println!("{}: {:?}", kind.name(), status(&speaker).last_down);
        // BIRD keeps its peer out for as long as its configuration says: the session is tried all the while.
        wait("the others are back", || daemon.view().rules == 3 && !daemon.view().blackholes.is_empty());
        let status = status(&speaker);
        assert_eq!(status.quarantine.len(), 1);
        assert_eq!(status.quarantine[0].0, poison.key);
        assert_eq!(status.ups, 2);
    });
}

#[test]
fn blackholes_on_a_session_of_their_own_do_not_notice_that_a_rule_ends_the_other() {
    let second = Some("127.0.0.3");
    let Some(daemon) = Daemon::start(Kind::Frr, Options { also: second, ..Options::default() }) else {
        return;
    };
    let mut holes = neighbor(daemon.port);
    holes.name = "holes".into();
    holes.local = Some("127.0.0.3".parse().unwrap());
    holes.settings.families = vec![Family::IPV4, Family::IPV6];
    let speaker = Speaker::start(vec![wrong(daemon.port), holes]).unwrap();
    let both = || speaker.status().unwrap();
    wait("two sessions", || both().values().all(|status| status.state == State::Established));
    speaker.announce("holes", blackhole("198.51.100.9/32")).unwrap();
    flowspec(RULES).into_iter().for_each(|route| speaker.announce("peer", route).unwrap());
    wait("the good ones are proven", || {
        both().values().map(|status| status.held).sum::<usize>() == 4
            && both().values().all(|status| status.unproven == 0)
    });
    speaker.announce("peer", poison()).unwrap();
    wait("the poison is found and the others are back", || {
        assert_eq!(daemon.view().blackholes, ["198.51.100.9/32"], "at no time it is gone");
        both()["peer"].quarantine.len() == 1 && daemon.view().rules == 3
    });
    assert_eq!((both()["holes"].ups, both()["peer"].ups), (1, 2));
    assert!(both()["holes"].quarantine.is_empty());
}

#[test]
fn signed_sessions_come_up_and_a_wrong_key_does_not() {
    side_by_side([Kind::Bird, Kind::Gobgp], |kind| {
        let Some(daemon) = Daemon::start(kind, Options { md5: Some("right"), ..Options::default() }) else {
            return;
        };
        let wrong =
            Speaker::start(vec![Neighbor { md5: Some(b"wrong".to_vec()), ..neighbor(daemon.port) }]).unwrap();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(status(&wrong).ups, 0, "{}", kind.name());
        drop(wrong);
        let right = started(Neighbor { md5: Some(b"right".to_vec()), ..neighbor(daemon.port) }, &daemon);
        right.announce("peer", blackhole("198.51.100.9/32")).unwrap();
        wait("the route", || daemon.view().blackholes == ["198.51.100.9/32"]);
    });
}
