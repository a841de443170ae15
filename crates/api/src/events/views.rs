//! What customers see of the newest events: made once for all who see the same.
//!
//! To cut an event down to what a customer may see is to read it, to look at each address in it and to write it again. Who listens hears of
//! it within the same moment; so what was made for the first of those who see the same is kept for a while for the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::body::Bytes;

use crate::veil::Veil;

/// Views that are kept; those of the oldest event go first. Whoever is so far behind has its own made.
const KEPT_MAX: usize = 1_024;
/// Octets of all of them at most.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A veil that equals no other one's of those who listen.
#[derive(Debug)]
pub(super) struct Guise {
    number: u64,
    veil: Veil,
}

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Views(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Those who listen have these; no more than listen.
    guises: Vec<Weak<Guise>>,
    next: u64,
    bytes: usize,
    /// By number of the event, then of the guise. `None`: nothing of it is seen.
    kept: BTreeMap<(u64, u64), Option<Bytes>>,
}

impl Views {
    /// The guise of somebody who begins to listen.
    pub(super) fn join(&self, veil: Veil) -> Arc<Guise> {
        let mut inner = self.inner();
        inner.guises.retain(|guise| guise.strong_count() > 0);
        if let Some(same) = inner.guises.iter().filter_map(Weak::upgrade).find(|guise| guise.veil == veil) {
            return same;
        }
        let guise = Arc::new(Guise { number: inner.next, veil });
        inner.next += 1;
        inner.guises.push(Arc::downgrade(&guise));
        guise
    }

    /// What this one sees of an event; `make` makes it, where nobody had it made before.
    pub(super) fn of(
        &self,
        event: u64,
        guise: &Guise,
        make: impl FnOnce(&Veil) -> Option<Bytes>,
    ) -> Option<Bytes> {
        let key = (event, guise.number);
        if let Some(known) = self.inner().kept.get(&key) {
            return known.clone();
        }
        let made = make(&guise.veil);
        let mut inner = self.inner();
        if inner.kept.insert(key, made.clone()).is_none() {
            inner.bytes += size(made.as_ref());
        }
        while inner.kept.len() > KEPT_MAX || inner.bytes > KEPT_BYTES_MAX {
            let Some((_, gone)) = inner.kept.pop_first() else { break };
            inner.bytes = inner.bytes.saturating_sub(size(gone.as_ref()));
        }
        made
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(view: Option<&Bytes>) -> usize {
    view.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use access::Scope;

    use super::*;

    fn veil(own: &str) -> Veil {
        Veil::new(vec!["198.18.0.0/16".parse().unwrap()], Scope::of(vec![own.parse().unwrap()]))
    }

    #[test]
    fn a_view_is_made_once_for_all_who_see_the_same_and_for_nobody_else() {
        let views = Views::default();
        let ours: Vec<_> = (0..100).map(|_| views.join(veil("198.18.1.0/24"))).collect();
        let other = views.join(veil("198.18.2.0/24"));
        let mut made = 0;
        for guise in &ours {
            let view = views.of(7, guise, |veil| {
                made += 1;
                veil.sees(&"198.18.1.7/32".parse().unwrap()).then(|| Bytes::from_static(b"ours"))
            });
            assert_eq!(view.as_deref(), Some(&b"ours"[..]));
        }
        assert_eq!(made, 1);
        // Another one has its own made, and that it sees nothing is kept as well.
        let sees =
            |veil: &Veil| veil.sees(&"198.18.1.7/32".parse().unwrap()).then(|| Bytes::from_static(b"ours"));
        assert_eq!(views.of(7, &other, sees), None);
        assert_eq!(views.of(7, &other, |_| panic!("it is known that it sees nothing")), None);
        // Who comes when all others are gone is somebody else, whatever was kept.
        let before = other.number;
        drop(other);
        assert_ne!(views.join(veil("198.18.2.0/24")).number, before);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_octets() {
        let views = Views::default();
        let guise = views.join(veil("198.18.1.0/24"));
        for event in 0..3_000 {
            views.of(event, &guise, |_| Some(Bytes::from_static(b"x")));
        }
        let kept = || {
            let inner = views.inner();
            (inner.kept.len(), inner.bytes)
        };
        assert_eq!(kept(), (KEPT_MAX, KEPT_MAX));
        for event in 3_000..3_010 {
            views.of(event, &guise, |_| Some(vec![0; 1 << 20].into()));
        }
        assert_eq!(kept(), (4, KEPT_BYTES_MAX));
        let inner = views.inner();
        assert_eq!(inner.kept.values().map(|view| size(view.as_ref())).sum::<usize>(), inner.bytes);
    }
}
