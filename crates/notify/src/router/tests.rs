use std::collections::BTreeSet;

use base::Span;

use super::*;
use crate::{Kind, Secret, Sources};

pub(crate) fn channel(name: &str) -> Settings {
    Settings {
        name: name.to_owned(),
        kind: Kind::Webhook { url: Secret::new("http://127.0.0.1:1/".to_owned()), secret: None, token: None },
        events: [EventKind::AttackStarted, EventKind::AttackEnded].into(),
        severity: Severity::Attack,
        only: Vec::new(),
        group_wait: Span::from_secs(2),
        group_max: 3,
        repeat: None,
        per_minute: 60,
        queue_max: 100,
        timeout: Span::from_secs(1),
        retry: Span::from_secs(1),
        retry_max: Span::from_secs(60),
        give_up: Span::from_secs(3600),
        fallback: None,
        ca: None,
    }
}

pub(crate) fn brief(id: &str, target: &str) -> Brief {
    Brief {
        id: id.to_owned(),
        over: false,
        severity: Severity::Attack,
        target: target.parse().unwrap(),
        targets: vec![target.parse().unwrap()],
        targets_count: 1,
        direction: "in".to_owned(),
        class: "tcp-syn-flood".to_owned(),
        vectors: Vec::new(),
        customers: Vec::new(),
        started_at: Timestamp::from_secs(1_700_000_000),
        detected_at: Timestamp::from_secs(1_700_000_002),
        ended_at: None,
        peak_pps: 120_000,
        peak_bps: 800_000_000,
        packets: 1,
        bytes: 40,
        sources: Sources { count: 5000, nature: "spoofed".to_owned(), confidence: 0.9 },
        rules: Vec::new(),
        mode: "observe".to_owned(),
        doubtful: false,
        explain: Vec::new(),
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_010 + secs)
}

/// (channel, kind) of what is written.
fn said(writing: &Writing) -> Vec<(String, String)> {
    let kind = |row: &EventRow| serde_json::from_str::<Event>(&row.document).unwrap().kind.name().to_owned();
    writing.events.iter().map(|row| (row.channel.clone(), kind(row))).collect()
}

fn router(channels: Vec<Settings>) -> Router {
    let customers = vec![
        ("web".to_owned(), vec!["198.51.100.0/28".parse().unwrap()]),
        ("six".to_owned(), vec!["2001:db8:1::/48".parse().unwrap()]),
    ];
    Router::new(channels, customers, Vec::new())
}

