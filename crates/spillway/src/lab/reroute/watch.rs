//! When packets first came to absorbers, when the first was dropped there, and how full their links were: seen from outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use base::{Prefix, Timestamp};
use dataplane::Attachment;
use dataplane::returning::Returned;

use super::super::namespace::Namespace;
use super::super::sampler::wall;

/// Between two looks: the error of what is told.
const LOOK: Duration = Duration::from_millis(10);
/// How full a link is, is told of so much time.
const WINDOW: Duration = Duration::from_secs(1);

/// What was seen of a declared prefix.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// When the first packet came.
    pub(super) came: Option<Timestamp>,
    /// When the first was dropped.
    pub(super) dropped: Option<Timestamp>,
    /// Packets that went back to the owner.
    pub(super) returned: u64,
    /// Packets that rules dropped.
    pub(super) filtered: u64,
    /// Packets that found no way back, did not fit, or went in a circle.
    pub(super) lost: u64,
}

#[derive(Debug, Default)]
struct Book {
    seen: BTreeMap<Prefix, Seen>,
    /// Most octets a second that came to each, in any window.
    most: Vec<f64>,
}

/// Looks until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks at the interfaces of absorbers, each in its namespace.
    pub(super) fn start(of: Vec<(Namespace, String)>) -> std::io::Result<Self> {
        let book = Book { seen: BTreeMap::new(), most: vec![0.0; of.len()] };
        let (book, stop) = (Arc::new(Mutex::new(book)), Arc::new(AtomicBool::new(false)));
        let (theirs, stopped) = (Arc::clone(&book), Arc::clone(&stop));
        let run = move || look(&of, &theirs, &stopped);
        let thread = Some(Builder::new().name("lab-watch".to_owned()).spawn(run)?);
        Ok(Self { book, stop, thread })
    }

    /// What was seen of a prefix so far.
    pub(super) fn seen(&self, prefix: &Prefix) -> Seen {
        self.book().seen.get(prefix).copied().unwrap_or_default()
    }

    /// Most bits a second that came to an absorber, by its place in the list.
    pub(super) fn most_bps(&self, place: usize) -> f64 {
        self.book().most.get(place).copied().unwrap_or_default() * 8.0
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it has seen is told already.
            let _ = thread.join();
        }
    }
}

fn look(of: &[(Namespace, String)], book: &Mutex<Book>, stop: &AtomicBool) {
    let mut before: Vec<Option<(Instant, u64)>> = vec![None; of.len()];
    while !stop.load(Ordering::Relaxed) {
        for ((place, (space, name)), before) in of.iter().enumerate().zip(&mut before) {
            // While a set is being replaced there may be nothing to read.
            let all = Attachment::open(name).ok().flatten().and_then(|one| one.plane().returned().ok());
            let rate = rate(space, name, before);
            let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
            all.unwrap_or_default()
                .iter()
                .for_each(|one| note(book.seen.entry(one.prefix).or_default(), one));
            if let (Some(rate), Some(most)) = (rate, book.most.get_mut(place)) {
                *most = most.max(rate);
            }
        }
        std::thread::sleep(LOOK);
    }
}

fn note(seen: &mut Seen, now: &Returned) {
    if seen.came.is_none() && now.packets + now.dropped > 0 {
        seen.came = Some(wall());
    }
    if seen.dropped.is_none() && now.dropped > 0 {
        seen.dropped = Some(wall());
    }
    (seen.returned, seen.filtered) = (now.packets, now.dropped);
    seen.lost = now.no_way + now.too_big + now.looped + now.expired;
}

/// Octets a second that came since the last time, where a window is over.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn rate(space: &Namespace, name: &str, before: &mut Option<(Instant, u64)>) -> Option<f64> {
    if before.is_some_and(|(at, _)| at.elapsed() < WINDOW) {
        return None;
    }
    let (now, octets) = (Instant::now(), space.counters(name).ok()?.received_bytes);
    let (at, old) = before.replace((now, octets))?;
    Some(octets.saturating_sub(old) as f64 / (now - at).as_secs_f64())
}
