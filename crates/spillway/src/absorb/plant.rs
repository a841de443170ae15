//! What an absorber holds, and the kernel that does it: one lock around both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use base::{Prefix, Span, Timestamp};
use steer::absorb::Site;
use steer::absorb::word::{Ask, Back, Kind, Report, Tell};

use super::filter::{Filter, Sum};
use super::way::{self, Way};
use super::{filter, kept};
use crate::daemon::clock::Clock;

/// What came is measured this often.
const MEASURE: Duration = Duration::from_secs(1);

/// The absorber.
pub(super) struct Plant {
    site: Site,
    kind: Kind,
    ways: Vec<Way>,
    filter: Box<dyn Filter>,
    clock: Clock,
    /// What the kernel shall have has changed, and it was not told yet.
    behind: bool,
    measured: Instant,
    sums: BTreeMap<Prefix, Sum>,
    /// What each had when its counters began anew with another set.
    carried: BTreeMap<Prefix, Sum>,
    done: BTreeMap<String, (u64, u64)>,
    /// Prefixes of which more than a little did not go back, as it was logged.
    troubled: BTreeSet<Prefix>,
    /// What brains are to hear, beside answers.
    told: BTreeMap<String, Vec<Tell>>,
    /// The newest connection of each brain: an older one ends.
    newest: BTreeMap<String, u64>,
    /// Where it is kept what is held.
    kept: Option<kept::Kept>,
}

impl Plant {
    pub(super) fn new(site: Site, kind: Kind, ways: Vec<Way>, filter: Box<dyn Filter>) -> Self {
        Self {
            site,
            kind,
            ways,
            filter,
            clock: Clock::start(),
            behind: false,
            measured: Instant::now(),
            sums: BTreeMap::new(),
            carried: BTreeMap::new(),
            done: BTreeMap::new(),
            troubled: BTreeSet::new(),
            told: BTreeMap::new(),
            newest: BTreeMap::new(),
            kept: None,
        }
    }

    /// Goes on with what an earlier run held for those who may still ask, before anybody does.
    pub(super) fn resume(&mut self, folder: &Path, knows: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let (kept, before) = kept::Kept::open(folder)?;
        self.kept = Some(kept);
        let now = self.clock.now();
        self.site.resume(now, before, knows);
        let held = self.site.prefixes().count();
        if held > 0 {
            tracing::info!(prefixes = held, "held from before");
        }
        self.follow(now);
        Ok(())
    }

    /// A brain has a new connection of this number.
    pub(super) fn joins(&mut self, owner: &str, number: u64) {
        self.newest.insert(owner.to_owned(), number);
        self.told.remove(owner);
    }

    /// Whether a connection is the newest of its brain.
    pub(super) fn is_newest(&self, owner: &str, number: u64) -> bool {
        self.newest.get(owner) == Some(&number)
    }

    /// A brain asks.
    pub(super) fn ask(&mut self, owner: &str, ask: Ask) -> Option<Tell> {
        let now = self.clock.now();
        let said = format!("{ask:?}");
        let rules = if let Ask::Take { rules, .. } = &ask { rules.len() } else { 0 };
        let mut told = self.site.handle(now, owner, ask);
        if self.site.is_pending() {
            let done = self.apply(now).map_err(|error| format!("{error:#}"));
            if done.is_ok() {
                self.behind = false;
            }
            told = self.site.settle(done);
        }
        self.follow(now);
        self.keep();
        match &told {
            Some(Tell::Taken { prefix, .. }) => tracing::info!(brain = owner, %prefix, rules, "taken"),
            Some(Tell::Refused { prefix, text, .. }) => {
                tracing::warn!(brain = owner, %prefix, reason = text, "refused");
            }
            _ => tracing::debug!(brain = owner, said, "asked"),
        }
        told
    }

