//! Plans that follow each other, attack sizes from samples, and the playbook.

use std::collections::BTreeMap;

use base::Timestamp;
use serde_json::json;
use steer::planner::playbook::{Move, Playbook, Shift};
use steer::planner::{Document, Effort, Mode, Planner, Settings, Sizes, Switch};

const T: &str = "198.51.100.7/32";
const U: &str = "2001:db8::9/128";

/// Two targets that bear nothing undiverted, and an absorber of 5 Gbps.
fn document(t_value: f64, u_value: f64, t_bps: f64, u_bps: f64) -> Document {
    serde_json::from_value(json!({
        "targets": [{"prefix": T, "value": t_value, "max_bps": 1e9}, {"prefix": U, "value": u_value, "max_bps": 1e9}],
        "entries": [{"name": "e1"}],
        "absorbers": [{"name": "a1", "capacity_bps": 5e9, "reaches": ["e1"]}],
        "attacks": [{"target": T, "entry": "e1", "bps": t_bps}, {"target": U, "entry": "e1", "bps": u_bps}],
    }))
    .unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + seconds)
}

fn step(planner: &mut Planner, seconds: u64, document: &Document) -> Switch {
    planner.handle(at(seconds), document, Mode::default(), Effort::Quick).unwrap()
}

#[test]
fn a_plan_that_holds_stays_until_another_keeps_a_twentieth_more() {
    let mut planner = Planner::new(Settings::default());
    assert_eq!(step(&mut planner, 0, &document(10.0, 9.0, 4e9, 4e9)), Switch::Forced);
    assert_eq!(planner.current().unwrap().kept, [T.parse().unwrap()]);
    assert_eq!(step(&mut planner, 1, &document(10.0, 10.4, 4e9, 4e9)), Switch::Stays);
    assert_eq!(planner.current().unwrap().kept, [T.parse().unwrap()], "4 % are not enough");
    assert_eq!(step(&mut planner, 2, &document(10.0, 10.6, 4e9, 4e9)), Switch::Better);
    assert_eq!(planner.current().unwrap().kept, [U.parse().unwrap()]);
}

#[test]
fn a_plan_that_no_longer_holds_is_replaced_at_once_however_many_changes_there_were() {
    let mut planner = Planner::new(Settings { per_minute: 0, ..Settings::default() });
    assert_eq!(step(&mut planner, 0, &document(10.0, 9.0, 4e9, 0.5e9)), Switch::Forced);
    assert_eq!(planner.current().unwrap().kept.len(), 2);
    assert_eq!(step(&mut planner, 1, &document(10.0, 9.0, 4e9, 4e9)), Switch::Forced);
    assert_eq!(planner.current().unwrap().kept, [T.parse().unwrap()]);
    assert_eq!(step(&mut planner, 2, &document(10.0, 20.0, 4e9, 4e9)), Switch::Waits, "no room for a change");
}

