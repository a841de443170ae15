//! A client and a cache that does as the test says.

use base::Span;
use proptest::prelude::*;
use steer::ownership::{Client, Output, Settings};
use wire::rtr::{Pdu, Timing, error, read};

use super::{at, vrp};

const TIMING: Timing = Timing { refresh: 100, retry: 50, expire: 1000 };

fn octets(pdus: &[Pdu], version: u8) -> Vec<u8> {
    let mut out = Vec::new();
    for pdu in pdus {
        pdu.write(&mut out, version);
    }
    out
}

/// What the client did, with its questions read.
fn did(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = client.poll_output() {
        all.push(match output {
            Output::Send(octets) => format!("{:?}", read(&octets).unwrap().unwrap().0),
            other => format!("{other:?}"),
        });
    }
    all
}

fn connected() -> Client {
    let mut client = Client::new(at(0), Settings { most: 5 });
    client.handle_timeout(at(0));
    assert_eq!(did(&mut client), ["Connect"]);
    client.connected(at(0));
    assert_eq!(did(&mut client), ["ResetQuery"]);
    client
}

fn table(serial: u32) -> Vec<Pdu> {
    vec![
        Pdu::CacheResponse { session: 7 },
        Pdu::Prefix { announce: true, vrp: vrp("198.51.100.0/24", 32, 64_500) },
        Pdu::Prefix { announce: true, vrp: vrp("2001:db8::/32", 48, 64_500) },
        Pdu::EndOfData { session: 7, serial, timing: Some(TIMING) },
    ]
}

fn synced() -> Client {
    let mut client = connected();
    client.receive(at(1), &octets(&table(1), 1));
    assert_eq!(did(&mut client), ["Changed"]);
    client
}

#[test]
fn an_answer_counts_when_it_is_whole_and_news_follow() {
    let mut client = connected();
    let all = octets(&table(1), 1);
    // Octet by octet, as a slow line brings them.
    for (place, octet) in all.iter().enumerate() {
        assert!(client.vrps().is_none(), "{place}");
        client.receive(at(1), &[*octet]);
    }
    assert_eq!((did(&mut client), client.vrps().unwrap().len()), (vec!["Changed".to_owned()], 2));
    // A notification, or the time that the cache set, makes it ask for news.
    client.receive(at(2), &octets(&[Pdu::SerialNotify { session: 7, serial: 1 }], 1));
    assert_eq!(did(&mut client), [""; 0]);
    client.receive(at(2), &octets(&[Pdu::SerialNotify { session: 7, serial: 2 }], 1));
    assert_eq!(did(&mut client), ["SerialQuery { session: 7, serial: 1 }"]);
    let news = [
        Pdu::CacheResponse { session: 7 },
        Pdu::Prefix { announce: false, vrp: vrp("2001:db8::/32", 48, 64_500) },
        Pdu::EndOfData { session: 7, serial: 2, timing: Some(TIMING) },
    ];
    client.receive(at(3), &octets(&news, 1));
    assert_eq!((did(&mut client).len(), client.vrps().unwrap().len()), (1, 1));
    assert_eq!(client.poll_timeout(), Some(at(103)));
    client.handle_timeout(at(103));
    assert_eq!(did(&mut client), ["SerialQuery { session: 7, serial: 2 }"]);
    client.receive(at(104), &octets(&[Pdu::CacheReset], 1));
    assert_eq!(did(&mut client), ["ResetQuery"]);
    client.receive(at(105), &octets(&table(9), 1));
    assert_eq!((did(&mut client).len(), client.vrps().unwrap().len()), (1, 2));
}

#[test]
fn what_was_told_holds_over_a_lost_connection_and_no_longer_than_the_cache_allows() {
    let mut client = synced();
    client.disconnected(at(10));
    assert!(client.vrps().is_some());
    assert_eq!(client.poll_timeout(), Some(at(60)));
    client.handle_timeout(at(60));
    assert_eq!(did(&mut client), ["Connect"]);
    client.connected(at(61));
    assert_eq!(did(&mut client), ["SerialQuery { session: 7, serial: 1 }"]);
    client.disconnected(at(62));
    client.handle_timeout(at(1001));
    assert!(client.vrps().is_none());
    assert!(did(&mut client).contains(&"Changed".to_owned()));
}

