//! Numbers of the API itself.

use std::collections::BTreeMap;
use std::fmt;

use super::{Histogram, Page};

/// Who listens, and what went wrong.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// Clients that listen to events.
    pub sse_clients: u64,
    /// Clients that were cut off because they took nothing.
    pub sse_cut: u64,
    /// Answers to customers that named another one's prefix and were withheld.
    pub withheld: u64,
    /// Changes whose line in the audit trail is missing or without its end.
    pub unwritten: u64,
    /// Wrong passwords.
    pub guesses: u64,
    /// Requests that were answered, by (endpoint, method, status).
    pub requests: BTreeMap<(String, &'static str, u16), u64>,
    /// How long that took.
    pub request_seconds: Histogram,
}

impl Api {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        out.gauge("spillway_sse_clients", "Clients that listen to events", self.sse_clients as f64)?;
        for (name, help, count) in [
            ("spillway_sse_cut", "Clients that were cut off because they took nothing", self.sse_cut),
            ("spillway_api_withheld", "Answers to customers that named another one's prefix", self.withheld),
            ("spillway_audit_unwritten", "Changes that are not whole in the audit trail", self.unwritten),
            ("spillway_login_failures", "Wrong passwords", self.guesses),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        let requests = self.requests.iter().map(|((route, method, code), count)| {
            (
                vec![("route", route.clone()), ("method", (*method).to_owned()), ("code", code.to_string())],
                *count,
            )
        });
        out.counters("spillway_http_requests", "Requests that were answered", requests.collect())?;
        out.histogram(
            "spillway_http_request_duration_seconds",
            "Until the answer began",
            &self.request_seconds,
        )
    }
}
