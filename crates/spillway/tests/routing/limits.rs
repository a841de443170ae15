//! What a peer can do to us and we to it: limits, floods, order, words at the end, marks.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};
use steer::bgp::out::NotTaken;
use wire::bgp::{Capability, Open, keepalive, update};

use super::daemons::{Daemon, Kind, Options};
use super::*;

fn host(number: usize) -> Route {
    blackhole(&format!("198.51.100.{number}/32"))
}

#[test]
fn more_than_a_daemon_takes_is_never_sent_and_its_limit_is_real() {
    side_by_side([Kind::Gobgp, Kind::Bird, Kind::Frr], |kind| {
        let Some(daemon) = Daemon::start(kind, Options { limit: Some(10), ..Options::default() }) else {
            return;
        };
        let mut careful = neighbor(daemon.port);
        careful.pacing.peer_limit = 10;
        let speaker = started(careful, &daemon);
        let refused = speaker.announce_all("peer", (0..20).map(host).collect()).unwrap();
        assert!(
            refused
                .iter()
                .all(|(_, why)| matches!(why, NotTaken::Full(full) if (full.limit, full.most) == (10, 9)))
        );
        assert_eq!(refused.len(), 11, "{}", kind.name());
        wait("nine routes", || daemon.view().blackholes.len() == 9);
        wait("proof", || status(&speaker).unproven == 0);
        assert_eq!(
            (status(&speaker).ups, daemon.view().blackholes.len()),
            (1, 9),
            "{}: no trip",
            kind.name()
        );
        drop(speaker);
        wait("the end", || daemon.view().blackholes.is_empty());
        // Who does not know of the limit loses the session.
        let careless = started(neighbor(daemon.port), &daemon);
        assert_eq!(careless.announce_all("peer", (0..20).map(host).collect()).unwrap(), []);
        wait("the trip", || status(&careless).last_down.is_some());
        println!("{}: {}", kind.name(), status(&careless).last_down.unwrap());
    });
}

#[test]
fn a_gobgpd_that_restarts_hears_all_again_the_most_important_first() {
    let Some(mut daemon) = Daemon::start(Kind::Gobgp, Options::default()) else { return };
    let mut slow = neighbor(daemon.port);
    (slow.pacing.per_second, slow.pacing.burst) = (4, 1);
    let speaker = started(slow, &daemon);
    // The last to be announced is the most important.
    let routes = (0..16).map(|number| Route { rank: 100 - u32::try_from(number).unwrap(), ..host(number) });
    assert_eq!(speaker.announce_all("peer", routes.collect()).unwrap(), []);
    wait("all", || status(&speaker).held == 16 && status(&speaker).unproven == 0);
    daemon.restart();
    wait("all again", || daemon.view().blackholes.len() == 16);
    let json: serde_json::Value =
        serde_json::from_str(&daemon.command(&["global", "rib", "-a", "ipv4", "-j"])).unwrap();
    let came = |number: usize| json[format!("198.51.100.{number}/32")][0]["age"].as_u64().unwrap();
    let order: Vec<u64> = (0..16).rev().map(came).collect();
    println!("{order:?}");
    assert!(order.is_sorted() && order[15] >= order[0] + 2, "{order:?}");
    assert_eq!(status(&speaker).quarantine, []);
}

#[test]
fn both_sides_read_why_the_other_ended_it() {
    let Some(bird) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let speaker = started(neighbor(bird.port), &bird);
    bird.command(&["disable", "peer", "\"moved to another rack\""]);
    wait("BIRD's words", || {
        status(&speaker).last_down.is_some_and(|why| why.contains("moved to another rack"))
    });
    bird.command(&["enable", "peer"]);
    wait("the next session", || status(&speaker).ups == 2);
    speaker.stop("maintenance until 03:00");
    wait("our words", || {
        bird.command(&["show", "protocols", "all", "peer"]).contains("maintenance until 03:00")
    });
}

