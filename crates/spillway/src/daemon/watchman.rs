//! Looks a few times a second whether what protection stands on is well, and tells channels of what is not.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{Span, Timestamp};
use engine::Hearing;
use nix::sys::statvfs::statvfs;
use notify::Trouble;

use super::clock::Clock;
use super::source::Source;
use crate::config::Config;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(200);
/// Before that a fresh run may not know yet what is well.
const PATIENCE: Span = Span::from_secs(3);
/// A session or absorber that was never up since the start is in trouble after so long.
const NEVER_UP: Span = Span::from_secs(60);
/// A write to the store that failed is told for so long.
const WRITES: Span = Span::from_secs(30);

/// What was seen before.
#[derive(Debug)]
struct Watchman<'a> {
    config: &'a Config,
    source: &'a Source,
    began: Timestamp,
    /// When what is amiss was first seen so.
    since: BTreeMap<String, Timestamp>,
    neighbours: Neighbours,
    /// Failed writes, and when they were last more.
    writes: (u64, Option<Timestamp>),
}

/// Routers and absorbers that were up in this run.
#[derive(Debug, Default)]
struct Neighbours(BTreeMap<String, bool>);

impl Neighbours {
    /// Who is down and should not be: who was up before, and others once there was long enough time for them.
    fn look(
        &mut self,
        all: impl Iterator<Item = (&'static str, String, bool)>,
        was_long: bool,
    ) -> Vec<(&'static str, String, String)> {
        let mut out = Vec::new();
        for (what, name, up) in all {
            let was_up = self.0.entry(format!("{what} {name}")).or_insert(false);
            *was_up |= up;
            if up || !*was_up && !was_long {
                continue;
            }
            let text = match (what, *was_up) {
                ("absorber", true) => format!("absorber {name} is lost: it says nothing any more"),
                ("absorber", false) => format!("absorber {name} does not answer"),
                (_, true) => format!("the BGP session with {name} is down"),
                (_, false) => format!("the BGP session with {name} does not come up"),
            };
            out.push((what, name, text));
        }
        out
    }
}

/// Looks until the run ends.
pub(super) fn run(config: &Config, source: &Source, mut clock: Clock, stop: &AtomicBool) {
    let mut watchman = Watchman {
        config,
        source,
        began: clock.now(),
        since: BTreeMap::new(),
        neighbours: Neighbours::default(),
        writes: (source.effort.lock().unwrap_or_else(PoisonError::into_inner).errors, None),
    };
    while !stop.load(Ordering::Relaxed) {
        clock.follow();
        let now = clock.now();
        if now.since(watchman.began) >= PATIENCE {
            source.routes.post.troubles(watchman.look(now));
        }
        std::thread::sleep(EVERY);
    }
}

impl Watchman<'_> {
    /// All that is amiss, by id.
    fn look(&mut self, now: Timestamp) -> BTreeMap<String, Trouble> {
        let mut found: Vec<(&str, String, String)> = Vec::new();
        found.extend(self.exporters());
        found.extend(self.neighbours(now));
        if let Some(why) = self.source.routes.pen.trouble() {
            found.push(("ledger", String::new(), format!("the ledger cannot be written: {why}")));
        }
        let evidence = self.source.routes.witness.notes().into_iter();
        found.extend(evidence.map(|why| ("evidence", String::new(), why)));
        found.extend(self.disk());
        found.extend(self.writes(now));
        let mut out = BTreeMap::new();
        for (what, subject, text) in found {
            let id = if subject.is_empty() { what.to_owned() } else { format!("{what} {subject}") };
            let since = *self.since.entry(id.clone()).or_insert(now);
            let trouble = Trouble { id: id.clone(), what: what.to_owned(), subject, text, since };
            out.insert(id, trouble);
        }
        self.since.retain(|id, _| out.contains_key(id));
        out
    }

    fn exporters(&self) -> Vec<(&'static str, String, String)> {
        let heard = self.source.heard();
        let missing = heard.into_iter().filter_map(|(name, heard)| {
            let text = match heard.hearing {
                Hearing::Whole => return None,
                Hearing::Part => format!("exporter {name} is heard in part only since {}", heard.since),
                Hearing::Silent => format!("exporter {name} is silent since {}", heard.since),
            };
            Some(("exporter", name, text))
        });
        missing.collect()
    }

    fn neighbours(&mut self, now: Timestamp) -> Vec<(&'static str, String, String)> {
        let Some(numbers) = self.source.routes.door.numbers() else { return Vec::new() };
        let routers = numbers.routers.into_iter().map(|one| ("bgp_session", one.name, one.up));
        let absorbers = numbers.absorbers.into_iter().map(|one| ("absorber", one.name, one.up));
        let was_long = now.since(self.began) >= NEVER_UP;
        self.neighbours.look(routers.chain(absorbers), was_long)
    }

    fn disk(&self) -> Option<(&'static str, String, String)> {
        let folder = &self.config.state_dir;
        let told = statvfs(folder).ok()?;
        let free = told.blocks_available().saturating_mul(told.fragment_size());
        let wanted = self.config.history.free;
        let text = || {
            let (free, wanted) = (free >> 20, wanted >> 20);
            format!(
                "the disk of {} has {free} MiB left, less than `history.min_free` ({wanted} MiB): no flow samples are kept",
                folder.display()
            )
        };
        (free < wanted).then(|| ("disk", String::new(), text()))
    }

    fn writes(&mut self, now: Timestamp) -> Option<(&'static str, String, String)> {
        let errors = self.source.effort.lock().unwrap_or_else(PoisonError::into_inner).errors;
        if errors > self.writes.0 {
            self.writes = (errors, Some(now));
        }
        let last = self.writes.1.filter(|at| now.since(*at) < WRITES)?;
        Some((
            "store",
            String::new(),
            format!("attacks and state could not be written, last at {last}; it is tried again"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_up_is_missed_at_once_and_who_never_was_after_a_while() {
        let mut neighbours = Neighbours::default();
        let mut look = |edge: bool, scrub: bool, was_long: bool| {
            let all = [("bgp_session", "edge".to_owned(), edge), ("absorber", "scrub-1".to_owned(), scrub)];
            neighbours
                .look(all.into_iter(), was_long)
                .into_iter()
                .map(|(_, _, text)| text)
                .collect::<Vec<_>>()
        };
        assert!(look(false, false, false).is_empty(), "they have only begun");
        assert!(look(true, false, false).is_empty());
        assert_eq!(look(false, false, false), ["the BGP session with edge is down"]);
        assert_eq!(look(true, false, true), ["absorber scrub-1 does not answer"]);
        assert!(look(true, true, true).is_empty());
        assert_eq!(look(true, false, true), ["absorber scrub-1 is lost: it says nothing any more"]);
    }
}
