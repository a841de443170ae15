//! From one plan to the next while an attack goes on: at once where the plan in force no longer holds, slowly where it
//! still does, and never so often that routers flap.

use std::collections::{BTreeSet, VecDeque};

use base::{Prefix, Span, Timestamp};

use super::document::{Document, Refusal};
use super::standing::standing;
use super::{Effort, Mode, Plan, plan};

/// How soon plans change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// A plan that still holds is replaced by one that keeps more than this share more.
    pub gain: f64,
    /// Changes within a minute at most, where the plan in force still holds; what it no longer held for was nobody's choice, and
    /// counts for nothing. More than that at once is made where nothing was changed for a minute; 0: never.
    pub per_minute: usize,
    /// So long a plan with fewer measures has to be as good before measures are taken back.
    pub calm: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self { gain: 0.05, per_minute: 20, calm: Span::from_secs(120) }
    }
}

/// What became of a new plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is in force: there was none, or the one in force no longer held.
    Forced,
    /// It is in force: it keeps more.
    Better,
    /// It is in force: it does with fewer measures, and has for long enough.
    Eased,
    /// The one in force stays.
    Stays,
    /// The one in force stays, for there were too many changes within the last minute.
    Waits,
}

/// The plan in force.
#[derive(Clone, Debug)]
pub struct Planner {
    settings: Settings,
    current: Option<Plan>,
    /// Since when a plan with fewer measures is as good.
    calm_since: Option<Timestamp>,
    /// When how many changes were chosen, within the last minute; as many entries as switches fit into one.
    changes: VecDeque<(Timestamp, usize)>,
}

impl Planner {
    /// Without a plan.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, current: None, calm_since: None, changes: VecDeque::new() }
    }

    /// The plan in force.
    pub const fn current(&self) -> Option<&Plan> {
        self.current.as_ref()
    }

    /// Plans for what is seen now, and switches if it has to or may.
    pub fn handle(
        &mut self,
        now: Timestamp,
        document: &Document,
        mode: Mode,
        effort: Effort,
    ) -> Result<Switch, Refusal> {
        let new = plan(document, mode, effort)?;
        let lately = self.made_lately(now);
        let Some(current) = &self.current else { return Ok(self.switch(now, new, Switch::Forced)) };
        let Some(stands) = standing(document, current) else {
            return Ok(self.switch(now, new, Switch::Forced));
        };
        let (more_kept, as_many) =
            (new.kept.len() > current.kept.len(), new.kept.len() == current.kept.len());
        let better = match mode {
            Mode::ProtectMostValuable => new.value_kept > stands * (1.0 + self.settings.gain),
            Mode::ShareThePain => {
                more_kept || (as_many && new.value_kept > stands * (1.0 + self.settings.gain))
            }
        };
        let eases = measures(&new).is_subset(&measures(current)) && new != *current;
        let eases = eases && new.value_kept >= stands && (more_kept || as_many);
        let most = self.settings.per_minute;
        let room = most > 0 && (lately == 0 || lately + distance(current, &new) <= most);
        if better {
            return Ok(if room { self.switch(now, new, Switch::Better) } else { Switch::Waits });
        }
        if !eases {
            self.calm_since = None;
            return Ok(Switch::Stays);
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.since(since) < self.settings.calm {
            return Ok(Switch::Stays);
        }
        Ok(if room { self.switch(now, new, Switch::Eased) } else { Switch::Waits })
    }

    fn switch(&mut self, now: Timestamp, new: Plan, how: Switch) -> Switch {
        let changes = self.current.as_ref().map_or(0, |old| distance(old, &new));
        match self.changes.back_mut() {
            _ if how == Switch::Forced => {}
            // One entry for each instant: more switches than ticks do not grow it.
            Some((at, made)) if *at == now => *made += changes,
            _ => self.changes.push_back((now, changes)),
        }
        self.current = Some(new);
        self.calm_since = None;
        how
    }

    /// Changes chosen within the last minute.
    fn made_lately(&mut self, now: Timestamp) -> usize {
        let minute_ago = now.minus(Span::from_secs(60));
        while self.changes.front().is_some_and(|(at, _)| *at <= minute_ago) {
            self.changes.pop_front();
        }
        self.changes.iter().map(|(_, made)| made).sum()
    }
}

/// What is done for a plan: a diversion, a rule, a sacrifice.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Measure<'a> {
    Divert(Prefix, &'a str, &'a str),
    Filter(Prefix, &'a str, &'a str),
    Sacrifice(Prefix),
}

fn measures(plan: &Plan) -> BTreeSet<Measure<'_>> {
    let diverted = plan.diverted.iter().map(|one| Measure::Divert(one.target, &one.entry, &one.absorber));
    let rules = plan.rules.iter().map(|one| Measure::Filter(one.target, &one.entry, &one.id));
    let sacrificed = plan.sacrificed.iter().map(|one| Measure::Sacrifice(one.target));
    diverted.chain(rules).chain(sacrificed).collect()
}

/// Measures that begin or end between two plans.
fn distance(old: &Plan, new: &Plan) -> usize {
    measures(old).symmetric_difference(&measures(new)).count()
}
