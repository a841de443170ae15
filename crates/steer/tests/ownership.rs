//! The optional rail: what the RPKI says of our announcements.
#![expect(clippy::unwrap_used, reason = "tests")]

use base::{Prefix, Span, Timestamp};
use steer::ownership::{Cache, Input, Output, Payloads, Strictness, Validity};
use steer::rails::Refusal;
use wire::rtr::Vrp;

fn p(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
    Vrp { prefix: p(prefix), max_length, asn }
}

fn payloads(list: &[Vrp]) -> Payloads {
    let mut all = Payloads::new(100);
    assert!(list.iter().all(|vrp| all.insert(*vrp)));
    all
}

const LAX: Strictness = Strictness { not_found: false, length: true };

#[test]
fn validity_is_as_rfc_6811_has_it() {
    let all = payloads(&[
        vrp("198.51.100.0/24", 24, 65_010),
        vrp("198.51.0.0/16", 16, 64_500),
        vrp("203.0.113.0/24", 24, 0),
        vrp("2001:db8::/32", 48, 65_010),
    ]);
    let asked = |prefix: &str, asn| all.validity(p(prefix), asn, true);
    assert_eq!(asked("198.51.100.0/24", 65_010), Validity::Valid);
    assert_eq!(asked("198.51.100.7/32", 65_010), Validity::Invalid, "longer than maxLength");
    assert_eq!(asked("198.51.100.0/24", 64_500), Validity::Invalid, "the wider one ends at /16");
    assert_eq!(asked("198.51.0.0/16", 64_500), Validity::Valid);
    assert_eq!(asked("192.0.2.0/24", 65_010), Validity::NotFound);
    assert_eq!(asked("203.0.113.0/24", 0), Validity::Invalid, "AS 0 is nobody");
    assert_eq!(asked("2001:db8:7::/48", 65_010), Validity::Valid);
    assert_eq!(asked("2001:db8:7::1/128", 65_010), Validity::Invalid);
}

#[test]
fn a_prefix_that_is_not_ours_by_the_rpki_is_refused_and_a_blackhole_peer_may_take_longer_ones() {
    let all = payloads(&[vrp("198.51.100.0/24", 24, 65_010), vrp("192.0.2.0/24", 32, 64_500)]);
    let refused = |prefix: &str, strictness| match all.judge(p(prefix), 65_010, strictness) {
        Err(Refusal::Rpki { state, .. }) => Some(state),
        Err(other) => panic!("{other}"),
        Ok(()) => None,
    };
    assert_eq!(refused("198.51.100.0/24", LAX), None);
    assert!(refused("198.51.100.7/32", LAX).unwrap().contains("maxLength"));
    assert_eq!(refused("198.51.100.7/32", Strictness { length: false, ..LAX }), None);
    assert!(refused("192.0.2.7/32", Strictness { length: false, ..LAX }).unwrap().contains("another AS"));
    assert_eq!(refused("203.0.113.0/24", LAX), None);
    assert_eq!(refused("203.0.113.0/24", Strictness { not_found: true, ..LAX }), Some("not found"));
}

/// PDUs as a cache writes them.
struct Told(Vec<u8>);

impl Told {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn pdu(mut self, version: u8, kind: u8, session: u16, body: &[u8]) -> Self {
        self.0.extend([version, kind]);
        self.0.extend(session.to_be_bytes());
        self.0.extend(u32::try_from(8 + body.len()).unwrap().to_be_bytes());
        self.0.extend(body);
        self
    }

    fn response(self, session: u16) -> Self {
        self.pdu(1, 3, session, &[])
    }

    fn v4(self, announce: bool, octets: [u8; 4], asn: u32) -> Self {
        let mut body = vec![u8::from(announce), 24, 24, 0];
        body.extend(octets);
        body.extend(asn.to_be_bytes());
        self.pdu(1, 4, 0, &body)
    }

