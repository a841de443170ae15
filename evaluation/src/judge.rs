//! Which alarm belongs to which event, and what that makes of a run.

use base::Timestamp;
use engine::report::{self, Attack};
use sim::event::{Direction, Story};

use crate::watch::Alarm;

/// What became of one attack of the script.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// Seconds from its first packet to its first alarm.
    pub(crate) delay: Option<f64>,
    /// The largest vector that was named in the end.
    pub(crate) called: Option<String>,
    /// Alarms raised for it; one would do.
    pub(crate) alarms: usize,
    /// For each pulse behind the first: seconds from its first packet until an alarm stood.
    pub(crate) pulses: Vec<Option<f64>>,
}

/// Whether an alarm is about what the story tells: same direction, and everything it names lies at the victim. One bit more
/// of a victim that is a network is near enough.
pub(crate) fn fits(alarm: &Attack, story: &Story) -> bool {
    let inbound = alarm.direction == report::Direction::In;
    if inbound != (story.direction == Direction::In) {
        return false;
    }
    let wide = |wider: &base::Prefix| {
        !story.target.is_host() && wider.covers(&story.target) && wider.bits() + 1 >= story.target.bits()
    };
    let within = |target: &base::Prefix| story.target.covers(target) || wide(target);
    let scanner = !inbound && alarm.target.is_host() && story.own.contains(&alarm.target.addr());
    scanner || within(&alarm.target) || (!alarm.targets.is_empty() && alarm.targets.iter().all(within))
}

/// What the alarms that fit make of a story whose pulses begin at `pulses`; an alarm raised later than `until` is late.
pub(crate) fn verdict(alarms: &[Alarm], story: &Story, pulses: &[Timestamp], until: Timestamp) -> Verdict {
    let mine: Vec<&Alarm> = alarms
        .iter()
        .filter(|alarm| fits(&alarm.last, story) && alarm.first >= story.start && alarm.first <= until)
        .collect();
    let first = mine.iter().min_by_key(|alarm| alarm.first);
    let ends = pulses.iter().skip(1).copied().chain([story.end]);
    let answered = pulses.iter().zip(ends).skip(1).map(|(from, to)| stands(&mine, *from, to));
    Verdict {
        delay: first.map(|alarm| alarm.first.since(story.start).as_secs_f64()),
        called: first.and_then(|alarm| Some(alarm.last.vectors.first()?.name.clone())),
        alarms: mine.len(),
        pulses: answered.collect(),
    }
}

/// Alarms that no attack of the script explains.
pub(crate) fn strays<'a>(alarms: &'a [Alarm], attacks: &[(&Story, Timestamp)]) -> Vec<&'a Alarm> {
    let explained = |alarm: &Alarm| {
        attacks.iter().any(|(story, until)| {
            fits(&alarm.last, story) && alarm.first >= story.start && alarm.first <= *until
        })
    };
    alarms.iter().filter(|alarm| !explained(alarm)).collect()
}

/// An alarm in a few words, its time from `start`.
pub(crate) fn short(alarm: &Alarm, start: Timestamp) -> String {
    let vector = alarm.last.vectors.first().map_or("?", |vector| vector.name.as_str());
    let (after, before) = (alarm.first.since(start).as_secs_f64(), start.since(alarm.first).as_secs_f64());
    let when = if before > 0.0 { format!("{before:.2} s before") } else { format!("after {after:.2} s") };
    format!("{} {vector} {} {when}", alarm.last.target, alarm.last.direction.name())
}

