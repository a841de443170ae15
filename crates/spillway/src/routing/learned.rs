//! Routes that are told to us, by BGP neighbours and monitored routers: one table, asked by whoever wants to know.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Prefix;
use steer::learn::{Feed, Routes, WHOLE};

/// Prefixes that are kept at most: the Internet's of today, twice.
const PREFIXES_MAX: usize = 2_500_000;

/// The table, shared.
#[derive(Debug)]
pub struct Learned(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    routes: Routes,
    next: u32,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The longest prefix that holds it.
    pub prefix: Option<Prefix>,
    /// The ASes that originate that prefix.
    pub origins: Vec<u32>,
    /// Whether anybody routes it; `None`: nobody who would know was asked.
    pub routed: Option<bool>,
}

/// How much is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Prefixes.
    pub prefixes: usize,
    /// Tellers.
    pub feeds: usize,
    /// Routes that found no room.
    pub left_out: u64,
    /// Whether one feed tells all of IPv4, and of IPv6.
    pub whole: (bool, bool),
}

impl Default for Learned {
    fn default() -> Self {
        Self::new(PREFIXES_MAX, WHOLE)
    }
}

impl Learned {
    /// For so many prefixes; a feed with `whole` routes of IPv4 and IPv6 tells all.
    pub fn new(most: usize, whole: (usize, usize)) -> Self {
        Self(Mutex::new(Inner { routes: Routes::new(most, whole), next: 0 }))
    }

    /// What is known of an address.
    pub fn origin(&self, addr: IpAddr) -> Origin {
        let routes = &self.lock().routes;
        let (prefix, origins) =
            routes.origin(addr).map_or((None, Vec::new()), |(prefix, origins)| (Some(prefix), origins));
        Origin { prefix, origins, routed: routes.is_routed(addr) }
    }

    /// How much is known.
    pub fn knowledge(&self) -> Knowledge {
        let routes = &self.lock().routes;
        Knowledge {
            prefixes: routes.len(),
            feeds: routes.feeds(),
            left_out: routes.left_out(),
            whole: (routes.is_whole(true), routes.is_whole(false)),
        }
    }

    /// A teller that was not there before.
    pub(super) fn feed(&self) -> Feed {
        let mut inner = self.lock();
        inner.next = inner.next.wrapping_add(1);
        Feed(inner.next)
    }

    /// Changes the table.
    pub(super) fn with(&self, change: impl FnOnce(&mut Routes)) {
        change(&mut self.lock().routes);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