#[test]
fn a_daemon_that_wants_to_hear_again_does() {
    let deaf = Options { deaf: true, ..Options::default() };
    let Some(bird) = Daemon::start(Kind::Bird, deaf) else { return };
    let speaker = started(neighbor(bird.port), &bird);
    speaker.announce("peer", host(7)).unwrap();
    flowspec(RULES).into_iter().for_each(|route| speaker.announce("peer", route).unwrap());
    wait("proof", || status(&speaker).held == 4 && status(&speaker).unproven == 0);
    assert!(bird.view().blackholes.is_empty() && bird.view().rules == 0);
    // Filters that became wider make BIRD ask for a refresh (RFC 2918).
    bird.reconfigure(Options::default());
    wait("all of it", || bird.view().blackholes == ["198.51.100.7/32"] && bird.view().rules == 3);
    assert_eq!(status(&speaker).ups, 1);
}

#[test]
fn a_session_from_beside_us_bears_the_ttl_that_proves_it() {
    let Some(mut bird) = Daemon::start(Kind::Bird, Options { beside: true, ..Options::default() }) else {
        return;
    };
    let far = Speaker::start(vec![neighbor(bird.port)]).unwrap();
    far.announce("peer", host(8)).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let hears = bird.command(&["show", "protocols", "peer"]).contains("Established");
    assert!(!hears && bird.view().blackholes.is_empty(), "a TTL below 255 is not heard");
    drop(far);
    // Nor is it heard that this one is gone: BIRD would wait for its OPEN.
    bird.restart();
    let near = started(Neighbor { hops: Some(1), ..neighbor(bird.port) }, &bird);
    near.announce("peer", host(9)).unwrap();
    wait("the route", || bird.view().blackholes == ["198.51.100.9/32"]);
}

#[test]
fn every_packet_of_a_session_is_marked_as_network_control() {
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP));
    let Ok(mut raw) = raw else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "raw sockets need root");
        eprintln!("skipped: raw sockets need root");
        return;
    };
    raw.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // Of our own address alone: other tests fill loopback beside this one.
    let ours = Ipv4Addr::new(127, 0, 0, 77);
    raw.connect(&SocketAddr::from((ours, 0)).into()).unwrap();
    let between = Some(("127.0.0.1", "127.0.0.77"));
    let Some(bird) = Daemon::start(Kind::Bird, Options { between, ..Options::default() }) else { return };
    let speaker = started(Neighbor { local: Some(ours.into()), ..neighbor(bird.port) }, &bird);
    speaker.announce("peer", host(9)).unwrap();
    wait("the route", || bird.view().blackholes == ["198.51.100.9/32"]);
    speaker.stop("");
    let mut marks = Vec::new();
    let mut packet = [0; 2048];
    while let Ok(length) = raw.read(&mut packet) {
        // An IPv4 header without options, then the ports.
        let ours = packet[12..16] == ours.octets() && packet[22..24] == bird.port.to_be_bytes();
        if length >= 40 && ours {
            marks.push((packet[1] & 0xfc, packet[33] & 0x3f));
        }
    }
    assert!(marks.iter().any(|(_, flags)| flags & 2 != 0), "the SYN among them: {marks:?}");
    assert!(marks.len() >= 6 && marks.iter().all(|(mark, _)| *mark == 0xc0), "CS6: {marks:?}");
}

/// Memory of this process, in octets.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// A router that answers by hand: what comes after the handshake is the test's.
fn handshake(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let capabilities = vec![Capability::Multiprotocol(Family::IPV4), Capability::FourOctetAs(PEER_AS)];
    let open = Open { asn: PEER_AS, hold_time: 90, id: Ipv4Addr::new(192, 0, 2, 2), capabilities };
    stream.write_all(&open.write()).unwrap();
    stream.write_all(&keepalive()).unwrap();
    stream
}

