//! What is compared with what, and which of several measures goes.

use base::units::PacketRate;
use steer::outcome::{Outcome, judge};

use super::*;
use crate::routing::lookout::Sight;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn served(known: u64, peers: u64, load: f64) -> Option<Served> {
    Some(Served { span: WINDOW, known, peers, load: PacketRate(load), each: 1.0, ..Served::default() })
}

/// What was seen of a measure that began at 100, at a time.
fn measured(secs: u64, before: Option<Served>, after: Option<Served>) -> Measured {
    Measured {
        id: 1,
        at: at(secs),
        before,
        after,
        hurt: false,
        known: (100, 1.0, Span::from_secs(60)),
        probed: Probed::default(),
    }
}

fn outcome(measured: &Measured) -> (Outcome, Option<&'static str>) {
    let compared = measured.compared(at(100), false);
    (judge(&compared.before, &compared.after, compared.against).outcome, compared.note)
}

#[test]
fn who_was_served_in_peace_and_is_no_more_is_missed_unless_others_come_instead() {
    let before = served(80, 80, 1000.0);
    assert_eq!(outcome(&measured(130, before, served(10, 60, 900.0))).0, Outcome::Worse);
    assert_eq!(outcome(&measured(130, before, served(76, 76, 900.0))).0, Outcome::Same);
    // Beyond what they were seen to stay, others count for them; so where they seldom come again.
    assert_eq!(outcome(&measured(230, before, served(10, 78, 900.0))).0, Outcome::Same);
    assert_eq!(outcome(&measured(230, before, served(10, 10, 900.0))).0, Outcome::Worse);
    let mut seldom = measured(130, before, served(10, 78, 900.0));
    seldom.known.1 = 0.3;
    assert_eq!(outcome(&seldom).0, Outcome::Same);
}

#[test]
fn a_flood_that_is_answered_no_more_is_no_loss() {
    // Thousands of its forged sources were answered, and the known ones with them.
    let before = served(60, 3000, 50_000.0);
    assert_eq!(outcome(&measured(130, before, served(62, 62, 1000.0))).0, Outcome::Same);
}

#[test]
fn what_cannot_be_said_is_unknown_with_its_reason() {
    let good = served(80, 80, 1000.0);
    let bad = served(0, 0, 900.0);
    let unknown = |measured: &Measured, word: &str| {
        let (outcome, note) = outcome(measured);
        assert_eq!(outcome, Outcome::Unknown, "{word}");
        assert!(note.is_some_and(|note| note.contains(word)), "{note:?}");
    };
    unknown(&measured(130, None, bad), "nothing is remembered");
    unknown(&Measured { hurt: true, ..measured(130, good, bad) }, "already hurt");
    unknown(&Measured { known: (0, 0.0, Span::ZERO), ..measured(130, good, bad) }, "nobody is known");
    unknown(&measured(100 + 301, good, bad), "too long ago");
    let thinner = bad.map(|bad| Served { each: 2.0, ..bad });
    unknown(&measured(130, good, thinner), "less is seen");
    // An attack that grew may be the reason itself, unless it was seen to be stopped.
    let stopped = measured(130, good, served(0, 0, 2000.0)).compared(at(100), true);
    assert_eq!(judge(&stopped.before, &stopped.after, stopped.against).outcome, Outcome::Worse);
    assert_eq!(outcome(&measured(130, good, served(0, 0, 2000.0))), (Outcome::Unknown, None));
    assert!(is_hurt(&served(80, 80, 1000.0).unwrap(), &served(5, 5, 90_000.0).unwrap()));
    assert!(!is_hurt(&served(80, 80, 1000.0).unwrap(), &served(75, 75, 90_000.0).unwrap()));
}

#[test]
fn the_probe_is_heard_where_nobody_else_can_be() {
    let mut probed = measured(900, None, None);
    probed.probed = Probed { before: (5, 0), after: (0, 5), last: Some("no answer".to_owned()) };
    assert_eq!(outcome(&probed).0, Outcome::Worse);
}

#[test]
fn a_blackhole_gives_its_target_up_and_is_asked_about_the_hosts_beside_it() {
    let about = |what: What| {
        let (targets, except) = Checkup::about(&what).unwrap();
        let text = |all: Vec<Prefix>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (text(targets), text(except))
    };
    let both = |targets: &str, except: &str| (targets.to_owned(), except.to_owned());
    let prefix = |text: &str| text.parse::<Prefix>().unwrap();
    assert_eq!(about(What::Blackhole(prefix("198.51.100.7/32"))), both("198.51.100.0/24", "198.51.100.7/32"));
    assert_eq!(about(What::Blackhole(prefix("2001:db8::7/128"))), both("2001:db8::/64", "2001:db8::7/128"));
    assert_eq!(about(What::Diversion(prefix("198.51.101.0/24"))), both("198.51.101.0/24", ""));
    assert_eq!(about(rule("198.51.100.7/32")), both("198.51.100.7/32", ""));
}

fn rule(dst: &str) -> What {
    let mut rules = rules::parse::rules(&format!("r dst {dst} proto udp -> drop")).unwrap();
    What::Flowspec(Box::new(rules.remove(0)))
}

#[test]
fn of_several_measures_the_newest_goes_first_with_what_began_together_and_others_are_looked_at_anew() {
    let mut wards = Wards::default();
    let all = [
        (1, at(0), rule("198.51.100.7/32")),
        (2, at(100), rule("198.51.100.0/24")),
        (3, at(103), rule("198.51.100.8/32")),
        (4, at(100), rule("198.51.101.0/24")),
    ];
    assert_eq!(
        wards.follow(all.iter().map(|(id, began, what)| (*id, *began, what)), &Sight::quiet(at(0))).len(),
        4
    );
    let seen = |secs: u64| {
        let of = |id: u64| Measured { id, ..measured(secs, served(80, 80, 1000.0), served(5, 5, 900.0)) };
        [of(1), of(2), of(4)]
    };
    // The first time is not believed.
    assert_eq!(wards.handle(at(121), &seen(121), |_| false), []);
    assert_eq!(wards.said(1).unwrap().outcome, Outcome::Worse);
    let harm = wards.handle(at(131), &seen(131), |_| false);
    let ids: Vec<u64> = harm.iter().map(|harm| harm.id).collect();
    assert_eq!(ids, [4, 2, 3], "1 is older, and 3 began with 2 and meets it");
    assert!(
        harm[0].reason.contains("known peers that are served a second: 8.00 before, 0.50 now"),
        "{}",
        harm[0].reason
    );
    assert_eq!(
        wards.handle(at(141), &seen(141), |_| false),
        [],
        "what was counted while the others held says nothing"
    );
    assert_eq!(wards.handle(at(155), &seen(155), |_| false), []);
    let last = wards.handle(at(165), &seen(165), |_| false);
    assert_eq!(last.iter().map(|harm| harm.id).collect::<Vec<_>>(), [1]);
    let near = |prefix: &Prefix| prefix.covers(&"198.51.100.7/32".parse().unwrap());
    assert_eq!(wards.withdrawn(at(0), near).len(), 2);
    assert!(wards.follow(std::iter::empty(), &Sight::quiet(at(0))).is_empty());
}