#[test]
fn a_cache_of_the_first_version_is_followed() {
    let mut client = connected();
    let table = [
        Pdu::CacheResponse { session: 7 },
        Pdu::Prefix { announce: true, vrp: vrp("198.51.100.0/24", 32, 64_500) },
        Pdu::EndOfData { session: 7, serial: 1, timing: None },
    ];
    client.receive(at(1), &octets(&table, 0));
    assert_eq!(client.vrps().unwrap().len(), 1);
    // One that refuses the version gets its own at once.
    let mut client = connected();
    client.receive(
        at(1),
        &octets(&[Pdu::Error { code: error::UNSUPPORTED_VERSION, text: "v0 only".into() }], 0),
    );
    client.handle_timeout(at(1));
    assert_eq!(did(&mut client), ["Close(\"it speaks an earlier version\")", "Connect"]);
    client.connected(at(2));
    let Some(Output::Send(asked)) = client.poll_output() else { panic!() };
    assert_eq!(read(&asked), Ok(Some((Pdu::ResetQuery, 0, 8))));
}

#[test]
fn a_cache_that_misbehaves_is_left_and_what_it_told_before_holds() {
    let many: Vec<Pdu> = (0..9)
        .map(|n| Pdu::Prefix { announce: true, vrp: vrp(&format!("10.{n}.0.0/16"), 16, 64_500) })
        .collect();
    let answer = |inside: Vec<Pdu>| {
        let end = Pdu::EndOfData { session: 7, serial: 2, timing: Some(TIMING) };
        [vec![Pdu::CacheResponse { session: 7 }], inside, vec![end]].concat()
    };
    for (sent, word, holds) in [
        (octets(&answer(many), 1), "more than there is room for", true),
        (octets(&[Pdu::CacheResponse { session: 8 }], 1), "another session", true),
        (octets(&[Pdu::ResetQuery], 1), "not asked for", true),
        (octets(&[Pdu::Error { code: 3, text: "bad request".into() }], 1), "error 3: bad request", true),
        (b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "version 72", true),
        // News that do not fit make all of it doubtful.
        (
            octets(&answer(vec![Pdu::Prefix { announce: false, vrp: vrp("10.0.0.0/8", 8, 1) }]), 1),
            "do not fit",
            false,
        ),
    ] {
        let mut client = synced();
        client.handle_timeout(at(101));
        did(&mut client);
        client.receive(at(102), &sent);
        let all = did(&mut client);
        assert!(all.iter().any(|one| one.starts_with("Close") && one.contains(word)), "{word}: {all:?}");
        assert_eq!((client.vrps().is_some(), client.faults), (holds, 1), "{word}");
        // It comes back to it later.
        assert!(client.poll_timeout().is_some_and(|next| next <= at(152)), "{word}");
    }
}

#[test]
fn a_cache_that_has_nothing_yet_or_does_not_answer_is_asked_again() {
    let mut client = connected();
    client.receive(at(1), &octets(&[Pdu::Error { code: error::NO_DATA, text: String::new() }], 1));
    client.handle_timeout(at(601));
    assert_eq!(did(&mut client), ["ResetQuery"]);
    client.handle_timeout(at(1201));
    let all = did(&mut client);
    assert!(all.iter().any(|one| one.contains("did not answer in time")), "{all:?}");
}

proptest! {
    #[test]
    fn noise_ends_a_connection_and_nothing_else(noise in prop::collection::vec(any::<u8>(), 0..200), cut in 1_usize..50) {
        let mut client = synced();
        for part in noise.chunks(cut) {
            client.receive(at(5), part);
        }
        prop_assert!(client.vrps().is_some());
        prop_assert!(client.poll_timeout().is_some_and(|next| next <= at(5).plus(Span::from_secs(100))));
    }
}
