//! `/api/v1/events`: what happens, as it happens. The last events lie in a ring; who comes back says which one it saw last.

mod blind;
pub(crate) mod serve;
mod views;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::Bytes;
use tokio::sync::watch;

use blind::Blind;
use views::Views;

/// Events that are kept; the oldest goes first, and who had not seen it is told so.
const RING_MAX: usize = 4_096;
/// Octets of all of them at most.
const RING_BYTES_MAX: usize = 32 << 20;
/// Clients at a time; who comes then is turned away.
const CLIENTS_MAX: usize = 512;

/// What kind of thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An attack was found, changed, or is over.
    Attack,
    /// A rule's state changed.
    Rule,
    /// A mitigation was asked for, began, or ended.
    Mitigation,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Rule => "rule",
            Self::Mitigation => "mitigation",
        }
    }
}

/// The ring, for all who hold a clone.
#[derive(Clone, Debug)]
pub struct Events(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    /// Which ring this is: numbers begin anew with each start of the daemon.
    epoch: u64,
    ring: Mutex<Ring>,
    changed: watch::Sender<u64>,
    views: Views,
    blind: Blind,
    clients: AtomicUsize,
    cut: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    /// Number of the event that comes next.
    next: u64,
    bytes: usize,
    events: VecDeque<Arc<Happened>>,
}

#[derive(Debug)]
struct Happened {
    number: u64,
    kind: Kind,
    document: String,
    /// As it goes to all who see everything: made once, for whoever comes first.
    whole: OnceLock<Bytes>,
}

/// What a client gets next.
enum Next {
    Some(Arc<Happened>),
    Nothing,
    /// Events were lost to it.
    Behind,
}

impl Events {
    /// An empty ring. The epoch must differ from that of any ring before: the time of the start, say.
    pub fn new(epoch: u64) -> Self {
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Inside {
            epoch,
            ring: Mutex::default(),
            changed,
            views: Views::default(),
            blind: Blind::default(),
            clients: AtomicUsize::new(0),
            cut: AtomicU64::new(0),
        }))
    }

    /// Something happened. Waits for nobody.
    pub fn push(&self, kind: Kind, document: String) {
        let mut ring = self.ring();
        let number = ring.next;
        ring.next += 1;
        ring.bytes += document.len();
        ring.events.push_back(Arc::new(Happened { number, kind, document, whole: OnceLock::new() }));
        while ring.events.len() > RING_MAX || ring.bytes > RING_BYTES_MAX {
            let Some(gone) = ring.events.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(gone.document.len());
        }
        drop(ring);
        self.0.changed.send_replace(number);
    }

    /// Clients that listen.
    pub fn clients(&self) -> usize {
        self.0.clients.load(Ordering::Relaxed)
    }

    /// Clients that were cut off since the start because they took nothing.
    pub fn cut(&self) -> u64 {
        self.0.cut.load(Ordering::Relaxed)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of an event; `whole`: for whoever sees everything.
    fn id(&self, number: u64, whole: bool) -> String {
        let epoch = self.0.epoch;
        if whole {
            format!("{epoch}-{number}")
        } else {
            format!("{epoch}-{:016x}", self.0.blind.shown(number))
        }
    }

    /// Where a client begins that saw this one last; `Err`: it may have missed something.
    fn begin(&self, last: Option<&str>, whole: bool) -> Result<u64, u64> {
        let ring = self.ring();
        let Some(last) = last else { return Ok(ring.next) };
        let seen = last.split_once('-').and_then(|(epoch, number)| {
            let number: u64 = if whole {
                number.parse().ok()?
            } else {
                self.0.blind.number(u64::from_str_radix(number, 16).ok()?)
            };
            (epoch.parse() == Ok(self.0.epoch) && number < ring.next).then(|| number + 1)
        });
        let first = ring.next - ring.events.len() as u64;
        seen.filter(|number| *number >= first).ok_or(ring.next)
    }

    fn after(&self, number: u64) -> Next {
        let ring = self.ring();
        let first = ring.next - ring.events.len() as u64;
        if number < first {
            return Next::Behind;
        }
        let at = usize::try_from(number - first).unwrap_or(usize::MAX);
        ring.events.get(at).map_or(Next::Nothing, |event| Next::Some(Arc::clone(event)))
    }

    /// A place for a client, as long as it is held.
    fn enter(&self) -> Option<Place> {
        let taken = self.0.clients.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (taken < CLIENTS_MAX).then_some(place)
    }
}

struct Place(Events);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_goes_on_where_it_was_or_is_told_that_it_cannot() {
        let events = Events::new(7);
        assert_eq!(events.begin(None, true), Ok(0));
        for n in 0..RING_MAX + 10 {
            events.push(Kind::Attack, n.to_string());
        }
        let next = RING_MAX as u64 + 10;
        assert_eq!(events.begin(Some("7-12"), true), Ok(13));
        assert_eq!(events.begin(Some(&format!("7-{}", next - 1)), true), Ok(next));
        // too old, of another run, of the future, of nobody
        for odd in ["7-3", "8-12", "7-99999", "7-18446744073709551615", "x", "7-", ""] {
            assert_eq!(events.begin(Some(odd), true), Err(next), "{odd}");
            assert_eq!(events.begin(Some(odd), false), Err(next), "{odd}");
        }
        // whoever sees a part comes back by another word, which tells nothing of the others
        let shown = events.id(12, false);
        assert_eq!(events.begin(Some(&shown), false), Ok(13));
        assert_eq!(events.begin(Some("7-12"), false), Err(next));
        assert!(matches!(events.after(3), Next::Behind));
        assert!(matches!(events.after(next), Next::Nothing));
        assert!(matches!(events.after(10), Next::Some(event) if event.document == "10"));
    }

    #[test]
    fn the_ring_is_bounded_in_octets() {
        let events = Events::new(7);
        for _ in 0..100 {
            events.push(Kind::Attack, "x".repeat(1 << 20));
        }
        assert_eq!(events.ring().events.len(), 32);
    }
}