    /// Does what is due by the clock.
    pub(super) fn turn(&mut self) {
        self.clock.follow();
        let now = self.clock.now();
        for (owner, tell) in self.site.handle_timeout(now) {
            if let Tell::Ended { prefix } = &tell {
                tracing::warn!(brain = owner, %prefix, "its lease ended: nobody renewed it");
            }
            if self.newest.contains_key(&owner) {
                self.told.entry(owner).or_default().push(tell);
            }
        }
        self.follow(now);
        self.keep();
        if let Err(error) = self.filter.beat() {
            tracing::warn!(reason = format!("{error:#}"), "the kernel's filter does not hear us");
            self.behind = true;
        }
        if self.measured.elapsed() >= MEASURE {
            self.measure();
        }
    }

    /// What a brain is to hear beside answers.
    pub(super) fn told(&mut self, owner: &str) -> Vec<Tell> {
        self.told.remove(owner).unwrap_or_default()
    }

    /// How it is, for a brain.
    pub(super) fn report(&self, owner: &str) -> Report {
        self.site.report(owner, |id| self.done.get(id).copied())
    }

    /// Tells the kernel what changed; what fails is tried again at the next turn.
    fn follow(&mut self, now: Timestamp) {
        if !self.site.changed() && !self.behind {
            return;
        }
        self.behind = match self.apply(now) {
            Ok(()) => false,
            Err(error) => {
                tracing::error!(reason = format!("{error:#}"), "the kernel does not take what is held");
                true
            }
        };
    }

    fn keep(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.write(self.site.keepsakes());
        }
    }

    fn apply(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let held: Vec<filter::Kept> = self.site.prefixes().map(|prefix| self.kept(prefix, now)).collect();
        let prefixes: Vec<Prefix> = held.iter().map(|kept| kept.prefix).collect();
        let before = self.filter.counts(&prefixes);
        self.filter.apply(&held, &self.site.rules(now))?;
        if let (Ok((_, before)), Ok((_, after))) = (before, self.filter.counts(&prefixes)) {
            self.carried.retain(|prefix, _| prefixes.contains(prefix));
            for (prefix, was) in before {
                if after.get(&prefix).is_some_and(|is| is.received.1 < was.received.1) {
                    let carried = self.carried.entry(prefix).or_default();
                    *carried = carried.plus(was);
                }
            }
        }
        Ok(())
    }

    fn kept(&self, prefix: Prefix, now: Timestamp) -> filter::Kept {
        let lease = self.site.until(&prefix).map_or(Span::ZERO, |until| until.since(now));
        let covering = self.ways.iter().filter(|way| way.prefix.covers(&prefix));
        let way = covering.max_by_key(|way| way.prefix.bits()).cloned();
        let none = || Way { prefix, back: Back::None, local: None, remote: None, mtu: None };
        filter::Kept { prefix, lease, way: way.unwrap_or_else(none) }
    }

    fn measure(&mut self) {
        let held: Vec<Prefix> = self.site.prefixes().collect();
        let (done, mut sums) = match self.filter.counts(&held) {
            Ok(counts) => counts,
            Err(error) => {
                tracing::warn!(reason = format!("{error:#}"), "the kernel does not say what came");
                return;
            }
        };
        for (prefix, sum) in &mut sums {
            *sum = sum.plus(self.carried.get(prefix).copied().unwrap_or_default());
        }
        let millis = u64::try_from(self.measured.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.measured = Instant::now();
        let (before, ways, kind) = (&self.sums, &self.ways, self.kind);
        self.site.measured(|prefix| {
            let (old, new) = (before.get(prefix)?, sums.get(prefix)?);
            let goes_back = kind == Kind::Scrub
                && ways.iter().any(|way| way.prefix.covers(prefix) && way.back != Back::None);
            Some(way::traffic(old, new, millis, goes_back))
        });
        (self.sums, self.done) = (sums, done);
        self.complain();
    }

    /// Says it once when more than a little does not go back, and once when all does again.
    fn complain(&mut self) {
        let mut troubled = BTreeSet::new();
        for (prefix, traffic) in self.site.traffic() {
            let Some(reason) = traffic.trouble() else { continue };
            if !self.troubled.contains(&prefix) {
                tracing::warn!(%prefix, reason, "what is clean does not all go back");
            }
            troubled.insert(prefix);
        }
        for prefix in self.troubled.difference(&troubled) {
            tracing::info!(%prefix, "what is clean goes back again");
        }
        self.troubled = troubled;
    }
}
