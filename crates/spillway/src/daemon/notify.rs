//! Telling a program of attacks, and, in compat mode, having it act: whom to call, when, and what is still to be undone.
//!
//! Each call is written down before it is made and crossed out after it was undone, so that a daemon that was killed undoes
//! at its next start what no attack needs any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::ledger::entry::{Act, By};
use base::{Prefix, Span, Timestamp};
use engine::Mode;
use engine::report::{Attack, Direction, Severity, State};
use serde_json::json;
use store::{Ban, Writer};

use super::documents::text;
use super::exec::{Job, Pool};
use crate::config::{Compat, Config};
use crate::ledger::{Deed, Pen};
use crate::policy::Desk;
use crate::policy::view::least;

/// Leases are looked at this often.
const LOOK_EVERY: Span = Span::from_secs(1);

/// Results of notifications, by (channel, result).
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<(String, String), u64>>);

impl Told {
    pub(super) fn count(&self, result: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(("exec".to_owned(), result.to_owned())).or_insert(0) += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<(String, String), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What may be called and how.
#[derive(Clone, Debug)]
struct Manner {
    compat: Option<Compat>,
    prefixes: bool,
    never: Vec<Prefix>,
    bans_max: usize,
    lease: Span,
}

/// Decides on calls; the [`Pool`] makes them.
pub(super) struct Notifier {
    manner: Manner,
    pool: Option<Pool>,
    told: Arc<Told>,
    /// Calls that are still to be undone, by attack.
    open: BTreeMap<String, Ban>,
    /// Attacks that were refused, so that the log says it once.
    refused: BTreeMap<String, &'static str>,
    looked: Timestamp,
    /// Bans are decisions.
    pen: Pen,
    /// How far to go for whom: no further than for all.
    policy: Desk,
}

impl Notifier {
    /// Takes up what an earlier process left open: what belongs to one of `active` goes on, the rest is undone now.
    pub(super) fn start(
        config: &Config,
        writer: &Arc<Mutex<Writer>>,
        told: Arc<Told>,
        active: &[Attack],
        now: Timestamp,
        (pen, policy): (Pen, Desk),
    ) -> anyhow::Result<Self> {
        let manner = Manner {
            compat: config.compat,
            prefixes: config.compat_prefixes,
            never: config.rules.never.clone(),
            bans_max: config.notify.as_ref().map_or(0, |exec| exec.bans_max),
            lease: config.rules.lease,
        };
        let pool = config
            .notify
            .as_ref()
            .map(|exec| Pool::start(exec, Arc::clone(writer), Arc::clone(&told)))
            .transpose()?;
        let left = writer.lock().unwrap_or_else(PoisonError::into_inner).bans()?;
        let mut notifier = Self {
            manner,
            pool,
            told,
            open: BTreeMap::new(),
            refused: BTreeMap::new(),
            looked: Timestamp::ZERO,
            pen,
            policy,
        };
        for ban in left {
            let goes_on = active.iter().any(|attack| attack.id == ban.attack) && notifier.kind_fits(&ban);
            let (id, until) = (ban.attack.clone(), now.plus(notifier.manner.lease));
            notifier.open.insert(id.clone(), Ban { until, ..ban });
            if !goes_on {
                notifier.undo(&id, None, now);
            }
        }
        Ok(notifier)
    }

    /// Whether its calls make somebody act, and do not only tell.
    pub(super) const fn acts(&self) -> bool {
        self.manner.compat.is_some()
    }

    /// Hears of an attack's new state.
    pub(super) fn tell(&mut self, attack: &Attack, now: Timestamp) {
        if self.pool.is_none() || attack.severity != Severity::Attack {
            return;
        }
        if attack.state == State::Over {
            self.refused.remove(&attack.id);
            return self.undo(&attack.id, Some(attack), now);
        }
        if let Some(ban) = self.open.get_mut(&attack.id) {
            ban.until = now.plus(self.manner.lease);
            return;
        }
        match self.judge(attack) {
            Ok(target) => self.call(attack, target, now),
            Err(reason) => {
                if self.refused.insert(attack.id.clone(), reason).is_none() && !reason.is_empty() {
                    self.told.count("refused");
                    tracing::warn!(attack_id = attack.id, target = %attack.target, reason, "no call");
                }
            }
        }
    }

    /// Time passes: leases end, and so does what the mode allows no more.
    pub(super) fn look(&mut self, now: Timestamp) {
        if now.since(self.looked) < LOOK_EVERY || self.manner.compat.is_none() {
            return;
        }
        self.looked = now;
        let ended: Vec<String> = self
            .open
            .iter()
            .filter(|(_, ban)| ban.until <= now || (acts(ban) && !self.may_stand(ban)))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ended {
            self.undo(&id, None, now);
        }
    }

    /// An attack goes on, whatever it did last: its lease is renewed.
    pub(super) fn renew(&mut self, active: impl Iterator<Item = impl AsRef<str>>, now: Timestamp) {
        for id in active {
            if let Some(ban) = self.open.get_mut(id.as_ref()) {
                ban.until = now.plus(self.manner.lease);
            }
        }
    }

    /// The daemon ends: nobody would keep the leases, so what acts is undone. Plain notifications stay open.
    pub(super) fn finish(mut self, now: Timestamp) {
        if self.manner.compat.is_some() {
            let all: Vec<String> = self.open.keys().cloned().collect();
            for id in all {
                self.undo(&id, None, now);
            }
        }
        if let Some(pool) = self.pool.take() {
            pool.finish();
        }
    }

    /// The target to name, or why there is no call; an empty reason is nothing to speak of.
    fn judge(&self, attack: &Attack) -> Result<String, &'static str> {
        let target = attack.target;
        if self.manner.compat.is_none() {
            return Ok(target.to_string());
        }
        if !self.enforces(&target) {
            return Err("");
        }
        if attack.doubtful {
            return Err("it was told by exporters whose numbers are doubtful");
        }
        if !target.is_host() && !self.manner.prefixes {
            return Err("");
        }
        if self.manner.never.iter().any(|never| never.covers(&target) || target.covers(never)) {
            return Err("the target is on the never-list (`rules.never`)");
        }
        if self.open.len() >= self.manner.bans_max {
            return Err("as many bans as `notify.exec.bans_max` allows are in force");
        }
        Ok(if target.is_host() { target.addr().to_string() } else { target.to_string() })
    }

    fn call(&mut self, attack: &Attack, target: String, now: Timestamp) {
        let (direction, verb) = match (self.manner.compat, attack.direction) {
            (None, direction) => (direction.name(), "attack"),
            (Some(Compat::Fastnetmon), Direction::In) => ("incoming", "ban"),
            (Some(Compat::Fastnetmon), Direction::Out) => ("outgoing", "ban"),
        };
        let ban = Ban {
            target,
            direction: direction.to_owned(),
            attack: attack.id.clone(),
            since: now,
            until: now.plus(self.manner.lease),
            document: text(attack),
        };
        let job = Job::make(&ban, attack.peak_pps, verb);
        if self.pool.as_ref().is_some_and(|pool| pool.give(job)) {
            self.write_down(&ban, Act::Mitigation, now);
            self.open.insert(attack.id.clone(), ban);
        } else {
            // Tried again with the attack's next state.
            self.told.count("queue_full");
        }
    }

    fn undo(&mut self, id: &str, attack: Option<&Attack>, now: Timestamp) {
        let Some(ban) = self.open.get(id) else { return };
        let last = attack.cloned().or_else(|| {
            let mut last: Attack = serde_json::from_str(&ban.document).ok()?;
            last.explain.push(format!("told as ended at {now}: nothing in force needs it any more"));
            Some(last)
        });
        let pps = last.as_ref().map_or(0, |attack| attack.peak_pps);
        let verb = if acts(ban) { "unban" } else { "over" };
        let document = last.as_ref().map_or_else(|| ban.document.clone(), text);
        let job = Job::undo(&Ban { document, ..ban.clone() }, pps, verb);
        if self.pool.as_ref().is_some_and(|pool| pool.give(job)) {
            if let Some(ban) = self.open.remove(id) {
                self.write_down(&ban, Act::MitigationEnd, now);
            }
        } else {
            self.told.count("queue_full");
        }
    }

    /// A call that makes somebody act is a decision, and so is the one that undoes it.
    fn write_down(&self, ban: &Ban, act: Act, now: Timestamp) {
        if acts(ban) {
            let about = ban.target.parse().ok();
            let content = json!({"ban": ban.target, "direction": ban.direction, "attack": ban.attack});
            self.pen.write(Deed { at: now, act, by: By::Product, about, content, counts: BTreeMap::new() });
        }
    }

    /// Whether what a call made somebody do may go on, by how far to go for its target now.
    fn may_stand(&self, ban: &Ban) -> bool {
        let target: Option<Prefix> = ban.target.parse().ok();
        target.is_some_and(|target| self.enforces(&target))
    }

    /// Whether somebody may be made to act for a target: no further than for all.
    fn enforces(&self, target: &Prefix) -> bool {
        let view = self.policy.now();
        least(view.general().value, view.mode(target)) == Mode::Enforce
    }

    /// Whether an open call is of the kind that would be made today.
    fn kind_fits(&self, ban: &Ban) -> bool {
        acts(ban) == self.manner.compat.is_some() && (!acts(ban) || self.may_stand(ban))
    }
}

/// Whether this call made somebody act (compat mode), as its words show.
pub(super) fn acts(ban: &Ban) -> bool {
    matches!(ban.direction.as_str(), "incoming" | "outgoing")
}
