//! The desk between the decision core and the enforcer: the core lays the newest wanted set there and goes on; a thread
//! of its own puts it in force, gives signs of life and writes down what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::metrics::Histogram;

use crate::enforce::choose::{Choice, Reason};
use crate::enforce::{Counted, Done, Enforcer, Wanted};
use crate::ledger::{InForce, Pen};
use crate::witness;

/// Between two signs of life, and two looks at what the kernel has.
const BEAT: Duration = Duration::from_secs(1);
/// The kernel is asked so often who has brought a cookie back, while an attack is followed.
const PROOFS: Duration = Duration::from_secs(5);
/// What could not be put in force is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// How things stand.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The enforcer.
    pub(super) backend: &'static str,
    /// What the kernel had at the last look.
    pub(super) actual: BTreeMap<String, Done>,
    /// Ids of those that only count.
    pub(super) dry: BTreeSet<String>,
    /// Rules that shall be in force.
    pub(super) wanted: usize,
    /// Why they are not.
    pub(super) error: Option<String>,
    /// Sets put in force, and attempts that failed.
    pub(super) applied: u64,
    /// See `applied`.
    pub(super) errors: u64,
    /// From the desk to the kernel.
    pub(super) apply: Histogram,
    /// Packets told as telemetry, and lost in the kernel.
    pub(super) told: (u64, u64),
    /// What rules have decided since the start, by what they do: packets and octets.
    pub(super) decided: BTreeMap<&'static str, (u64, u64)>,
    /// What was counted beside rules.
    pub(super) counted: Counted,
    /// Why rules are not wanted, by id.
    pub(super) spared: BTreeMap<String, Reason>,
    /// Grows when something changed that documents show.
    pub(super) revision: u64,
}

#[derive(Debug)]
struct Inner {
    /// Laid there at, and not taken yet.
    waiting: Option<(Instant, Wanted)>,
    standing: Arc<Standing>,
    closed: bool,
}

/// Where the wanted set lies.
#[derive(Debug)]
pub(super) struct Desk {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Desk {
    /// With the set to begin with.
    pub(super) fn new(backend: &'static str, choice: Choice) -> Self {
        let standing = Standing {
            backend,
            actual: BTreeMap::new(),
            dry: choice.wanted.dry.clone(),
            wanted: choice.wanted.rules.len(),
            error: None,
            applied: 0,
            errors: 0,
            apply: Histogram::new(&[0.001, 0.005, 0.02, 0.1, 0.5, 2.0]),
            told: (0, 0),
            decided: BTreeMap::new(),
            counted: Counted::default(),
            spared: choice.spared,
            revision: 0,
        };
        let waiting = Some((Instant::now(), choice.wanted));
        let inner = Inner { waiting, standing: Arc::new(standing), closed: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// This shall be in force from now on; whatever lay there and was not taken yet is forgotten.
    pub(super) fn want(&self, choice: Choice) {
        let mut inner = self.lock();
        let standing = Arc::make_mut(&mut inner.standing);
        // a rule that begins to act, or to count only, is shown so
        standing.revision += u64::from(standing.dry != choice.wanted.dry);
        standing.wanted = choice.wanted.rules.len();
        standing.dry.clone_from(&choice.wanted.dry);
        if standing.spared != choice.spared {
            standing.spared = choice.spared;
            standing.revision += 1;
        }
        inner.waiting = Some((Instant::now(), choice.wanted));
        self.changed.notify_all();
    }

    /// Nothing more will be wanted; what is in force stays until its leases end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// How things stand.
    pub(super) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.lock().standing)
    }

