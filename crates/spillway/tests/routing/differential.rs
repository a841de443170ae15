//! What others read of our FlowSpec: ExaBGP by its JSON, `rustbgpd-wire` by its octets, BIRD by its text.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use rules::{Action, Match, Rule};
use rustbgpd_wire::{Afi, flowspec as second};
use sim::rng::Rng;
use steer::bgp::dialect::{Offsets, Redirect, Unspoken, prefix6};
use steer::bgp::out::NotTaken;
use wire::bgp::traffic::Traffic;

use super::daemons::{Daemon, Kind, Options};
use super::exabgp::{Names, Told, told};
use super::*;

const RULES: u32 = 10_000;
/// ExaBGP 4.2 takes a length of two octets for another one, and drops rules of 256 octets and more.
const LONGEST: usize = 255;

/// What we do beyond rules, as people may ask for it. Not redirection to a route target of a four-octet AS: ExaBGP 4.2.21
/// ends the session over it (its `__repr__` calls itself).
fn extras(rng: &mut Rng) -> Vec<Traffic> {
    let all = [
        Traffic::Action { sample: true, goes_on: false },
        Traffic::Action { sample: true, goes_on: true },
        Traffic::Marking(u8::try_from(rng.below(64)).unwrap()),
        Traffic::RedirectAs2(rng.u16(), rng.u32()),
        Traffic::RedirectIpv4(rng.u32().into(), rng.u16()),
        Traffic::ToAddress { to: IpAddr::V4(rng.u32().into()), copy: true },
    ];
    all.into_iter().filter(|_| rng.chance(0.1)).collect()
}

/// What the rule's action is by its extended communities: read from them, not from us.
fn action(told: &Told) -> Action {
    let of = |kind: u64| told.extended.iter().find(|value| **value >> 48 == kind);
    let rate = |value: &u64| f64::from(f32::from_bits(u32::try_from(value & 0xffff_ffff).unwrap()));
    let redirect = told.extended.iter().find(|value| **value >> 48 == 0x010c && **value & 1 == 0);
    if let Some(value) = of(0x8006) {
        return if rate(value) == 0.0 { Action::Drop } else { Action::RateBits(rate(value) * 8.0) };
    }
    if let Some(value) = of(0x800c) {
        return Action::RatePackets(rate(value));
    }
    if let Some(value) = redirect {
        return Action::Redirect(IpAddr::V4(u32::try_from(value >> 16 & 0xffff_ffff).unwrap().into()));
    }
    let redirect6 = told.extended6.iter().find_map(|text| text.split_once("redirect-to-nexthop-ietf "));
    let redirect6 = redirect6.and_then(|(_, to)| to.split_whitespace().next());
    redirect6.map_or(Action::Pass, |to| Action::Redirect(IpAddr::V6(to.parse().unwrap())))
}

/// The rule, its route, and what is done besides.
fn made(rng: &mut Rng, number: u32, longest: u32) -> Option<(Rule, Route, Vec<Traffic>)> {
    let rule = random::rule(rng, number, number % 2 == 1, longest);
    let [line] = flowspec::lines(core::slice::from_ref(&rule)).try_into().ok()?;
    let mut route = route_of(line);
    if route.key.nlri.len() > LONGEST {
        return None;
    }
    let extras = extras(rng);
    extras.iter().for_each(|extra| extra.put(&mut route.attributes));
    Some((rule, route, extras))
}

