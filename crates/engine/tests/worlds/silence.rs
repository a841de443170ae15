//! Silence is not recovery: telemetry goes missing around attacks.

use base::{Span, Timestamp};
use engine::report::{Attack, Severity, State};
use sim::scenario::Scenario;

use crate::world::{Way, heard, measured, told_by};

const LEAD: u64 = 90;

/// A SYN flood from second 90 on, of so many seconds, in a world of eleven minutes.
fn flood(secs: u64) -> Scenario {
    let mut scenario = sim::scenario::measured("syn-200k", Span::from_secs(LEAD), 1).unwrap();
    scenario.config.span = Span::from_secs(660);
    scenario.events[0].span = Span::from_secs(secs);
    scenario
}

/// Seconds since the world began.
fn second(scenario: &Scenario, at: Timestamp) -> u64 {
    at.since(scenario.config.start).secs()
}

/// What is told of attacks while telemetry is missing from second 120 to 420, but for one datagram of so many.
fn told(scenario: &Scenario, one_of: u64) -> Vec<(u64, Attack)> {
    let missing = 120..420;
    let told = heard(scenario, |at, number| {
        !missing.contains(&second(scenario, at))
            || number.wrapping_mul(0x9e37_79b9) >> 7 & 0xffff < 0x1_0000 / one_of
    });
    let attacks = told.into_iter().filter(|(_, attack)| attack.severity == Severity::Attack);
    attacks.map(|(at, attack)| (second(scenario, at), attack)).collect()
}

/// One id, over once and as the last word; its final state and the second in which it was told.
fn over_once(told: &[(u64, Attack)]) -> (u64, &Attack) {
    let ids: std::collections::BTreeSet<_> = told.iter().map(|(_, attack)| &attack.id).collect();
    assert_eq!(ids.len(), 1, "one attack is told as {ids:?}");
    assert_eq!(told.iter().filter(|(_, attack)| attack.state == State::Over).count(), 1);
    let (at, last) = told.last().unwrap();
    assert_eq!(last.state, State::Over);
    (*at, last)
}

/// Seconds in which the blindness of the attack began to be told, and ended.
fn blind(told: &[(u64, Attack)]) -> Vec<(u64, bool)> {
    let unseen = |attack: &Attack| attack.explain.iter().any(|line| line.contains("its end cannot be seen"));
    let mut changes = vec![(0, false)];
    for (at, attack) in told {
        if changes.last().unwrap().1 != unseen(attack) {
            changes.push((*at, unseen(attack)));
        }
    }
    changes.split_off(1)
}

#[test]
fn an_attack_outlives_five_minutes_in_which_most_telemetry_is_lost() {
    let scenario = flood(420);
    let told = told(&scenario, 20);
    let (at, over) = over_once(&told);
    let ended = second(&scenario, over.ended_at.unwrap());
    assert!((509..=510).contains(&ended), "the last packet was at {ended}");
    assert!((569..=572).contains(&at), "over at {at}");
    let changes = blind(&told);
    assert!(
        matches!(changes.as_slice(), [(120..=135, true), (420..=440, false)]),
        "its blindness is told at {changes:?}"
    );
}

#[test]
fn an_attack_outlives_five_minutes_of_silence() {
    let scenario = flood(420);
    let told = told(&scenario, 1 << 20);
    let (at, over) = over_once(&told);
    let ended = second(&scenario, over.ended_at.unwrap());
    assert!((509..=510).contains(&ended), "the last packet was at {ended}");
    assert!((569..=572).contains(&at), "over at {at}");
    assert!(over.explain.iter().any(|line| line.contains("telemetry was missing for")), "{:?}", over.explain);
    let changes = blind(&told);
    assert!(
        matches!(changes.as_slice(), [(130..=132, true), (420..=450, false)]),
        "its blindness is told at {changes:?}"
    );
}

#[test]
fn an_attack_that_ends_in_silence_is_over_when_telemetry_is_back_and_shows_it() {
    let scenario = flood(120);
    for one_of in [20, 1 << 20] {
        let told = told(&scenario, one_of);
        let (at, over) = over_once(&told);
        assert!((480..=510).contains(&at), "over at {at}");
        let ended = second(&scenario, over.ended_at.unwrap());
        assert!((119..=210).contains(&ended), "the last packet seen was at {ended}");
        let line = over.explain.last().unwrap();
        assert!(line.contains("it may have ended at any time between"), "{line}");
    }
}

#[test]
fn a_restart_in_silence_ends_nothing() {
    let scenario = flood(120);
    let restart = Some(scenario.config.start.plus(Span::from_secs(300)));
    let told = told_by(&scenario, Way { restart, ..Way::default() }, |at, _| {
        !(120..420).contains(&second(&scenario, at))
    });
    let told: Vec<_> = told
        .into_iter()
        .filter(|(_, attack)| attack.severity == Severity::Attack)
        .map(|(at, attack)| (second(&scenario, at), attack))
        .collect();
    let (at, _) = over_once(&told);
    assert!((480..=510).contains(&at), "over at {at}");
}

#[test]
fn telemetry_that_comes_back_raises_no_alarm() {
    let mut scenario = measured("background", 3);
    scenario.config.span = Span::from_secs(540);
    for one_of in [20, 1 << 20] {
        assert_eq!(told(&scenario, one_of), []);
    }
}

#[test]
fn an_attack_seen_by_whole_telemetry_ends_after_a_minute_of_quiet() {
    let scenario = flood(60);
    let told: Vec<_> = heard(&scenario, |_, _| true)
        .into_iter()
        .filter(|(_, attack)| attack.severity == Severity::Attack)
        .map(|(at, attack)| (second(&scenario, at), attack))
        .collect();
    let (at, _) = over_once(&told);
    assert!((209..=212).contains(&at), "over at {at}");
    assert_eq!(blind(&told), []);
}
