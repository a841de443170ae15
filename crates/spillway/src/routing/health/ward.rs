//! The measures whose outcome is followed, and those that have to go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Prefix, Timestamp};
use engine::report::{Direction, Severity, State};
use steer::book::What;
use steer::outcome::{Guard, Outcome};

use super::{CHECKUPS_MAX, Checkup, Measured};
use crate::routing::lookout::Sight;

/// Withdrawals that are told of; the oldest go first.
const WITHDRAWN_MAX: usize = 64;

/// How the service does since a measure, and why one says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::routing) struct Said {
    /// How it does.
    pub(in crate::routing) outcome: Outcome,
    /// Why.
    pub(in crate::routing) reason: String,
}

/// A measure that made it worse.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::routing) struct Harm {
    /// Its number in the book.
    pub(in crate::routing) id: u64,
    /// What it was.
    pub(in crate::routing) what: What,
    /// Which signal says so, with its figures.
    pub(in crate::routing) reason: String,
}

#[derive(Debug)]
struct Ward {
    checkup: Checkup,
    what: What,
    guard: Option<Guard>,
    said: Said,
}

/// All that are followed.
#[derive(Debug, Default)]
pub(in crate::routing) struct Wards {
    all: BTreeMap<u64, Ward>,
    withdrawn: VecDeque<(Timestamp, Harm)>,
    /// Measures for which there was no room.
    left_out: u64,
}

impl Wards {
    /// Follows what is in force: its number, when it began, and what it is.
    pub(in crate::routing) fn follow<'a>(
        &mut self,
        in_force: impl Iterator<Item = (u64, Timestamp, &'a What)>,
        sight: &Sight,
    ) -> Vec<Checkup> {
        let mut gone: BTreeSet<u64> = self.all.keys().copied().collect();
        for (id, began, what) in in_force {
            if gone.remove(&id) {
                continue;
            }
            let Some((targets, except)) = Checkup::about(what) else { continue };
            if self.all.len() >= CHECKUPS_MAX {
                self.left_out += 1;
                if self.left_out.is_power_of_two() {
                    tracing::warn!(
                        left_out = self.left_out,
                        "more than {CHECKUPS_MAX} measures at once: whether services live is not followed for the others"
                    );
                }
                continue;
            }
            let attacked = attacked(&targets, sight);
            let checkup = Checkup { id, targets, except, began, attacked, settle: sight.terms.settle() };
            let said = Said { outcome: Outcome::Unknown, reason: "too little time has passed".to_owned() };
            self.all.insert(id, Ward { checkup, what: what.clone(), guard: None, said });
        }
        self.all.retain(|id, _| !gone.contains(id));
        self.all.values().map(|ward| ward.checkup.clone()).collect()
    }

    /// Takes in what was seen, and says which have to go. Of several about the same service the newest go first, and the others
    /// are looked at anew. `stopped` says for whom an attack was seen not to come through.
    pub(in crate::routing) fn handle(
        &mut self,
        now: Timestamp,
        measured: &[Measured],
        stopped: impl Fn(&Prefix) -> bool,
    ) -> Vec<Harm> {
        let mut worse: Vec<(u64, String)> = measured
            .iter()
            .filter_map(|one| Some((one.id, self.all.get_mut(&one.id)?.handle(one, &stopped)?)))
            .collect();
        let began = |all: &BTreeMap<u64, Ward>, id: u64| all.get(&id).map(|ward| (ward.checkup.began, id));
        worse.sort_by_key(|(id, _)| std::cmp::Reverse(began(&self.all, *id)));
        let mut ended = Vec::new();
        for (id, reason) in worse {
            // One that goes already was newer.
            let Some(checkup) = self.all.get(&id).map(|ward| ward.checkup.clone()) else { continue };
            let is_newest = !ended.iter().any(|harm: &(Checkup, Harm)| harm.0.meets(&checkup));
            if !is_newest {
                continue;
            }
            // What was begun together acts together.
            let same = |other: &Checkup| {
                other.meets(&checkup)
                    && other.began.plus(checkup.settle) >= checkup.began
                    && other.began <= checkup.began.plus(checkup.settle)
            };
            let together: Vec<u64> =
                self.all.values().map(|ward| &ward.checkup).filter(|c| same(c)).map(|c| c.id).collect();
            for id in together {
                if let Some(ward) = self.all.remove(&id) {
                    ended.push((ward.checkup, Harm { id, what: ward.what, reason: reason.clone() }));
                }
            }
        }
        for ward in self.all.values_mut() {
            if ended.iter().any(|(checkup, _)| checkup.meets(&ward.checkup))
                && let Some(guard) = &mut ward.guard
            {
                guard.again(now);
            }
        }
        let ended: Vec<Harm> = ended.into_iter().map(|(_, harm)| harm).collect();
        self.withdrawn.extend(ended.iter().map(|harm| (now, harm.clone())));
        let beyond = self.withdrawn.len().saturating_sub(WITHDRAWN_MAX);
        self.withdrawn.drain(..beyond);
        ended
    }

