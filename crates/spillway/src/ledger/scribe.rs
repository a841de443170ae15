//! The daemon's thread that writes down what is decided. Nobody waits for it: a full queue or disk is counted and said, and what
//! could not be written is written as a gap once it can.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use anyhow::Context as _;
use api::metrics;
use base::{Prefix, Timestamp};
use serde_json::Value;

use super::place::Place;
use super::store::{Item, Store, Trouble};
use crate::daemon::clock::Clock;

/// Deeds that wait; beyond it they are counted in `spillway_ledger_lost_total`.
const WAITING_MAX: usize = 4_096;
/// Deeds of one append: with fsync of a few milliseconds the disk is not what limits.
const AT_ONCE_MAX: usize = 1_024;
/// A disk that refused is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Who may not go on before an entry stands waits so long.
const PATIENCE: Duration = Duration::from_secs(15);
/// At the latest after so long the thread looks up.
const TURN: Duration = Duration::from_millis(200);
/// While ending, so often.
const LAST_ATTEMPTS: u32 = 2;

/// Something that was decided.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// When.
    pub(crate) at: Timestamp,
    /// Of what kind.
    pub(crate) act: Act,
    /// Who.
    pub(crate) by: By,
    /// Whose it is, by this.
    pub(crate) about: Option<Prefix>,
    /// All of it.
    pub(crate) content: Value,
    /// What can be counted in it.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// How the writing goes.
#[derive(Clone, Debug, Default)]
struct Numbers {
    size: u64,
    head_at: Option<Timestamp>,
    lost: u64,
    errors: u64,
    verify_failures: u64,
    trouble: Option<String>,
}

/// What comes to the thread.
enum Told {
    /// Something to write, whose it is, and who waits until it stands there.
    Deed(Box<Deed>, Option<String>, Option<SyncSender<()>>),
    /// Look up.
    Wake,
}

/// What others hold of the scribe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pen(Option<Inside>);

#[derive(Clone, Debug)]
struct Inside {
    told: SyncSender<Told>,
    board: Arc<Mutex<Numbers>>,
    customers: Arc<Mutex<Customers>>,
    clock: Clock,
}

/// Names, and what is theirs.
type Customers = Vec<(String, Vec<Prefix>)>;

impl Pen {
    /// From now on these are the customers.
    pub(crate) fn know(&self, customers: &[(String, Vec<Prefix>)]) {
        if let Some(inside) = &self.0 {
            *inside.customers.lock().unwrap_or_else(PoisonError::into_inner) = customers.to_vec();
        }
    }

    /// Hands a deed over, and waits for nothing.
    pub(crate) fn write(&self, deed: Deed) {
        self.hand_over(deed, None);
    }

    /// Hands a deed over, and waits until it stands in the ledger: what must not happen before.
    ///
    /// # Errors
    /// There is no ledger, or it did not come to stand there in time; it may later.
    pub(crate) fn write_through(&self, deed: Deed) -> Result<(), String> {
        if self.0.is_none() {
            return Err("there is no ledger, and nothing is disclosed without its entry".to_owned());
        }
        let (tell, stands) = sync_channel(1);
        self.hand_over(deed, Some(tell));
        stands.recv_timeout(PATIENCE).map_err(|_| {
            let why = self.trouble().unwrap_or_else(|| "it takes too long".to_owned());
            format!("the ledger has no entry of it, so nothing is disclosed: {why}")
        })
    }

    fn hand_over(&self, deed: Deed, waits: Option<SyncSender<()>>) {
        let Some(Inside { told, board, customers, .. }) = &self.0 else { return };
        let customer = deed.about.and_then(|about| {
            let customers = customers.lock().unwrap_or_else(PoisonError::into_inner);
            let owner = customers.iter().find(|(_, own)| own.iter().any(|prefix| prefix.covers(&about)));
            owner.map(|(name, _)| name.clone())
        });
        if let Err(TrySendError::Full(_)) = told.try_send(Told::Deed(Box::new(deed), customer, waits)) {
            let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
            board.lost += 1;
            if board.lost.is_power_of_two() {
                tracing::error!(lost = board.lost, "decisions find no room on their way to the ledger");
            }
        }
    }

