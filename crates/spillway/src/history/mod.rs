//! Flow samples on their way to the disk, off the way of detection.
//!
//! ```text
//! worker ─ quill ─┐ bounded, full ones are counted
//! worker ─ quill ─┴─ historian (thins, names attack, customer, place) ─ recorder ─ segments ─ keeper (merges, deletes)
//!                        └ minutes in memory ─ keeper ─ sums by minute and hour
//! ```
//! Nobody waits for it: a full queue, a folder that cannot be used and a full disk cost samples, which are counted, and nothing else.

mod at_rest;
pub(crate) mod door;
mod draft;
mod historian;
mod keeper;
pub(crate) mod order;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ::history::rollup::Shelf;
use ::history::{Counts, Direction, Recent, Usage};
use anyhow::Context as _;
use api::metrics;
use base::prefix::PrefixTable;
use engine::report::{Attack, State};
use telemetry::Record;

use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::privacy::AtRest;
use historian::Desk;

/// Records that a quill hands over at once.
const AT_ONCE: usize = 512;
/// Such hands that wait; some 10 MB. Beyond it records are counted in `spillway_history_samples_total{result="queue_full"}`.
const WAITING_MAX: usize = 64;

/// Where segments lie.
pub(crate) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join(crate::privacy::SAMPLES)
}

/// Where sums by minute and hour lie.
pub(crate) fn sums(state_dir: &Path) -> PathBuf {
    state_dir.join(::history::rollup::SCHEMA.0)
}

/// A record and who told it.
type Told = (Record, IpAddr);

/// How it goes, for whoever asks.
#[derive(Debug, Default)]
struct Board {
    /// Records that found no room on their way.
    queue_full: AtomicU64,
    /// Records between hosts that are not ours.
    transit: AtomicU64,
    /// Records that thinning left out; others stand for them.
    thinned: AtomicU64,
    /// Samples that were not written because the disk is too full, or the folder cannot be used.
    refused: AtomicU64,
    /// The disk is too full to write.
    full: AtomicBool,
    /// What the recorder did.
    counts: Mutex<Counts>,
    /// What lies on the disk.
    usage: Mutex<Usage>,
    /// What is in memory.
    recent: Mutex<Recent>,
    /// Attacks that go on.
    under: Mutex<Arc<Under>>,
    /// Minutes that are not written yet.
    shelf: Shelf,
    /// Lines of minutes that were.
    sums_written: AtomicU64,
    /// Times that the file of sums refused.
    sums_refused: AtomicU64,
}

/// Who is under which attack.
#[derive(Debug, Default)]
struct Under {
    ids: Vec<String>,
    to: Option<PrefixTable<Arc<str>>>,
    from: Option<PrefixTable<Arc<str>>>,
}

impl Under {
    fn of(&self, target: IpAddr, direction: Direction) -> Option<&Arc<str>> {
        let table = match direction {
            Direction::In => &self.to,
            Direction::Out => &self.from,
        };
        table.as_ref()?.longest(target)
    }
}

/// What others hold of it; nothing, where there is no history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pen(Option<(SyncSender<Vec<Told>>, Arc<Board>)>);

impl Pen {
    /// For a worker.
    pub(crate) fn quill(&self) -> Option<Quill> {
        let (send, board) = self.0.as_ref()?;
        Some(Quill { held: Vec::with_capacity(AT_ONCE), send: send.clone(), board: Arc::clone(board) })
    }

    /// From now on these are the attacks.
    pub(crate) fn know(&self, attacks: &BTreeMap<String, Attack>) {
        let Some((_, board)) = &self.0 else { return };
        let active = || attacks.values().filter(|attack| attack.state == State::Active);
        let ids: Vec<String> = active().map(|attack| attack.id.clone()).collect();
        let mut under = lock(&board.under);
        if under.ids == ids {
            return;
        }
        let table = |direction: &str| {
            let ours = active().filter(|attack| attack.direction.name() == direction);
            let entries = ours.flat_map(|attack| {
                let id: Arc<str> = attack.id.as_str().into();
                let named = attack.targets.iter().chain(std::iter::once(&attack.target));
                named.map(|target| (*target, Arc::clone(&id))).collect::<Vec<_>>()
            });
            let entries: Vec<_> = entries.collect();
            (!entries.is_empty()).then(|| PrefixTable::new(entries))
        };
        *under = Arc::new(Under { to: table("in"), from: table("out"), ids });
    }

