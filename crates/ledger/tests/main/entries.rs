//! What stands in the log.

use std::collections::BTreeMap;

use base::Timestamp;
use ledger::Hash;
use ledger::commitment::{CustomerTag, Salt};
use ledger::entry::{Act, By, Decision, Entry, What};
use ledger::report::Report;
use proptest::prelude::*;

fn decision(act: Act, at: &str) -> Entry {
    let salt = Salt::new([5; 32]);
    let decision = Decision {
        act,
        by: By::Product,
        customer: Some(CustomerTag::new(b"key", "acme")),
        commitment: salt.commit(b"rule 1: dst 192.0.2.1/32 -> drop"),
        counts: BTreeMap::from([("rules".to_owned(), 1)]),
    };
    Entry::new(at.parse().unwrap(), What::Decision(decision))
}

#[test]
fn an_entry_has_one_spelling_and_no_other_is_read() {
    let entry = decision(Act::Mitigation, "2026-03-01T00:00:00Z");
    let octets = entry.octets().unwrap();
    let text = String::from_utf8(octets.clone()).unwrap();
    assert!(text.starts_with(r#"{"schema":"spillway.ledger/1","time":"2026-03-01T00:00:00.000000000Z","what":{"decision":{"act":"mitigation","by":"product","#), "{text}");
    assert!(!text.contains("192.0.2.1") && !text.contains("acme"));
    assert_eq!(Entry::parse(&octets).unwrap(), entry);
    for (from, to, why) in [
        ("\"by\"", " \"by\"", "canonical"),
        ("ledger/1", "ledger/2", "newer version"),
        ("\"act\"", "\"note\":\"x\",\"act\"", "unknown field"),
        ("\"rules\"", "\"from 192.0.2.1\"", "lower-case letters"),
        ("00.000000000Z", "00Z", "canonical"),
    ] {
        let said = Entry::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(said.contains(why), "{said} for {why}");
    }
}

#[test]
fn a_commitment_without_its_salt_says_nothing_and_with_it_binds() {
    let salt = Salt::new([1; 32]);
    let hash = salt.commit(b"198.51.100.7");
    assert_eq!(Salt::from_hex(&salt.reveal()).unwrap().commit(b"198.51.100.7"), hash);
    assert_ne!(Salt::new([2; 32]).commit(b"198.51.100.7"), hash);
    assert_ne!(salt.commit(b"198.51.100.8"), hash);
    assert_ne!(Hash::of(b"198.51.100.7"), hash);
    assert_eq!(format!("{salt:?}"), "Salt");
    assert_eq!(CustomerTag::new(b"key", "acme"), CustomerTag::new(b"key", "acme"));
    assert_ne!(CustomerTag::new(b"key", "acme"), CustomerTag::new(b"other", "acme"));
    // RFC 4231, test case 2
    let tag = CustomerTag::new(b"Jefe", "what do ya want for nothing?");
    assert_eq!(tag.0.to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[test]
fn the_report_counts_every_entry_once_in_its_half_year() {
    let mut report = Report::default();
    for (act, at) in [
        (Act::Mitigation, "2026-01-01T00:00:00Z"),
        (Act::MitigationEnd, "2026-06-30T23:59:59.999999999Z"),
        (Act::Announcement, "2026-07-01T00:00:00Z"),
        (Act::Mitigation, "2026-12-31T23:59:59Z"),
        (Act::Mitigation, "2027-01-01T00:00:00Z"),
    ] {
        report.add(&decision(act, at).octets().unwrap());
    }
    report.add(b"from a later version");
    let halves: Vec<_> =
        report.halves().map(|(half, counts)| (half, counts.entries, counts.unknown)).collect();
    assert_eq!(halves, [((2026, 1), 2, 0), ((2026, 2), 2, 0), ((2027, 1), 2, 1)]);
    let first = report.halves().next().unwrap().1;
    assert_eq!(first.decisions, BTreeMap::from([("mitigation", 1), ("mitigation-end", 1)]));
}

proptest! {
    #[test]
    fn noise_is_no_entry(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::parse(&octets).is_err());
    }

    #[test]
    fn entries_of_any_time_are_read_as_they_are_written(nanos in any::<u64>(), count in 0_u64..(1 << 53)) {
        let mut entry = decision(Act::Withdrawal, "2026-01-01T00:00:00Z");
        entry.time = Timestamp::from_nanos(nanos);
        if let What::Decision(decision) = &mut entry.what {
            decision.counts.insert("packets".to_owned(), count);
        }
        prop_assert_eq!(Entry::parse(&entry.octets().unwrap()).unwrap(), entry);
    }
}
