//! Who looks at a recording side by side: observers, each with some of the attacks, and who writes the bags. All are shown the same
//! batches in the same order, so the result does not show how many there are.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow};

use super::batch::{Batch, Item};
use super::collect::Case;
use super::recorders::Recorders;
use crate::evidence::recorder::Recorded;

/// Observers at most.
const OBSERVERS_MAX: usize = 16;
/// Batches under way; a reader that is faster waits.
const BATCHES_MAX: usize = 8;

/// Packets whose sources are looked for before the first of them is received.
const AHEAD: usize = 32;

/// Cases by the places in which packets name them.
pub(super) type Sets = Arc<Vec<Vec<usize>>>;

/// See above.
pub(super) struct Crew {
    filling: Batch,
    empty: Receiver<Batch>,
    ways: Vec<SyncSender<Arc<Batch>>>,
    observers: Vec<JoinHandle<Vec<(usize, Case)>>>,
    recording: JoinHandle<anyhow::Result<Vec<Recorded>>>,
}

impl Crew {
    /// Of these cases and their bags, in the same order.
    ///
    /// # Errors
    /// When there can be no threads.
    pub(super) fn start(cases: Vec<Case>, mut recorders: Recorders, sets: &Sets) -> anyhow::Result<Self> {
        let (back, empty) = mpsc::channel();
        let (mut ways, mut observers) = (Vec::new(), Vec::new());
        let several = std::thread::available_parallelism().map_or(1, usize::from).min(OBSERVERS_MAX);
        let count = several.min(cases.len()).max(1);
        let mut shares: Vec<Vec<(usize, Case)>> = (0..count).map(|_| Vec::new()).collect();
        for (place, case) in cases.into_iter().enumerate() {
            if let Some(share) = shares.get_mut(place % count) {
                share.push((place, case));
            }
        }
        for mut share in shares {
            let (way, batches) = mpsc::sync_channel::<Arc<Batch>>(BATCHES_MAX);
            let (sets, back) = (Arc::clone(sets), back.clone());
            let work = move || {
                batches.iter().for_each(|batch| {
                    observe(&mut share, &sets, &batch);
                    give_back(batch, &back);
                });
                share
            };
            ways.push(way);
            observers.push(spawn("observer", work)?);
        }
        let (way, batches) = mpsc::sync_channel::<Arc<Batch>>(BATCHES_MAX);
        let sets = Arc::clone(sets);
        let work = move || {
            for batch in &batches {
                record(&mut recorders, &sets, &batch)?;
                give_back(batch, &back);
            }
            recorders.finish()
        };
        ways.push(way);
        let recording = spawn("recorder", work)?;
        Ok(Self { filling: Batch::default(), empty, ways, observers, recording })
    }

    /// Takes one more, as `put` puts it into a batch; false: somebody gave up, which [`Self::finish`] tells.
    #[inline]
    pub(super) fn take(&mut self, put: impl FnOnce(&mut Batch)) -> bool {
        put(&mut self.filling);
        !self.filling.is_full() || self.hand_over()
    }

    fn hand_over(&mut self) -> bool {
        let mut next = self.empty.try_recv().unwrap_or_default();
        next.clear();
        let batch = Arc::new(std::mem::replace(&mut self.filling, next));
        self.ways.iter().all(|way| way.send(Arc::clone(&batch)).is_ok())
    }

    /// Waits until all is looked at and written.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn finish(mut self) -> anyhow::Result<(Vec<Case>, Vec<Recorded>)> {
        self.hand_over();
        self.ways.clear();
        let gave_up = |_| anyhow!("a thread gave up; please report this");
        let mut cases = Vec::new();
        for observer in self.observers {
            cases.extend(observer.join().map_err(gave_up)?);
        }
        cases.sort_by_key(|(place, _)| *place);
        let recorded = self.recording.join().map_err(gave_up)??;
        Ok((cases.into_iter().map(|(_, case)| case).collect(), recorded))
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).context("cannot start a thread")
}

/// Whoever is the last to look at a batch gives its memory back.
fn give_back(batch: Arc<Batch>, back: &Sender<Batch>) {
    if let Some(batch) = Arc::into_inner(batch) {
        // Nobody wants it any more when all is read.
        let _ = back.send(batch);
    }
}

fn observe(share: &mut [(usize, Case)], sets: &Sets, batch: &Batch) {
    let sides = |item: &Item| (cases(sets, item.to), cases(sets, item.from));
    for items in batch.items.chunks(AHEAD) {
        for (place, case) in &mut *share {
            for item in items {
                let packet = batch.seen(item);
                let (to, from) = sides(item);
                case.approach(&packet, item.class, (to.contains(place), from.contains(place)));
            }
            for item in items {
                let packet = batch.seen(item);
                let (to, from) = sides(item);
                if to.contains(place) {
                    case.receive(&packet, item.class, item.entry());
                }
                if from.contains(place) {
                    case.answer(&packet);
                }
            }
        }
    }
}

fn record(recorders: &mut Recorders, sets: &Sets, batch: &Batch) -> anyhow::Result<()> {
    for item in &batch.items {
        let Some((packet, parsed)) = batch.captured(item) else { continue };
        let (to, from) = (cases(sets, item.to), cases(sets, item.from));
        for place in to.iter().chain(from.iter().filter(|place| !to.contains(place))) {
            recorders.packet_of(*place, &packet, &parsed)?;
        }
    }
    Ok(())
}

fn cases(sets: &Sets, set: Option<u32>) -> &[usize] {
    let place = set.and_then(|set| usize::try_from(set).ok());
    place.and_then(|place| sets.get(place)).map(Vec::as_slice).unwrap_or_default()
}
