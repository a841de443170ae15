//! Which lines answer a question: whole hours where those do, minutes around them.

use base::{Span, Timestamp};

use super::book::Marks;
use super::{HOUR, MINUTE};

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The time of the question, rounded out to minutes, or hours where only those are left.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Beginnings of hours.
    pub(super) hours: Vec<Timestamp>,
    /// Beginnings of minutes.
    pub(super) minutes: Vec<Timestamp>,
    /// Why this is not all.
    pub(super) partial: Option<String>,
}

/// By what the file has.
pub(super) fn plan((from, to): (Timestamp, Timestamp), step: Option<Span>, marks: &Marks) -> Plan {
    let mut plan = Plan { from: floor(from, MINUTE), to: ceil(to, MINUTE), ..Plan::default() };
    let (oldest, newest) =
        marks.minutes.map_or((Timestamp::from_nanos(u64::MAX), Timestamp::ZERO), |ends| ends);
    let end = newest.plus(MINUTE);
    if step.is_some_and(|step| step.nanos() % HOUR.nanos() != 0) {
        if plan.from < oldest && marks.oldest_hour.is_some_and(|hour| hour < oldest && hour < plan.to) {
            plan.partial =
                Some(format!("before {oldest} only hours are left: ask in steps of 1h, or for less time"));
        }
        plan.minutes = instants(plan.from.max(oldest), plan.to.min(end), MINUTE);
        return plan;
    }
    if plan.from < oldest {
        plan.from = floor(plan.from, HOUR);
    }
    if plan.to < oldest {
        plan.to = ceil(plan.to, HOUR);
    }
    let summed = marks.hours.unwrap_or(Timestamp::ZERO);
    let first = ceil(plan.from, HOUR);
    let last = floor(plan.to, HOUR).min(summed);
    if first < last {
        let oldest_hour = marks.oldest_hour.unwrap_or(last);
        plan.hours = instants(first.max(oldest_hour), last, HOUR);
        plan.minutes = instants(plan.from.max(oldest), first.min(end), MINUTE);
        plan.minutes.extend(instants(last.max(oldest), plan.to.min(end), MINUTE));
    } else {
        plan.minutes = instants(plan.from.max(oldest), plan.to.min(end), MINUTE);
    }
    plan
}

fn floor(at: Timestamp, step: Span) -> Timestamp {
    Timestamp::ZERO.plus(step.times(at.tick(step)))
}

fn ceil(at: Timestamp, step: Span) -> Timestamp {
    let below = floor(at, step);
    if below == at { at } else { below.plus(step) }
}

/// Those at multiples of `step`; of either end the file decides how many there can be.
fn instants(from: Timestamp, to: Timestamp, step: Span) -> Vec<Timestamp> {
    let mut all = Vec::new();
    let mut at = ceil(from, step);
    while at < to {
        all.push(at);
        at = at.plus(step);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-26T{text}Z").parse().unwrap()
    }

    #[test]
    fn hours_in_the_middle_and_minutes_at_the_ends() {
        let marks = Marks {
            since: Some(at("01:00:00")),
            hours: Some(at("10:00:00")),
            minutes: Some((at("01:00:00"), at("10:29:00"))),
            oldest_hour: Some(at("01:00:00")),
        };
        let of = |from: &str, to: &str, step| plan((at(from), at(to)), step, &marks);
        let day = of("06:58:30", "10:30:10", None);
        assert_eq!((day.from, day.to), (at("06:58:00"), at("10:31:00")));
        assert_eq!(day.hours, [at("07:00:00"), at("08:00:00"), at("09:00:00")]);
        assert_eq!((day.minutes.len(), day.minutes.first()), (2 + 30, Some(&at("06:58:00"))));
        // A series finer than an hour takes minutes alone.
        let series = of("07:00:00", "10:00:00", Some(Span::from_secs(300)));
        assert_eq!((series.hours.len(), series.minutes.len()), (0, 180));
        assert_eq!(of("07:00:00", "10:00:00", Some(HOUR)).hours.len(), 3);
        // Where minutes are gone it is whole hours, or it is said.
        let marks = Marks { minutes: Some((at("09:00:00"), at("10:29:00"))), ..marks };
        let old = plan((at("03:10:00"), at("05:10:00")), None, &marks);
        assert_eq!((old.from, old.to, old.hours.len()), (at("03:00:00"), at("06:00:00"), 3));
        let old = plan((at("03:00:00"), at("10:00:00")), Some(MINUTE), &marks);
        assert!(old.partial.is_some() && old.minutes.len() == 60, "{old:?}");
        // All of time costs what there is.
        let all = plan((Timestamp::ZERO, Timestamp::from_nanos(u64::MAX)), None, &marks);
        assert_eq!((all.hours.len(), all.minutes.len()), (9, 30));
        assert_eq!(plan((at("01:00:00"), at("02:00:00")), None, &Marks::default()).minutes.len(), 0);
    }
}
