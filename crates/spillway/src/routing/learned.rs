//! Routes that are told to us, by BGP neighbours and monitored routers: one table, asked by whoever wants to know.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Prefix;
use steer::learn::{self, Feed, ROUTES_MAX, Routes, WHOLE_MIN};

/// The table, shared.
#[derive(Debug)]
pub struct Learned(Mutex<Routes>);

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
    /// Routes that found no room.
    pub left_out: u64,
    /// Updates of which a part could not be believed.
    pub damaged: u64,
    /// Whether one feed tells all of IPv4, and of IPv6.
    pub whole: (bool, bool),
}

impl Default for Learned {
    fn default() -> Self {
        Self::new(ROUTES_MAX, WHOLE_MIN)
    }
}

impl Learned {
    /// For so many prefixes; a feed with `whole` routes of IPv4 and IPv6 tells all.
    pub fn new(most: usize, whole: (usize, usize)) -> Self {
        Self(Mutex::new(Routes::new(most, whole)))
    }

    /// What is known of an address.
    pub fn origin(&self, addr: IpAddr) -> Origin {
        match self.lock().origin(addr) {
            learn::Origin::Routed(prefix, origins) => {
                Origin { prefix: Some(prefix), origins, routed: Some(true) }
            }
            learn::Origin::Unrouted => Origin { prefix: None, origins: Vec::new(), routed: Some(false) },
            learn::Origin::Unknown => Origin { prefix: None, origins: Vec::new(), routed: None },
        }
    }

    /// Whether one of these routes may be behind a neighbour; see [`Routes::admits`].
    pub fn admits(&self, neighbour: u32, routes: &[(Prefix, Option<u32>)]) -> Option<bool> {
        self.lock().admits(neighbour, routes)
    }

    /// How much is known.
    pub fn knowledge(&self) -> Knowledge {
        let routes = self.lock();
        Knowledge {
            prefixes: routes.len(),
            left_out: routes.left_out,
            damaged: routes.damaged,
            whole: (routes.is_whole(true), routes.is_whole(false)),
        }
    }

    /// A teller that was not there before; `None`: there is no room for it.
    pub(super) fn open(&self) -> Option<Feed> {
        self.lock().open()
    }

    /// Changes the table.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Routes) -> T) -> T {
        change(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