fn is(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn a_start_and_an_end_are_told_once() {
    let mut router = router(vec![channel("a")]);
    let mut attack = brief("1", "198.51.100.7/32");
    let first = router.hear(attack.clone(), at(0));
    assert_eq!(said(&first), is(&[("a", "attack_started")]));
    assert_eq!(first.told.len(), 1);
    assert!(first.events[0].document.contains("\"customers\":[\"web\"]"));
    attack.peak_pps += 1;
    assert_eq!(said(&router.hear(attack.clone(), at(1))), []);
    attack.over = true;
    let last = router.hear(attack, at(2));
    assert_eq!(said(&last), is(&[("a", "attack_ended")]));
    assert_eq!(last.forgotten, ["1"]);
    assert_eq!(said(&router.look(at(9999))), []);
}

#[test]
fn one_that_was_over_before_it_was_heard_of_is_told_whole() {
    let mut router = router(vec![channel("a")]);
    let writing = router.hear(Brief { over: true, ..brief("1", "2001:db8:1::7/128") }, at(0));
    assert_eq!(said(&writing), is(&[("a", "attack_started"), ("a", "attack_ended")]));
    assert!(writing.told.is_empty());
}

#[test]
fn severities_prefixes_and_kinds_are_filtered() {
    let all = [EventKind::AttackStarted, EventKind::AttackChanged, EventKind::AttackEnded];
    let low = Settings { severity: Severity::Suspicious, events: all.into(), ..channel("low") };
    let six = Settings { only: vec!["2001:db8:1::/48".parse().unwrap()], ..channel("six") };
    let none = Settings { events: BTreeSet::new(), ..channel("none") };
    let mut router = router(vec![low, six, none, channel("high")]);
    let attack = Brief { severity: Severity::Suspicious, ..brief("1", "198.51.100.7/32") };
    assert_eq!(said(&router.hear(attack.clone(), at(0))), is(&[("low", "attack_started")]));
    // Worse than it looked: news for some, a change for others.
    let attack = Brief { severity: Severity::Attack, ..attack };
    let worse = router.hear(attack.clone(), at(1));
    assert_eq!(said(&worse), is(&[("low", "attack_changed"), ("high", "attack_started")]));
    // Better again: its end is still told to those who heard of it.
    let over = Brief { severity: Severity::Suspicious, over: true, ..attack };
    assert_eq!(said(&router.hear(over, at(2))), is(&[("low", "attack_ended"), ("high", "attack_ended")]));
    // A wide target meets what it covers.
    let wide = router.hear(brief("2", "2001:db8::/32"), at(3));
    assert_eq!(
        said(&wide),
        is(&[("low", "attack_started"), ("six", "attack_started"), ("high", "attack_started")])
    );
}

#[test]
fn reminders_come_while_it_goes_on() {
    let mut router =
        router(vec![Settings { repeat: Some(Span::from_secs(60)), ..channel("a") }, channel("b")]);
    router.hear(brief("1", "198.51.100.7/32"), at(0));
    assert_eq!(said(&router.look(at(59))), []);
    let reminder = router.look(at(60));
    assert_eq!(said(&reminder), is(&[("a", "attack_ongoing")]));
    assert!(reminder.events[0].replaces.is_some(), "one that waits is enough");
    assert_eq!(said(&router.look(at(61))), []);
    assert_eq!(said(&router.look(at(120))), is(&[("a", "attack_ongoing")]));
}

#[test]
fn a_restart_does_not_tell_twice_and_tells_what_is_not_known_any_more() {
    let mut before = router(vec![channel("a")]);
    let mut told = Vec::new();
    for id in ["1", "2"] {
        told.extend(before.hear(brief(id, "198.51.100.7/32"), at(0)).told);
    }
    let mut after = Router::new(vec![channel("a")], Vec::new(), told);
    let settled = after.settle(&["1".to_owned()], at(5));
    assert_eq!(said(&settled), is(&[("a", "attack_ended")]));
    assert_eq!(settled.forgotten, ["2"]);
    assert!(settled.events[0].document.contains("not known any more after a restart"));
    assert_eq!(said(&after.hear(brief("1", "198.51.100.7/32"), at(6))), []);
}

#[test]
fn what_is_amiss_is_told_once_and_once_more_when_it_is_well_to_those_who_hear_of_everybody() {
    let all = [EventKind::TroubleStarted, EventKind::TroubleEnded, EventKind::ConfigurationRefused];
    let told = Settings { events: all.into(), ..channel("told") };
    let own = Settings { only: vec!["198.51.100.0/24".parse().unwrap()], ..told.clone() };
    let mut router = router(vec![told, Settings { name: "own".to_owned(), ..own }, channel("attacks")]);
    let trouble = |what: &str, subject: &str| {
        let id = format!("{what} {subject}");
        let text = format!("{what} {subject} is gone");
        (id.clone(), Trouble { id, what: what.to_owned(), subject: subject.to_owned(), text, since: at(0) })
    };
    let (exporter, peer) = (trouble("exporter", "192.0.2.1"), trouble("bgp_session", "2001:db8::1"));
    let first = router.troubles([exporter.clone()].into(), at(0));
    assert_eq!(said(&first), is(&[("told", "trouble_started")]));
    assert!(first.events[0].document.contains("exporter 192.0.2.1 is gone"));
    assert_eq!(said(&router.troubles([exporter.clone()].into(), at(1))), []);
    let both = router.troubles([exporter, peer.clone()].into(), at(2));
    assert!(
        said(&both) == is(&[("told", "trouble_started")]) && both.events[0].document.contains("2001:db8::1")
    );
    let over = router.troubles([peer].into(), at(3));
    assert!(said(&over) == is(&[("told", "trouble_ended")]) && over.events[0].document.contains("192.0.2.1"));
    assert_eq!(said(&router.configuration(None, at(4))), []);
    let refused = router.configuration(Some("f.toml:1:1: no".to_owned()), at(4));
    assert!(
        said(&refused) == is(&[("told", "configuration_refused")])
            && refused.events[0].document.contains("f.toml:1:1")
    );
}
