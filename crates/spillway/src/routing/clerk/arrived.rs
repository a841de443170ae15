//! What a diversion does: what its absorber received of a prefix against what routers tell of it, for the ladder and for the
//! playbook.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use steer::allot::NETWORK;
use steer::effect::{Arrival, Judgement, Verdict, Witnesses};
use steer::planner::playbook::{Move, Shift};

use super::Clerk;
use crate::routing::lookout::{Amount, Sight, Sighting};

/// Windows are this many times as long as an announcement takes to settle; patience lasts likewise.
const WINDOW: u64 = 3;
/// See [`WINDOW`].
const PATIENCE: u64 = 12;
/// The first look at a diversion comes within this time.
const BEGINS_WITHIN: Span = Span::from_secs(3);
/// Less of an entry's packets than this share says nothing of it.
const PART_MIN: f64 = 0.05;

/// One diversion, as it is followed.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    arrival: Arrival,
    /// The last report that was taken in.
    reported: Option<Timestamp>,
    /// Who tells of it.
    witnesses: Witnesses,
    /// Packets that came by each entry.
    entries: BTreeMap<String, u64>,
    /// It stands in the playbook.
    is_noted: bool,
}

impl Followed {
    fn new(now: Timestamp, settle: Span) -> Self {
        let arrival = Arrival::new(now, settle, settle.times(WINDOW), settle.times(PATIENCE));
        Self {
            arrival,
            reported: None,
            witnesses: Witnesses::default(),
            entries: BTreeMap::new(),
            is_noted: false,
        }
    }
}

/// How far one is with measuring what a diversion moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measuring {
    /// Nothing was looked at yet.
    Begins,
    /// It cannot be said yet.
    Goes,
    /// It stands in the playbook, or cannot be measured.
    Done,
}

impl Measuring {
    /// Whether a drill that acts goes on for its sake: what it moves in peace is what plans count on in need.
    pub(super) fn waits(self, acted: Span, patience: Span) -> bool {
        let most = match self {
            Self::Begins => BEGINS_WITHIN.nanos().min(patience.nanos() / 3),
            // The rest of the patience is for what the drill itself looks for.
            Self::Goes => patience.nanos() / 3 * 2,
            Self::Done => 0,
        };
        acted.nanos() < most
    }
}

impl Clerk {
    /// What was seen since the last time, for each diversion that routers know.
    pub(super) fn follow_arrivals(&mut self, sight: &Sight) {
        let settle = sight.terms.settle();
        let others = self.stopped();
        let mut measured = Vec::new();
        for (id, leg) in &mut self.legs {
            if !leg.is_said() {
                leg.followed = None;
                continue;
            }
            let (prefix, name) = (leg.prefix(), leg.absorber().to_owned());
            let followed = leg.followed.get_or_insert_with(|| Followed::new(sight.now, settle));
            // What routers stop before it is not missing at the absorber, and what a silent one does not tell of did come there.
            let meets = |other: &Prefix| prefix.covers(other) || other.covers(&prefix);
            let (who, told) = told(sight, &prefix, &mut followed.entries);
            followed.witnesses.told(sight.now, who.into_iter());
            let is_silent = followed.witnesses.silent(sight.now, &sight.heard).is_some();
            if is_silent || others.iter().any(meets) {
                let witnesses = std::mem::take(&mut followed.witnesses);
                let is_noted = followed.is_noted;
                *followed = Followed { is_noted, witnesses, ..Followed::new(sight.now, settle) };
                continue;
            }
            let gets = self.absorbers.get(&name).and_then(|absorber| absorber.gets(&prefix));
            let gets = gets.filter(|(at, _)| followed.reported != Some(*at));
            followed.reported = gets.map(|(at, _)| at).or(followed.reported);
            followed.arrival.told(sight.now, told, gets.map(|(_, load)| load.pps));
            let judged = followed.arrival.judge(sight.now);
            let is_sure = !matches!(judged.verdict, Verdict::Pending | Verdict::NotMeasurable);
            if is_sure && !std::mem::replace(&mut followed.is_noted, true) {
                let entries = std::mem::take(&mut followed.entries);
                measured.push((*id, prefix, name, leg.neighbors().to_vec(), entries, judged));
            }
        }
        for (id, prefix, absorber, neighbors, entries, judged) in measured {
            let (least, most) = judged.stopped.unwrap_or_default();
            let one = Move {
                announcement: format!("{prefix} to {absorber} at {}", neighbors.join(", ")),
                measured: sight.now.to_string(),
                shifts: shifts(&entries, &absorber, (least + most) / 2.0),
            };
            self.note(id, "measured", format!("absorber `{absorber}`: {}", judged.reason));
            self.plays.note(one);
        }
    }