#[test]
fn a_peer_that_floods_us_with_routes_costs_no_memory_and_is_counted() {
    const MESSAGES: u32 = 3_000;
    const ROUTES: u32 = 600;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let speaker = Speaker::start(vec![neighbor(listener.local_addr().unwrap().port())]).unwrap();
    let mut stream = handshake(&listener);
    wait("the session", || status(&speaker).state == State::Established);
    let before = resident();
    let path = Attributes { as_path: Some(vec![Segment::sequence(vec![PEER_AS, 64496])]), ..attributes() };
    let hop = Some(Ipv4Addr::new(192, 0, 2, 2).into());
    for message in 0..MESSAGES {
        let prefixes = (0..ROUTES).map(|route| {
            let mut octets = Vec::new();
            nlri::write(&mut octets, &Prefix::host(Ipv4Addr::from(message * ROUTES + route).into()));
            octets
        });
        let (messages, _) = update::announce(Family::IPV4, hop, &path, &prefixes.collect::<Vec<_>>(), true);
        messages.iter().for_each(|message| stream.write_all(message).unwrap());
    }
    wait("all is heard", || status(&speaker).heard == u64::from(MESSAGES * ROUTES));
    let grown = resident().saturating_sub(before);
    println!("{} routes, {grown} octets", MESSAGES * ROUTES);
    assert!(grown < 16 << 20, "{grown} octets");
    // And ours goes out meanwhile.
    speaker.announce("peer", host(7)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    wait("ours", || {
        let count = stream.read(&mut buffer).unwrap();
        heard.extend_from_slice(&buffer[..count]);
        heard.windows(5).any(|octets| octets == [32, 198, 51, 100, 7])
    });
    assert_eq!((status(&speaker).ups, status(&speaker).faults), (1, 0));
}

/// The BGP messages in each TCP segment that begins with a marker, of the recorded captures.
fn recorded() -> Vec<Vec<u8>> {
    let Some(data) = crate::support::data() else { return Vec::new() };
    let mut files: Vec<_> = ["bgp-rs", "netgauze"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(data.join("bgp").join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "cap" || kind == "pcap"))
        .collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let octets = std::fs::read(file).unwrap();
        let starts = octets.windows(16).enumerate().filter(|(_, window)| window.iter().all(|o| *o == 0xff));
        for (at, _) in starts {
            if let Ok(Some(message)) = wire::bgp::frame(&octets[at..]) {
                out.push(octets[at..at + message.length].to_vec());
            }
        }
    }
    out
}

#[test]
fn recorded_and_damaged_messages_end_no_session_that_can_stay_up() {
    let messages = recorded();
    if messages.is_empty() {
        return;
    }
    let updates: Vec<&Vec<u8>> = messages.iter().filter(|message| message[18] == 2).collect();
    println!("{} messages, {} of them updates", messages.len(), updates.len());
    assert!(updates.len() >= 20, "{}", updates.len());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let speaker = Speaker::start(vec![neighbor(listener.local_addr().unwrap().port())]).unwrap();
    speaker.announce("peer", host(7)).unwrap();
    let mut stream = handshake(&listener);
    wait("the session", || status(&speaker).state == State::Established);
    // Whole ones, and ones whose attributes are damaged but whose lengths and NLRI are not: RFC 7606 keeps the session.
    let mut sent = 0;
    for message in &updates {
        if wire::bgp::Update::read(&message[19..], true).is_ok() {
            stream.write_all(message).unwrap();
            sent += 1;
        }
        for at in 23..message.len() {
            let mut damaged = (*message).clone();
            damaged[at] ^= 0x80;
            if wire::bgp::Update::read(&damaged[19..], true).is_ok() {
                stream.write_all(&damaged).unwrap();
                sent += 1;
            }
        }
    }
    stream.write_all(&keepalive()).unwrap();
    wait("the faults are counted", || status(&speaker).faults > 0);
    println!("{sent} sent, {} with faults", status(&speaker).faults);
    std::thread::sleep(Duration::from_millis(500));
    let held = status(&speaker);
    assert_eq!((held.state, held.ups, held.held), (State::Established, 1, 1), "{:?}", held.last_down);
    // One that cannot stay up ends with the reason, and the next session has all again.
    stream.write_all(&[0; 19]).unwrap();
    wait("the end", || status(&speaker).last_down.is_some());
    assert!(status(&speaker).last_down.unwrap().contains("connection not synchronized (1/1)"));
    let _next = handshake(&listener);
    wait("the next", || status(&speaker).ups == 2 && status(&speaker).held == 1);
    assert_eq!(status(&speaker).quarantine, []);
}