#[test]
fn changes_within_a_minute_are_bounded_where_the_plan_holds() {
    let mut planner = Planner::new(Settings { per_minute: 6, ..Settings::default() });
    let mut switched = Vec::new();
    for second in 0..180 {
        let (a, b) = if second % 2 == 0 { (10.0, 20.0) } else { (20.0, 10.0) };
        if step(&mut planner, second, &document(a, b, 4e9, 4e9)) == Switch::Better {
            switched.push(second);
        }
    }
    // Each switch is four changes: a diversion and a sacrifice end, one of each begins.
    assert!(switched.len() >= 2, "{switched:?}");
    assert!(switched.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{switched:?}");
}

#[test]
fn who_was_given_up_for_want_of_an_absorber_comes_back_with_it_however_often_and_however_many_they_are() {
    let both = document(10.0, 9.0, 0.5e9, 4e9);
    let mut gone = both.clone();
    gone.absorbers.clear();
    for per_minute in [20, 1] {
        let mut planner = Planner::new(Settings { per_minute, ..Settings::default() });
        assert_eq!(step(&mut planner, 0, &both), Switch::Forced);
        let mut back = Vec::new();
        for second in (10..100).step_by(10) {
            let is_gone = second % 20 != 0;
            let switch = step(&mut planner, second, if is_gone { &gone } else { &both });
            assert!(!is_gone || planner.current().unwrap().diverted.is_empty(), "{second}");
            back.extend((switch == Switch::Better).then_some(second));
        }
        println!("{per_minute} a minute: back at {back:?}");
        assert_eq!(back, if per_minute == 20 { vec![20, 40, 60, 80] } else { vec![20, 80] });
    }
}

#[test]
fn measures_are_taken_back_only_after_a_time_of_calm() {
    let calm = document(10.0, 9.0, 0.5e9, 0.5e9);
    let mut planner = Planner::new(Settings::default());
    assert_eq!(step(&mut planner, 0, &document(10.0, 9.0, 2e9, 2e9)), Switch::Forced);
    assert_eq!(planner.current().unwrap().diverted.len(), 2);
    assert_eq!(step(&mut planner, 10, &calm), Switch::Stays);
    assert_eq!(step(&mut planner, 100, &document(10.0, 9.0, 2e9, 2e9)), Switch::Stays, "it came back");
    assert_eq!(step(&mut planner, 110, &calm), Switch::Stays);
    assert_eq!(step(&mut planner, 229, &calm), Switch::Stays);
    assert_eq!(step(&mut planner, 230, &calm), Switch::Eased);
    assert!(planner.current().unwrap().diverted.is_empty());
}

#[test]
fn a_target_that_the_plan_does_not_know_is_planned_at_once() {
    let mut planner = Planner::new(Settings::default());
    let both = document(10.0, 9.0, 2e9, 2e9);
    let mut one = both.clone();
    one.targets.truncate(1);
    one.attacks.truncate(1);
    assert_eq!(step(&mut planner, 0, &one), Switch::Forced);
    assert_eq!(step(&mut planner, 1, &both), Switch::Forced);
    assert_eq!(planner.current().unwrap().kept.len(), 2);
}

#[test]
fn attacks_are_as_large_as_nine_of_ten_samples() {
    let mut sizes = Sizes::default();
    for i in 1..=10 {
        sizes.see(T.parse().unwrap(), "e1", f64::from(i) * 1e9, f64::from(11 - i) * 1e5);
    }
    sizes.see(T.parse().unwrap(), "e1", f64::NAN, 0.0);
    let mut document = document(1.0, 1.0, 7.0, 8.0);
    sizes.apply(&mut document, 0.9);
    assert_eq!((document.attacks[0].bps, document.attacks[0].pps), (9e9, 9e5));
    assert_eq!(document.attacks[1].bps, 8.0, "without samples it stays");
    assert_eq!(sizes.refused(), 1);
    (0..64).for_each(|_| sizes.see(T.parse().unwrap(), "e1", 1.0, 1.0));
    sizes.apply(&mut document, 1.0);
    assert_eq!(document.attacks[0].bps, 1.0, "old samples are forgotten");
}

fn shift(entry: &str, absorber: &str, share: f64) -> Shift {
    Shift { entry: entry.to_owned(), absorber: absorber.to_owned(), share }
}

fn book() -> Playbook {
    let mut book = Playbook::default();
    let shifts = vec![shift("e1", "a1", 0.75), shift("e1", "a2", 0.25), shift("e2", "a2", 1.0)];
    let one = Move {
        announcement: "more \"specific\"".to_owned(),
        measured: "2026-11-20T10:00:00Z".to_owned(),
        shifts,
    };
    book.note(one).unwrap();
    book
}

#[test]
fn a_playbook_is_read_as_it_was_written_and_refuses_what_cannot_be() {
    let book = book();
    assert_eq!(Playbook::read(&book.write()).unwrap(), book);
    assert_eq!(Playbook::read("").unwrap(), Playbook::default());
    for (from, to, expected) in [
        ("share = 0.75", "share = 1.75", "move[0].shift[0].share"),
        ("share = 0.25", "share = 0.5", "more than all of `e1`"),
        ("share = 0.25", "shares = 0.5", "unknown field `shares`"),
    ] {
        let said = Playbook::read(&book.write().replace(from, to)).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_playbook_predicts_what_moves_and_tells_the_planner_who_reaches_whom() {
    let book = book();
    let traffic = BTreeMap::from([("e1".to_owned(), 8e9), ("e2".to_owned(), 1e9), ("e3".to_owned(), 5.0)]);
    let predicted = book.predict("more \"specific\"", &traffic).unwrap();
    assert_eq!(predicted.absorbed, BTreeMap::from([("a1".to_owned(), 6e9), ("a2".to_owned(), 3e9)]));
    assert_eq!(predicted.entering["e3"], 5.0);
    assert_eq!((predicted.entering["e1"], predicted.entering["e2"]), (0.0, 0.0));
    assert_eq!(book.predict("never measured", &traffic), None);
    let mut document = document(1.0, 1.0, 2e9, 2e9);
    book.reach(&mut document.absorbers, 0.95);
    assert!(document.absorbers[0].reaches.is_empty(), "three quarters are not all");
    book.reach(&mut document.absorbers, 0.7);
    let mut again = self::document(1.0, 1.0, 2e9, 2e9);
    book.reach(&mut again.absorbers, 0.7);
    assert_eq!(again.absorbers[0].reaches, ["e1"]);
}
