//! What each daemon makes of what FlowSpec can say: taken, left out without a word, or the end of the session. Profiles are
//! written by this table (SPECIFICATION.md shows it).
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use steer::bgp::dialect::{Offsets, prefix6};
use wire::bgp::traffic::Traffic;

use super::daemons::{Daemon, KINDS, Kind, Options};
use super::*;

/// What became of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    LeftOut,
    Ends(String),
}

impl Fate {
    const fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::LeftOut => "left out",
            Self::Ends(_) => "ends the session",
        }
    }
}

fn raw(family: Family, components: &[u8], actions: &[Traffic]) -> Route {
    let mut attributes = attributes();
    actions.iter().for_each(|action| action.put(&mut attributes));
    let length = u16::try_from(components.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let prefix = if length < 240 { vec![low] } else { vec![0xf0 | high, low] };
    let nlri = [prefix.as_slice(), components].concat();
    Route { key: Key { family, nlri }, next_hop: None, attributes, rank: 1 }
}

/// What is tried, in the order of the table.
fn trials() -> Vec<(&'static str, Route)> {
    let (four, six) = (Family::FLOWSPEC4, Family::FLOWSPEC6);
    let host4 = [1, 32, 198, 51, 100, 7];
    let host6 = prefix6(1, "2001:db8:1::7".parse().unwrap(), 128, 0).unwrap();
    let drop = [Traffic::RateBytes(0.0)];
    let with4 = |more: &[u8]| raw(four, &[&host4, more].concat(), &drop);
    let with6 = |more: &[u8]| raw(six, &[host6.as_slice(), more].concat(), &drop);
    let does4 = |action| raw(four, &host4, &[action]);
    let does6 = |action| raw(six, &host6, &[action]);
    let address: Ipv6Addr = "2001:db8::1234:5678:9a00:0".parse().unwrap();
    let offset = prefix6(1, address, 104, 64).unwrap();
    let older = [&[1, 104, 64][..], &[0; 8], &[0x12, 0x34, 0x56, 0x78, 0x9a]].concat();
    let to: IpAddr = "192.0.2.9".parse().unwrap();
    let to6: Ipv6Addr = "2001:db8::9".parse().unwrap();
    let mut by_hop = does4(Traffic::ToNextHop { copy: false });
    by_hop.next_hop = Some(to);
    // Ports, one by one, up to a length of two octets.
    let mut ports: Vec<u8> = (1..100).flat_map(|port| [0x11, 4, port]).collect();
    let last = ports.len() - 3;
    ports[last] |= 0x80;
    vec![
        ("IPv6 prefix with an offset, RFC 8956", raw(six, &offset, &drop)),
        ("IPv6 prefix with an offset, older form", raw(six, &older, &drop)),
        ("flow label (type 13)", with6(&[13, 0xa1, 0, 1, 2, 3])),
        ("fragment bit DF of IPv6", with6(&[12, 0x80, 1])),
        ("a rule of 256 octets and more", with4(&[&[5], ports.as_slice()].concat())),
        ("no destination", raw(four, &[3, 0x81, 17], &drop)),
        ("an unknown component (type 14)", with4(&[14, 0x81, 1])),
        ("components out of order", raw(four, &[&[3, 0x81, 17], &host4[..]].concat(), &drop)),
        ("rate in packets (0x800c)", does4(Traffic::RatePackets(1000.0))),
        ("sample and go on", does4(Traffic::Action { sample: true, goes_on: true })),
        ("marking", does4(Traffic::Marking(46))),
        ("route target of a two-octet AS", does4(Traffic::RedirectAs2(65010, 7))),
        ("route target of a four-octet AS", does4(Traffic::RedirectAs4(4_200_000_000, 7))),
        ("route target of an IPv6 address", does6(Traffic::RedirectIpv6(to6, 7))),
        ("redirect to an IPv4 address (0x010c)", does4(Traffic::ToAddress { to, copy: false })),
        ("redirect to an IPv6 address (0x000c)", does6(Traffic::ToAddress { to: to6.into(), copy: false })),
        ("redirect to the next hop (0x0800)", by_hop),
    ]
}

fn tried(kind: Kind) -> Option<Vec<Fate>> {
    let daemon = Daemon::start(kind, Options::default())?;
    let mut neighbor = neighbor(daemon.port);
    neighbor.settings.dialect.offsets = Offsets::Rfc8956;
    let speaker = started(neighbor, &daemon);
    let mut fates = Vec::new();
    for (name, route) in trials() {
        let key = route.key.clone();
        let falls = || speaker.status().unwrap()["peer"].falls;
        let before = falls();
        speaker.announce("peer", route).unwrap();
        let end = Instant::now() + Duration::from_secs(4);
        let mut fate = Fate::LeftOut;
        while fate == Fate::LeftOut && Instant::now() < end {
            if falls() > before {
                fate = Fate::Ends(status(&speaker).last_down.unwrap());
            } else if daemon.view().rules > 0 && falls() == before {
                fate = Fate::Taken;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{}: {name}: {fate:?}", kind.name());
        fates.push(fate);
        // ExaBGP names the last one otherwise when it ends.
        if fates.len() == trials().len() {
            break;
        }
        speaker.withdraw("peer", key, false).unwrap();
        wait("the next trial", || daemon.view().rules == 0 && status(&speaker).state == State::Established);
    }
    Some(fates)
}

/// As SPECIFICATION.md has it: gobgpd 3.10, BIRD 2.0.12, FRR 8.4, ExaBGP 4.2.
const KNOWN: &str = "\
| IPv6 prefix with an offset, RFC 8956 | taken | taken | ends the session | left out |
| IPv6 prefix with an offset, older form | taken | ends the session | taken | taken |
| flow label (type 13) | taken | taken | taken | taken |
| fragment bit DF of IPv6 | taken | ends the session | taken | taken |
| a rule of 256 octets and more | left out | taken | ends the session | ends the session |
| no destination | taken | taken | taken | taken |
| an unknown component (type 14) | taken | ends the session | ends the session | left out |
| components out of order | taken | ends the session | taken | left out |
| rate in packets (0x800c) | taken | taken | taken | taken |
| sample and go on | taken | taken | taken | taken |
| marking | taken | taken | taken | taken |
| route target of a two-octet AS | taken | taken | taken | taken |
| route target of a four-octet AS | taken | taken | taken | ends the session |
| route target of an IPv6 address | taken | taken | taken | taken |
| redirect to an IPv4 address (0x010c) | taken | taken | taken | taken |
| redirect to an IPv6 address (0x000c) | taken | taken | taken | taken |
| redirect to the next hop (0x0800) | taken | taken | taken | taken |
";

#[test]
fn each_daemon_takes_and_refuses_what_the_table_says() {
    let fates: Vec<Option<Vec<Fate>>> = std::thread::scope(|scope| {
        let running: Vec<_> = KINDS.map(|kind| scope.spawn(move || tried(kind))).into_iter().collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let Some(fates) = fates.into_iter().collect::<Option<Vec<_>>>() else { return };
    let mut table = String::new();
    for (row, (name, _)) in trials().iter().enumerate() {
        let cells: Vec<&str> = fates.iter().map(|of| of[row].word()).collect();
        writeln!(table, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    println!("{table}");
    assert_eq!(table, KNOWN);
}

#[test]
fn every_daemon_takes_the_next_hops_that_blackholes_have() {
    each(|daemon| {
        let kind = daemon.kind;
        let speaker = Speaker::start(vec![neighbor(daemon.port)]).unwrap();
        // The discard prefix of RFC 6666, a unique local address, a documentation address; of IPv4 likewise.
        let six = ["100::1", "fd00::1", "2001:db8::66"];
        let four = ["192.0.2.1", "10.255.255.1", "203.0.113.66"];
        let mut hosts = Vec::new();
        for (number, hop) in four.iter().chain(&six).enumerate() {
            let hop: IpAddr = hop.parse().unwrap();
            let host = match hop.is_ipv4() {
                true => format!("198.51.100.{number}/32"),
                false => format!("2001:db8:1::{number}/128"),
            };
            let route = Route { next_hop: Some(hop), ..blackhole(&host) };
            speaker.announce("peer", route).unwrap();
            hosts.push(host);
        }
        hosts.sort();
        wait(&format!("{} holds all", kind.name()), || daemon.view().blackholes == hosts);
        assert_eq!(status(&speaker).quarantine, []);
    });
}