    fn end(self, session: u16, serial: u32) -> Self {
        let body: Vec<u8> = [serial, 100, 50, 700].iter().flat_map(|word| word.to_be_bytes()).collect();
        self.pdu(1, 7, session, &body)
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(1_800_000_000_000_000_000).plus(Span::from_secs(seconds))
}

fn outputs(cache: &mut Cache) -> Vec<Output> {
    std::iter::from_fn(|| cache.poll_output()).collect()
}

fn connected() -> Cache {
    let mut cache = Cache::new(at(0), 10);
    cache.handle_timeout(at(0));
    assert_eq!(outputs(&mut cache), [Output::Dial]);
    cache.handle(at(0), Input::Connected);
    assert_eq!(outputs(&mut cache), [Output::Send(wire::rtr::reset_query(1))]);
    cache
}

fn told() -> Cache {
    let mut cache = connected();
    let first = Told::new()
        .response(7)
        .v4(true, [198, 51, 100, 0], 65_010)
        .v4(true, [192, 0, 2, 0], 64_500)
        .end(7, 1);
    // In pieces, as streams come.
    for octet in first.0 {
        cache.handle(at(1), Input::Received(&[octet]));
    }
    assert_eq!((outputs(&mut cache), cache.payloads(at(1)).unwrap().len()), (vec![], 2));
    cache
}

#[test]
fn a_cache_tells_all_then_what_changed() {
    let mut cache = told();
    // A word of something new is followed by a question.
    cache.handle(at(2), Input::Received(&Told::new().pdu(1, 0, 7, &2u32.to_be_bytes()).0));
    assert_eq!(outputs(&mut cache), [Output::Send(wire::rtr::serial_query(1, 7, 1))]);
    let half = Told::new().response(7).v4(false, [192, 0, 2, 0], 64_500);
    cache.handle(at(2), Input::Received(&half.0));
    assert_eq!(cache.payloads(at(2)).unwrap().len(), 2, "nothing holds before its end");
    cache.handle(at(2), Input::Received(&Told::new().end(7, 2).0));
    assert_eq!(cache.payloads(at(2)).unwrap().len(), 1);
    // So it is after the time that it gave.
    assert_eq!(cache.poll_timeout(), Some(at(102)));
    cache.handle_timeout(at(102));
    assert_eq!(outputs(&mut cache), [Output::Send(wire::rtr::serial_query(1, 7, 2))]);
    // A cache that lost its history is asked for all; what is known holds until it is told.
    cache.handle(at(102), Input::Received(&Told::new().pdu(1, 8, 0, &[]).0));
    assert_eq!(outputs(&mut cache), [Output::Send(wire::rtr::reset_query(1))]);
    assert_eq!(cache.payloads(at(102)).unwrap().len(), 1);
    cache.handle(at(102), Input::Received(&Told::new().response(8).end(8, 9).0));
    assert!(cache.payloads(at(102)).unwrap().is_empty());
}

#[test]
fn what_is_too_old_refuses_nobody() {
    let cache = told();
    let ours = p("192.0.2.0/24");
    assert!(cache.judge(at(700), ours, 65_010, LAX).is_err());
    assert_eq!(cache.judge(at(701), ours, 65_010, LAX), Ok(()), "too old");
    assert_eq!(connected().judge(at(1), ours, 65_010, LAX), Ok(()), "never told");
}

#[test]
fn an_older_cache_is_spoken_to_in_its_version() {
    let mut cache = connected();
    let report = wire::rtr::error_report(0, wire::rtr::error::UNSUPPORTED_VERSION, "zero\nonly");
    cache.handle(at(1), Input::Received(&report));
    assert_eq!(outputs(&mut cache), [Output::Close]);
    assert_eq!(cache.trouble(), Some("the cache says error 4: zeroonly"));
    let next = cache.poll_timeout().unwrap();
    cache.handle_timeout(next);
    cache.handle(next, Input::Connected);
    assert_eq!(outputs(&mut cache), [Output::Dial, Output::Send(wire::rtr::reset_query(0))]);
    let answer = Told::new().pdu(0, 3, 7, &[]).pdu(0, 7, 7, &1u32.to_be_bytes());
    cache.handle(next, Input::Received(&answer.0));
    assert!(cache.payloads(next).is_some());
    assert_eq!(cache.poll_timeout(), Some(next.plus(Span::from_secs(3600))), "the RFC's own intervals");
}

#[test]
fn what_was_not_asked_or_cannot_be_ends_the_conversation_and_changes_nothing() {
    let wrong: [(&str, Vec<u8>); 5] = [
        ("a payload without an answer", Told::new().v4(true, [10, 0, 0, 0], 1).0),
        ("another version", Told::new().pdu(2, 3, 7, &[]).0),
        ("no version", vec![9; 8]),
        ("a PDU of 16 MiB", vec![1, 4, 0, 0, 1, 0, 0, 0]),
        ("an end without a beginning", Told::new().end(7, 9).0),
    ];
    for (what, octets) in wrong {
        let mut cache = told();
        cache.handle(at(3), Input::Received(&octets));
        let out = outputs(&mut cache);
        assert!(matches!(&out[..], [Output::Send(_), Output::Close]), "{what}: {out:?}");
        assert_eq!(cache.payloads(at(3)).unwrap().len(), 2, "{what}");
        assert_eq!(cache.poll_timeout(), Some(at(53)), "{what}: the retry interval that it gave");
    }
}

#[test]
fn silence_and_floods_are_bounded() {
    let mut cache = connected();
    cache.handle_timeout(at(61));
    assert_eq!(outputs(&mut cache), [Output::Close]);
    let mut cache = connected();
    let mut flood = Told::new().response(7);
    for place in 0..20 {
        flood = flood.v4(true, [10, 0, place, 0], 1);
    }
    cache.handle(at(1), Input::Received(&flood.end(7, 1).0));
    // What found no room could be what allows us: nobody is refused by halves.
    assert_eq!((cache.payloads(at(1)).is_none(), cache.left_out()), (true, 10));
}