    /// Its numbers; `None`: there is no history.
    pub(crate) fn numbers(&self) -> Option<metrics::History> {
        let (_, board) = self.0.as_ref()?;
        let (counts, usage) = (*lock(&board.counts), lock(&board.usage).clone());
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (folded, lost) = board.shelf.minutes().counts();
        Some(metrics::History {
            sums: BTreeMap::from([
                ("written", count(&board.sums_written)),
                ("folded", folded),
                ("lost", lost),
            ]),
            sums_errors: count(&board.sums_refused),
            samples: BTreeMap::from([
                ("written", counts.written),
                ("thinned", count(&board.thinned)),
                ("queue_full", count(&board.queue_full)),
                ("disk", counts.dropped + count(&board.refused)),
                ("transit", count(&board.transit)),
            ]),
            waiting: u64::try_from(lock(&board.recent).len()).unwrap_or(u64::MAX),
            errors: counts.errors,
            bytes: usage.bytes,
            segments: usage.segments,
            oldest: usage.oldest.map(base::Timestamp::secs),
            full: board.full.load(Ordering::Relaxed),
        })
    }
}

/// What a worker writes with: a copy of the record, and no look at it.
#[derive(Debug)]
pub(crate) struct Quill {
    held: Vec<Told>,
    send: SyncSender<Vec<Told>>,
    board: Arc<Board>,
}

impl Quill {
    /// Takes a record.
    #[inline]
    pub(crate) fn note(&mut self, record: &Record, exporter: IpAddr) {
        self.held.push((*record, exporter));
        if self.held.len() >= AT_ONCE {
            self.hand_over();
        }
    }

    /// Hands over what it holds, and waits for nothing.
    pub(crate) fn hand_over(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::replace(&mut self.held, Vec::with_capacity(AT_ONCE));
        if let Err(TrySendError::Full(held) | TrySendError::Disconnected(held)) = self.send.try_send(held) {
            let lost = u64::try_from(held.len()).unwrap_or(u64::MAX);
            self.board.queue_full.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

/// The threads. Dropped, they write what is there and end.
#[derive(Debug)]
pub(crate) struct Historian {
    pen: Pen,
    door: door::Door,
    /// In the order in which they end, and what tells each.
    threads: Vec<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Historian {
    /// Starts, where the configuration wants it; `key` is that of the choice of samples.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        config: &Config,
        key: u64,
        clock: Clock,
        at_rest: &Arc<AtRest>,
        door: &door::Door,
    ) -> anyhow::Result<Self> {
        if !config.history.enabled {
            return Ok(Self { pen: Pen::default(), door: door.clone(), threads: Vec::new() });
        }
        let [stop, last] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (send, told) = sync_channel(WAITING_MAX);
        let board = Arc::new(Board::default());
        let desk = Desk::new(config, key, clock, (Arc::clone(&board), Arc::clone(&stop)), at_rest);
        let keeper = keeper::Keeper::new(config, clock, Arc::clone(&board), Arc::clone(&last));
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let cannot = "cannot start a thread";
        let threads = vec![
            (stop, named("history").spawn(move || desk.run(&told)).context(cannot)?),
            (last, named("history-keeper").spawn(move || keeper.run()).context(cannot)?),
        ];
        door.open(Some(door::Inside {
            folder: folder(&config.state_dir),
            sums: sums(&config.state_dir),
            networks: config.networks.as_slice().into(),
            board: Arc::clone(&board),
        }));
        Ok(Self { pen: Pen(Some((send, board))), door: door.clone(), threads })
    }

    /// For those who have something to tell.
    pub(crate) fn pen(&self) -> Pen {
        self.pen.clone()
    }
}

impl Drop for Historian {
    fn drop(&mut self) {
        self.door.open(None);
        for (stop, thread) in self.threads.drain(..) {
            stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            // One that broke has said so.
            let _ = thread.join();
        }
    }
}

/// A poisoned lock holds a whole value all the same: it is replaced, never edited.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