    /// Now, where somebody writes.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        Some(self.0.as_ref()?.clock.now())
    }

    /// Why nothing can be written now, in words; `None`: it can be, or there is no ledger.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.0.as_ref()?.board.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// How the writing goes; `None`: there is no ledger.
    pub(crate) fn numbers(&self) -> Option<metrics::Ledger> {
        let inside = self.0.as_ref()?;
        let board = inside.board.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inside.clock.now();
        Some(metrics::Ledger {
            size: board.size,
            head_age: board.head_at.map(|at| now.since(at).secs()),
            lost: board.lost,
            errors: board.errors,
            verify_failures: board.verify_failures,
            troubled: board.trouble.is_some(),
        })
    }
}

/// The thread. Dropped, it writes what waits and ends.
#[derive(Debug)]
pub(crate) struct Scribe {
    pen: Pen,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    /// Starts. A ledger that cannot be used is said and tried again: the daemon protects without it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(place: Place, clock: Clock) -> anyhow::Result<Self> {
        let (tell, told) = sync_channel(WAITING_MAX);
        let board = Arc::new(Mutex::new(Numbers::default()));
        let ends = Arc::new(AtomicBool::new(false));
        let desk = Desk {
            place,
            store: None,
            board: Arc::clone(&board),
            clock,
            told_lost: 0,
            ends: Arc::clone(&ends),
        };
        let run = move || desk.run(&told);
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(run);
        let thread = Some(thread.context("cannot start a thread")?);
        Ok(Self {
            pen: Pen(Some(Inside { told: tell, board, customers: Arc::default(), clock })),
            ends,
            thread,
        })
    }

    /// For those who have something to write.
    pub(crate) fn pen(&self) -> Pen {
        self.pen.clone()
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(Inside { told, .. }) = &self.pen.0 {
            // Where the queue is full the thread is awake.
            let _ = told.try_send(Told::Wake);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// With the name of the customer, and who waits.
type Owned = (Deed, Option<String>, Option<SyncSender<()>>);

struct Desk {
    place: Place,
    store: Option<Store>,
    board: Arc<Mutex<Numbers>>,
    clock: Clock,
    /// Lost deeds that stand in the ledger as gaps.
    told_lost: u64,
    ends: Arc<AtomicBool>,
}

impl Desk {
    fn run(mut self, told: &Receiver<Told>) {
        let mut waiting: VecDeque<Owned> = VecDeque::new();
        let mut last_attempts = 0;
        // looks at the ledger at once: that it was rolled back is said when the daemon starts
        let mut failed = self.write(&mut waiting).is_err().then(Instant::now);
        loop {
            // while the disk refuses, what comes stays in the queue, whose end is its bound
            if waiting.len() < AT_ONCE_MAX {
                if let Ok(Told::Deed(deed, customer, waits)) = told.recv_timeout(TURN) {
                    waiting.push_back((*deed, customer, waits));
                }
                fill(&mut waiting, told);
            } else if failed.is_some() {
                std::thread::sleep(TURN);
            }
            let ends = self.ends.load(Ordering::Relaxed);
            let due = failed.is_none_or(|at| ends || at.elapsed() >= AGAIN);
            if due && (failed.is_some() || !waiting.is_empty()) {
                failed = self.write(&mut waiting).is_err().then(Instant::now);
            }
            if ends {
                fill(&mut waiting, told);
                last_attempts += u32::from(failed.is_some());
                if waiting.is_empty() {
                    return;
                }
                if last_attempts >= LAST_ATTEMPTS {
                    tracing::error!(
                        lost = waiting.len(),
                        "decisions are not in the ledger, for it cannot be written"
                    );
                    return;
                }
            }
        }
    }

    /// Appends what waits; what could not be appended goes on waiting.
    fn write(&mut self, waiting: &mut VecDeque<Owned>) -> Result<(), ()> {
        match self.try_write(waiting) {
            Ok(size) => {
                let appended = !waiting.is_empty();
                for waits in waiting.drain(..).filter_map(|(.., waits)| waits) {
                    // Who waited for too long has been told so.
                    let _ = waits.try_send(());
                }
                let now = self.clock.now();
                self.note(|board| {
                    board.size = size;
                    board.head_at = if appended { Some(now) } else { board.head_at };
                    if board.trouble.take().is_some() {
                        tracing::info!(size, "the ledger is written again");
                    }
                });
                Ok(())
            }
            Err(trouble) => {
                // Whoever tells of it says that the ledger cannot be written.
                let why = match &trouble {
                    Trouble::File(cause) => cause.to_string(),
                    other => other.to_string(),
                };
                let untrue = trouble.is_of_content();
                self.store = None;
                self.note(|board| {
                    board.errors += 1;
                    board.verify_failures += u64::from(untrue);
                    if board.trouble.as_ref() != Some(&why) {
                        tracing::error!(
                            error = why,
                            "decisions wait for the ledger; nothing is disclosed meanwhile, protection goes on"
                        );
                        board.trouble = Some(why);
                    }
                });
                Err(())
            }
        }
    }

    fn try_write(&mut self, waiting: &VecDeque<Owned>) -> Result<u64, Trouble> {
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(&self.place)?),
        };
        let mut items = Vec::with_capacity(waiting.len() + 1);
        let lost = self.board.lock().unwrap_or_else(PoisonError::into_inner).lost;
        if lost > self.told_lost {
            items.push(item(store, &gap(self.clock.now(), lost - self.told_lost), None)?);
        }
        for (deed, customer, _) in waiting {
            items.push(item(store, deed, customer.as_deref())?);
        }
        store.append(&items)?;
        self.told_lost = lost;
        Ok(store.size())
    }

    fn note(&self, write: impl FnOnce(&mut Numbers)) {
        write(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Takes what is there already.
fn fill(waiting: &mut VecDeque<Owned>, told: &Receiver<Told>) {
    while waiting.len() < AT_ONCE_MAX
        && let Ok(told) = told.try_recv()
    {
        if let Told::Deed(deed, customer, waits) = told {
            waiting.push_back((*deed, customer, waits));
        }
    }
}

/// That so many decisions are missing.
fn gap(now: Timestamp, lost: u64) -> Deed {
    Deed {
        at: now,
        act: Act::Gap,
        by: By::Product,
        about: None,
        content: Value::Null,
        counts: BTreeMap::from([("decisions".to_owned(), lost)]),
    }
}

fn item(store: &mut Store, deed: &Deed, customer: Option<&str>) -> Result<Item, Trouble> {
    let salt = super::random().map_err(|cause| Trouble::Damaged(format!("no random numbers: {cause}")))?;
    let salt = Salt::new(salt);
    let content = deed.content.to_string();
    let customer = customer.map(|name| store.tag(name)).transpose()?;
    let decision = Decision {
        act: deed.act,
        by: deed.by,
        customer,
        commitment: salt.commit(content.as_bytes()),
        counts: deed.counts.clone(),
    };
    Ok(Item {
        entry: Entry::new(deed.at, What::Decision(decision)),
        salt,
        content: Some(content),
        record: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::View;

    #[test]
    fn what_finds_no_room_is_counted_and_stands_in_the_ledger_as_a_gap() {
        const ALL: u64 = (WAITING_MAX + AT_ONCE_MAX) as u64 + 900;
        let folder = std::env::temp_dir().join(format!("spillway-scribe-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place::new(&folder, None, None);
        // no ledger can be made here yet
        std::fs::write(place.root(), "in the way").unwrap();
        let scribe = Scribe::start(place.clone(), Clock::start()).unwrap();
        let pen = scribe.pen();
        for n in 0..ALL {
            pen.write(Deed {
                at: Timestamp::from_secs(1_790_000_000),
                act: Act::Mitigation,
                by: By::Product,
                about: None,
                content: Value::from(n),
                counts: BTreeMap::new(),
            });
        }
        let lost = pen.numbers().unwrap().lost;
        assert!(lost >= 900, "{lost}");
        std::fs::remove_file(place.root()).unwrap();
        drop(scribe);
        let view = View::at(&place).unwrap();
        let (mut written, mut gaps) = (0, 0);
        view.audit(|_, entry| {
            let entry: Value = serde_json::from_slice(entry).unwrap();
            match entry["what"]["decision"]["act"].as_str().unwrap() {
                "gap" => gaps += entry["what"]["decision"]["counts"]["decisions"].as_u64().unwrap(),
                _ => written += 1,
            }
        })
        .unwrap();
        assert_eq!((written + gaps, gaps), (ALL, lost));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