    /// Whether documents would show something else than at this revision.
    pub(super) fn revision(&self) -> u64 {
        self.lock().standing.revision
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do: a set to put in force, or the time for a sign of life. `None` at the end.
    fn next(&self) -> Option<Option<(Instant, Wanted)>> {
        let deadline = Instant::now() + BEAT;
        let mut inner = self.lock();
        loop {
            if let Some(job) = inner.waiting.take() {
                return Some(Some(job));
            }
            if inner.closed {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(None);
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn note(&self, write: impl FnOnce(&mut Standing)) {
        write(Arc::make_mut(&mut self.lock().standing));
    }
}

/// Closes the desk however its user ends.
pub(super) struct CloseAtEnd(pub(super) Arc<Desk>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Puts in force what lies on the desk, until it is closed.
pub(super) fn run(
    desk: &Desk,
    mut enforcer: Box<dyn Enforcer>,
    (pen, in_force): (&Pen, &InForce),
    witness: &witness::Door,
) {
    let mut last = Wanted::default();
    let mut failed: Option<Instant> = None;
    let mut asked: Option<Instant> = None;
    while let Some(job) = desk.next() {
        let alive = enforcer.beat();
        if alive.is_err() && failed.is_none() {
            failed = Some(Instant::now());
        }
        let again = failed.is_some_and(|at| at.elapsed() >= AGAIN);
        let (since, due) = match job {
            Some((since, wanted)) => {
                last = wanted;
                (since, true)
            }
            None => (Instant::now(), again),
        };
        let applied = due.then(|| enforcer.apply(&last));
        if let Some(applied) = &applied {
            failed = applied.is_err().then(Instant::now);
        }
        let actual = enforcer.actual();
        if let Ok(actual) = &actual {
            in_force.look(pen, enforcer.name(), &actual.keys().cloned().collect(), &last);
        }
        if witness.follows() && asked.is_none_or(|at| at.elapsed() >= PROOFS) {
            asked = Some(Instant::now());
            match enforcer.proven() {
                Ok(sources) => witness.prove(sources),
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), "who has proven himself is not known")
                }
            }
        }
        let trouble = [
            alive.err(),
            applied.as_ref().and_then(|applied| applied.as_ref().err()).map(|e| anyhow::anyhow!("{e:#}")),
            actual.as_ref().err().map(|e| anyhow::anyhow!("{e:#}")),
        ];
        let trouble = trouble.into_iter().flatten().next().map(|error| format!("{error:#}"));
        desk.note(|standing| {
            match &applied {
                Some(Ok(())) => {
                    standing.applied += 1;
                    standing.apply.observe(since.elapsed().as_secs_f64());
                }
                Some(Err(_)) => standing.errors += 1,
                None => {}
            }
            let error = match (&trouble, due) {
                (Some(trouble), _) => Some(trouble.clone()),
                // What went wrong stays said until something went well.
                (None, false) => standing.error.clone(),
                (None, true) => None,
            };
            if error != standing.error {
                match &error {
                    Some(error) => {
                        tracing::error!(backend = standing.backend, error, "filters are not as wanted")
                    }
                    None => tracing::info!(backend = standing.backend, "filters are as wanted again"),
                }
                standing.error = error;
                standing.revision += 1;
            }
            if let Ok(actual) = actual {
                // what rules did is shown, too: of one that a person made nothing else gives news
                standing.revision += u64::from(actual != standing.actual);
                for (id, done) in &actual {
                    let before = standing.actual.get(id).copied().unwrap_or_default();
                    // Counters begin anew with the rules that they belong to.
                    let since = |now: u64, then: u64| if now >= then { now - then } else { now };
                    let sum = standing.decided.entry(kind(&last, id)).or_default();
                    sum.0 = sum.0.saturating_add(since(done.packets, before.packets));
                    sum.1 = sum.1.saturating_add(since(done.bytes, before.bytes));
                }
                standing.actual = actual;
            }
            standing.told = enforcer.told();
            standing.counted = enforcer.counted();
        });
    }
}

/// What a rule does: one of a handful of words. Rules of the operator's file are not told apart.
fn kind(wanted: &Wanted, id: &str) -> &'static str {
    if wanted.dry.contains(id) {
        return "dry-run";
    }
    let mut all = wanted.rules.iter().chain(&wanted.instead);
    all.find(|rule| rule.id == id).map_or("file", |rule| rule.action.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Book {
        sets: Vec<Vec<String>>,
        beats: u32,
    }

    /// Writes down what it is told; refuses the first set.
    struct Clerk(Arc<Mutex<Book>>, u32);

    impl Enforcer for Clerk {
        fn name(&self) -> &'static str {
            "clerk"
        }

        fn apply(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
            std::thread::sleep(Duration::from_millis(50));
            self.1 += 1;
            anyhow::ensure!(self.1 > 1, "not yet");
            let ids = wanted.rules.iter().map(|rule| rule.id.clone()).collect();
            self.0.lock().unwrap().sets.push(ids);
            Ok(())
        }

        fn actual(&mut self) -> anyhow::Result<BTreeMap<String, Done>> {
            let last = self.0.lock().unwrap().sets.last().cloned().unwrap_or_default();
            Ok(last.into_iter().map(|id| (id, Done::default())).collect())
        }

        fn beat(&mut self) -> anyhow::Result<()> {
            self.0.lock().unwrap().beats += 1;
            Ok(())
        }
    }

    fn choice(id: &str) -> Choice {
        let rules = ::rules::parse::rules(&format!("{id} proto udp -> drop\n")).unwrap();
        Choice { wanted: Wanted { rules, ..Wanted::default() }, ..Choice::default() }
    }

    #[test]
    fn the_newest_set_is_put_in_force_and_nobody_waits_for_it() {
        let desk = Arc::new(Desk::new("clerk", Choice::default()));
        let book = Arc::new(Mutex::new(Book::default()));
        let (pen, in_force) = (Pen::default(), InForce::default());
        std::thread::scope(|scope| {
            let _close = CloseAtEnd(Arc::clone(&desk));
            let clerk = Box::new(Clerk(Arc::clone(&book), 0));
            let thread = scope.spawn(|| run(&desk, clerk, (&pen, &in_force), &witness::Door::default()));
            while desk.standing().errors == 0 {
                std::thread::yield_now();
            }
            assert_eq!(desk.standing().error.as_deref(), Some("not yet"));
            for n in 0..1000 {
                desk.want(choice(&format!("r{n}")));
            }
            while !desk.standing().actual.contains_key("r999") {
                std::thread::yield_now();
            }
            let standing = desk.standing();
            assert_eq!((standing.error.as_ref(), standing.wanted), (None, 1));
            assert!(standing.applied < 100, "{} sets, though only the last counts", standing.applied);
            desk.close();
            thread.join().unwrap();
        });
        let book = book.lock().unwrap();
        assert_eq!(book.sets.last().unwrap(), &["r999"]);
        assert!(book.beats > 0);
    }
}