/// Seconds from `from` until one of them stands, before `to`.
fn stands(alarms: &[&Alarm], from: Timestamp, to: Timestamp) -> Option<f64> {
    let first = alarms.iter().filter_map(|alarm| {
        let stood = alarm.turns.iter().rev().find(|(at, _)| *at <= from).is_some_and(|(_, on)| *on);
        if stood {
            return Some(from);
        }
        alarm.turns.iter().find(|(at, on)| *on && *at > from && *at < to).map(|(at, _)| *at)
    });
    first.min().map(|at| at.since(from).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::report::{Event, Nature, Severity, Sources, State};

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanos(sim::rng::round(seconds * 1e9))
    }

    fn alarm(targets: &[&str], inbound: bool, turns: &[(f64, bool)]) -> Alarm {
        let targets: Vec<base::Prefix> = targets.iter().map(|text| text.parse().unwrap()).collect();
        let last = Attack {
            event: Event::Attack,
            state: State::Active,
            id: targets[0].to_string(),
            target: base::prefix::cover(&targets).unwrap(),
            targets,
            direction: if inbound { report::Direction::In } else { report::Direction::Out },
            severity: Severity::Attack,
            started_at: at(turns[0].0),
            detected_at: at(turns[0].0),
            ended_at: None,
            peak_pps: 0,
            peak_bps: 0,
            vectors: Vec::new(),
            sources: Sources { count: 0, nature: Nature::Unknown, confidence: 0.0, top: Vec::new() },
            rules: Vec::new(),
            explain: Vec::new(),
            packets: 0,
            bytes: 0,
            entries: Vec::new(),
            doubtful: false,
            withdrawn: Vec::new(),
            stability: None,
            usual_syns: Vec::new(),
            covered: None,
            router_rules: Vec::new(),
            covered_by_routers: None,
            dropped_until: None,
            culprits: Vec::new(),
            pseudonymous: None,
        };
        let turns: Vec<_> = turns.iter().map(|(seconds, on)| (at(*seconds), *on)).collect();
        Alarm { first: turns[0].0, turns, last }
    }

    fn story(target: &str) -> Story {
        Story {
            name: "x".into(),
            attack: true,
            vectors: Vec::new(),
            target: target.parse().unwrap(),
            direction: Direction::In,
            own: Vec::new(),
            port: None,
            start: at(10.0),
            end: at(40.0),
            pps: 1.0,
        }
    }

    #[test]
    fn the_victim_or_a_part_of_it_fits_and_its_surroundings_do_not() {
        let host = story("198.18.5.5/32");
        let net = story("198.18.5.0/24");
        for (targets, inbound, of_host, of_net) in [
            (&["198.18.5.5/32"][..], true, true, true),
            (&["198.18.5.5/32"], false, false, false),
            (&["198.18.5.0/24"], true, false, true),
            (&["198.18.4.0/23"], true, false, true),
            (&["198.18.0.0/16"], true, false, false),
            (&["198.18.5.0/25", "198.18.5.192/26"], true, false, true),
            (&["198.18.5.5/32", "198.18.77.1/32"], true, false, false),
        ] {
            let alarm = alarm(targets, inbound, &[(11.0, true)]);
            assert_eq!(fits(&alarm.last, &host), of_host, "{targets:?}");
            assert_eq!(fits(&alarm.last, &net), of_net, "{targets:?}");
        }
    }

    #[test]
    fn only_alarms_between_the_first_packet_and_the_end_are_the_attacks() {
        let story = story("198.18.5.5/32");
        let alarms = [
            alarm(&["198.18.5.5/32"], true, &[(9.75, true)]),
            alarm(&["198.18.5.5/32"], true, &[(12.5, true)]),
            alarm(&["198.18.5.5/32"], true, &[(12.0, true)]),
            alarm(&["198.18.9.9/32"], true, &[(12.0, true)]),
        ];
        let found = verdict(&alarms, &story, &[], at(41.0));
        assert_eq!((found.delay, found.alarms), (Some(2.0), 2));
        assert_eq!(strays(&alarms, &[(&story, at(41.0))]).len(), 2);
        assert_eq!(strays(&alarms, &[]).len(), 4);
        assert_eq!(verdict(&alarms[..1], &story, &[], at(41.0)).delay, None);
    }

    #[test]
    fn a_pulse_is_answered_by_what_stands_or_comes_before_the_next() {
        let story = story("198.18.5.5/32");
        let pulses = [at(10.0), at(20.0), at(30.0)];
        let stays = alarm(&["198.18.5.5/32"], true, &[(10.5, true)]);
        assert_eq!(verdict(&[stays], &story, &pulses, at(41.0)).pulses, [Some(0.0), Some(0.0)]);
        let comes =
            alarm(&["198.18.5.5/32"], true, &[(10.5, true), (15.0, false), (20.25, true), (25.0, false)]);
        assert_eq!(verdict(&[comes], &story, &pulses, at(41.0)).pulses, [Some(0.25), None]);
    }
}
