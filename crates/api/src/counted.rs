//! Requests that were answered, by endpoint, method and status, and how long that took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::metrics::Histogram;

/// Endpoint, method, status.
pub(crate) type Answered = BTreeMap<(String, &'static str, u16), u64>;

/// Counts them. Bounded: endpoints are those of the list, everything else is one, and so is every other method.
#[derive(Debug)]
pub(crate) struct Counted(Mutex<(Answered, Histogram)>);

impl Default for Counted {
    fn default() -> Self {
        let bounds = [0.001, 0.005, 0.02, 0.1, 0.5, 2.5, 10.0];
        Self(Mutex::new((Answered::new(), Histogram::new(&bounds))))
    }
}

impl Counted {
    /// One was answered. `route`: as in the list of endpoints; `None`: there is nothing.
    pub(crate) fn add(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
        let names = ["GET", "HEAD", "POST", "PUT", "DELETE"];
        let method =
            known.iter().zip(names).find(|(one, _)| *one == method).map_or("other", |(_, name)| name);
        let key = (route.unwrap_or("none").to_owned(), method, status.as_u16());
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.0.entry(key).or_insert(0) += 1;
        inner.1.observe(took.as_secs_f64());
    }

    /// So far.
    pub(crate) fn so_far(&self) -> (Answered, Histogram) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