    /// How far one is with measuring the diversion of a prefix; `None`: its absorber tells nothing.
    pub(super) fn measuring(&self, now: Timestamp, prefix: &Prefix) -> Option<Measuring> {
        let leg = self.legs.values().find(|leg| leg.prefix() == *prefix)?;
        self.absorbers.get(leg.absorber())?;
        Some(match &leg.followed {
            None => Measuring::Begins,
            Some(one) if one.is_noted => Measuring::Done,
            Some(one) if one.arrival.judge(now).verdict == Verdict::NotMeasurable => Measuring::Done,
            Some(_) => Measuring::Goes,
        })
    }

    /// What the diversion of a prefix does, by its absorber's word; `None`: nothing is known of it.
    pub(in crate::routing) fn arrives(&self, now: Timestamp, prefix: &Prefix) -> Option<Judgement> {
        let leg = self.legs.values().find(|leg| leg.prefix() == *prefix)?;
        Some(leg.followed.as_ref()?.arrival.judge(now))
    }
}

/// Who told of packets to a prefix; how many by the exporter that saw most, by all together, and as sampled.
fn told(
    sight: &Sight,
    prefix: &Prefix,
    entries: &mut BTreeMap<String, u64>,
) -> (Vec<IpAddr>, (u64, u64, u64)) {
    let mut by: BTreeMap<IpAddr, u64> = BTreeMap::new();
    let mut sampled = 0;
    let is_there =
        |(seen, _): &&(Sighting, Amount)| prefix.covers(&seen.name) && !seen.egress && !seen.is_dropped();
    for (seen, amount) in sight.seen.iter().filter(is_there) {
        *by.entry(seen.exporter).or_default() += amount.packets;
        sampled += amount.sampled;
        for entry in sight.terms.entries(seen.exporter) {
            *entries.entry(entry.unwrap_or(NETWORK).to_owned()).or_default() += amount.packets;
        }
    }
    let told = (by.values().copied().max().unwrap_or(0), by.values().sum(), sampled);
    (by.into_keys().collect(), told)
}

/// The same share of each entry by which enough of it came: an absorber does not say where it comes from.
#[expect(clippy::cast_precision_loss, reason = "packets of some seconds are far below 2^53")]
fn shifts(entries: &BTreeMap<String, u64>, absorber: &str, share: f64) -> Vec<Shift> {
    let all: u64 = entries.values().sum();
    let counts = |(_, packets): &(&String, &u64)| **packets as f64 >= all as f64 * PART_MIN;
    let of =
        |(entry, _): (&String, &u64)| Shift { entry: entry.clone(), absorber: absorber.to_owned(), share };
    entries.iter().filter(counts).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_of_a_diversion_waits_until_it_is_measured_and_not_for_ever() {
        let patience = Span::from_secs(30);
        for (measuring, secs, waits) in [
            (Measuring::Begins, 0, true),
            (Measuring::Begins, 3, false),
            (Measuring::Goes, 3, true),
            (Measuring::Goes, 19, true),
            (Measuring::Goes, 20, false),
            (Measuring::Done, 0, false),
        ] {
            assert_eq!(measuring.waits(Span::from_secs(secs), patience), waits, "{measuring:?} {secs}");
        }
    }
}