fn components(matches: &Match) -> Vec<&'static str> {
    let Match { dst: _, src, protocol, port, src_port, dst_port, icmp_type, icmp_code, .. } = matches;
    let Match { tcp_flags, length, dscp, fragment, .. } = matches;
    let asked = [
        (true, "dst"),
        (src.is_some(), "src"),
        (protocol.is_some(), "protocol"),
        (port.is_some(), "port"),
        (src_port.is_some(), "src-port"),
        (dst_port.is_some(), "dst-port"),
        (icmp_type.is_some(), "icmp-type"),
        (icmp_code.is_some(), "icmp-code"),
        (tcp_flags.is_some(), "tcp-flags"),
        (length.is_some(), "length"),
        (dscp.is_some(), "dscp"),
        (fragment.is_some(), "fragment"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect()
}

#[test]
fn ten_thousand_random_rules_are_read_by_exabgp_as_they_were_meant() {
    let Some(daemon) = Daemon::start(Kind::Exabgp, Options::default()) else { return };
    let speaker = started(neighbor(daemon.port), &daemon);
    let mut rng = Rng::new(5);
    let mut coverage: BTreeMap<String, u32> = BTreeMap::new();
    let (mut sent, mut routes, mut too_long) = (BTreeMap::new(), Vec::new(), 0);
    for number in 0.. {
        if sent.len() == usize::try_from(RULES).unwrap() {
            break;
        }
        let Some((rule, route, extras)) = made(&mut rng, number, random::SHORT) else {
            too_long += 1;
            continue;
        };
        let family = route.key.family;
        for name in components(&rule.matches) {
            *coverage.entry(format!("{family} {name}")).or_default() += 1;
        }
        *coverage.entry(format!("{family} -> {}", rule.action.as_str())).or_default() += 1;
        for extra in &extras {
            let name = format!("{extra:?}");
            let name = name.split(['(', ' ']).next().unwrap();
            *coverage.entry(format!("{family} -> {name}")).or_default() += 1;
        }
        let extended: Vec<u64> =
            route.attributes.extended.iter().map(|octets| u64::from_be_bytes(*octets)).collect();
        let before = sent.insert(rule.matches.dst.unwrap(), (rule, extended));
        assert_eq!(before, None, "each has a destination of its own");
        routes.push(route);
    }
    for batch in routes.chunks(500) {
        assert_eq!(speaker.announce_all("peer", batch.to_vec()).unwrap(), []);
    }
    let names = Names::of_exabgp();
    // It reads some hundred a second.
    let count = || daemon.told().matches("\"string\": \"flow ").count();
    let end = Instant::now() + Duration::from_secs(200);
    while count() < sent.len() {
        assert!(Instant::now() < end, "ExaBGP told {} of {}", count(), sent.len());
        std::thread::sleep(Duration::from_secs(1));
    }
    let told = told(&daemon.told(), &names);
    assert_eq!(told.len(), sent.len());
    for one in &told {
        let (rule, mut extended) = sent.remove(&one.matches.dst.unwrap()).unwrap();
        assert_eq!(one.matches, rule.matches, "{}", rule.id);
        assert_eq!(action(one), rule.action, "{}: {one:?}", rule.id);
        let mut heard = one.extended.clone();
        heard.sort_unstable();
        extended.sort_unstable();
        assert_eq!(heard, extended, "{}", rule.id);
    }
    assert!(sent.is_empty());
    println!("{} rules, {too_long} too long for ExaBGP and left out:", told.len());
    coverage.iter().for_each(|(name, count)| println!("{count:6} {name}"));
    assert!(coverage.len() >= 2 * (12 + 4 + 5) && coverage.values().all(|count| *count >= 100));
}

#[test]
fn rustbgpd_wire_writes_the_same_octets() {
    let mut rng = Rng::new(6);
    let mut actions = 0;
    for number in 0..RULES {
        let Some((rule, mut route, _)) = made(&mut rng, number, u32::MAX) else { continue };
        Traffic::RedirectAs4(rng.u32(), rng.u16()).put(&mut route.attributes);
        let afi = if route.key.family.afi == 1 { Afi::Ipv4 } else { Afi::Ipv6 };
        let read = second::decode_flowspec_nlri(&route.key.nlri, afi).unwrap();
        assert_eq!(read.len(), 1, "{}", rule.id);
        let mut octets = Vec::new();
        second::try_encode_flowspec_nlri(&read, &mut octets, afi).unwrap();
        assert_eq!(octets, route.key.nlri, "{}", rule.id);
        for octets in &route.attributes.extended {
            let theirs = rustbgpd_wire::ExtendedCommunity::new(u64::from_be_bytes(*octets));
            let action = theirs.as_flowspec_action().unwrap_or_else(|| panic!("{octets:02x?}"));
            let again = rustbgpd_wire::ExtendedCommunity::from_flowspec_action(&action);
            assert_eq!(again.as_u64().to_be_bytes(), *octets, "{action:?}");
            actions += 1;
        }
    }
    assert!(actions > 5_000, "{actions}");
}

#[test]
fn rustbgpd_wire_writes_offsets_in_the_older_form() {
    // Where it is wrong: why it is a second opinion and not our encoder.
    let address: Ipv6Addr = "2001:db8::1234:5678:9a00:0".parse().unwrap();
    let ours = prefix6(1, address, 104, 64).unwrap();
    let ours = [&[u8::try_from(ours.len()).unwrap()], ours.as_slice()].concat();
    assert_ne!(
        second::decode_flowspec_nlri(&ours, Afi::Ipv6).ok().map(|read| again(&read)),
        Some(ours.clone())
    );
    let older = Dialect { offsets: Offsets::Legacy, ..Dialect::default() };
    let mut route = flowspec("x dst 2001:db8::/32 -> drop\n").remove(0);
    route.key.nlri = ours;
    let older = older.say(&route).unwrap().key.nlri.clone();
    let read = second::decode_flowspec_nlri(&older, Afi::Ipv6).unwrap();
    assert_eq!(again(&read), older);
}

fn again(read: &[second::FlowSpecRule]) -> Vec<u8> {
    let mut octets = Vec::new();
    second::try_encode_flowspec_nlri(read, &mut octets, Afi::Ipv6).unwrap();
    octets
}

#[test]
fn syn_without_ack_and_offsets_are_what_they_say_in_birds_words() {
    let Some(daemon) = Daemon::start(Kind::Bird, Options::default()) else { return };
    let mut neighbor = neighbor(daemon.port);
    neighbor.settings.dialect.offsets = Offsets::Rfc8956;
    let speaker = started(neighbor, &daemon);
    let syn = flowspec("a dst 198.51.100.8/32 proto tcp tcp-flags syn/syn+ack -> drop\n").remove(0);
    // RFC 8955 §4.2.1.2: SYN set, and (0x40) ACK not.
    assert!(syn.key.nlri.ends_with(&[9, 0x01, 0x02, 0xc2, 0x10]), "{:02x?}", syn.key.nlri);
    let address: Ipv6Addr = "2001:db8::1234:5678:9a00:0".parse().unwrap();
    let mut offset = flowspec("x dst 2001:db8::/32 -> drop\n").remove(0);
    let prefix = prefix6(1, address, 104, 64).unwrap();
    offset.key.nlri = [&[u8::try_from(prefix.len()).unwrap()], prefix.as_slice()].concat();
    for route in [syn, offset] {
        speaker.announce("peer", route).unwrap();
    }
    wait("both rules", || daemon.view().rules == 2);
    let text = daemon.view().text;
    for words in ["tcp flags 0x2/0x2 && 0x0/0x10;", "dst ::1234:5678:9a00:0/104 offset 64;"] {
        assert!(text.contains(words), "BIRD does not say `{words}`:\n{text}");
    }
    assert_eq!(status(&speaker).ups, 1);
}

#[test]
fn what_a_profile_has_no_form_for_is_refused_with_the_reason_and_nothing_is_sent() {
    let Some(daemon) = Daemon::start(Kind::Frr, Options::default()) else { return };
    let mut neighbor = neighbor(daemon.port);
    neighbor.settings.dialect.redirect = Redirect::None;
    let speaker = started(neighbor, &daemon);
    let prefix = prefix6(1, Ipv6Addr::LOCALHOST, 128, 64).unwrap();
    let mut offset = flowspec("x dst 2001:db8::/32 -> drop\n").remove(0);
    offset.key.nlri = [&[u8::try_from(prefix.len()).unwrap()], prefix.as_slice()].concat();
    let refused = speaker.announce("peer", offset).unwrap_err();
    assert_eq!(refused, NotTaken::Unspoken(Unspoken::Offset(64)).into());
    assert!(refused.to_string().contains("offset 64"), "{refused}");
    let redirect = flowspec("x dst 198.51.100.7/32 -> redirect 192.0.2.9\n").remove(0);
    let refused = speaker.announce("peer", redirect).unwrap_err();
    assert!(refused.to_string().contains("192.0.2.9"), "{refused}");
    speaker.announce("peer", flowspec("y dst 198.51.100.7/32 -> drop\n").remove(0)).unwrap();
    wait("the rule that can be said", || daemon.view().rules == 1);
    assert_eq!((status(&speaker).ups, status(&speaker).wanted), (1, 1));
}