    /// What is said of a measure.
    pub(in crate::routing) fn said(&self, id: u64) -> Option<&Said> {
        self.all.get(&id).map(|ward| &ward.said)
    }

    /// What is said of measures that concern these.
    pub(in crate::routing) fn about(&self, concerns: impl Fn(&Prefix) -> bool) -> Vec<(u64, &Said)> {
        let of = self.all.iter().filter(|(_, ward)| ward.checkup.targets.iter().any(&concerns));
        of.map(|(id, ward)| (*id, &ward.said)).collect()
    }

    /// What was withdrawn since a time, of what concerns these.
    pub(in crate::routing) fn withdrawn(
        &self,
        since: Timestamp,
        concerns: impl Fn(&Prefix) -> bool,
    ) -> Vec<(Timestamp, &Harm)> {
        let is = |harm: &Harm| {
            Checkup::about(&harm.what).is_some_and(|(targets, _)| targets.iter().any(&concerns))
        };
        self.withdrawn
            .iter()
            .filter(|(at, harm)| *at >= since && is(harm))
            .map(|(at, harm)| (*at, harm))
            .collect()
    }
}

impl Ward {
    fn handle(&mut self, measured: &Measured, stopped: impl Fn(&Prefix) -> bool) -> Option<String> {
        let began = self.checkup.began;
        let compared = measured.compared(began, self.checkup.targets.iter().any(stopped));
        let (before, settle) = (compared.before, self.checkup.settle);
        let guard = self.guard.get_or_insert_with(|| Guard::new(began, before, settle));
        let reason = guard.handle(measured.at, &compared.after, compared.against);
        if let Some(judged) = guard.last() {
            let note = compared.note.filter(|_| judged.outcome == Outcome::Unknown);
            let mut reason =
                note.map_or_else(|| judged.reason.clone(), |note| format!("{}: {note}", judged.reason));
            if let Some(why) = &measured.probed.last {
                reason.push_str(&format!("; the last probe failed: {why}"));
            }
            self.said = Said { outcome: judged.outcome, reason };
        }
        let failed = measured.probed.last.as_ref().filter(|_| measured.probed.after.1 > 0);
        reason.map(|reason| match failed {
            Some(why) => format!("{reason} (the last probe failed: {why})"),
            None => reason,
        })
    }
}

/// When the first of the attacks on these began.
fn attacked(targets: &[Prefix], sight: &Sight) -> Option<Timestamp> {
    let concerns =
        |prefix: &Prefix| targets.iter().any(|target| target.covers(prefix) || prefix.covers(target));
    let attacks = sight.attacks.iter().filter(|attack| {
        attack.state == State::Active
            && attack.direction == Direction::In
            && attack.severity == Severity::Attack
            && attack.targets.iter().any(concerns)
    });
    attacks.map(|attack| attack.started_at).min()
}
