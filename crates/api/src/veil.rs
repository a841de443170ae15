//! The last look at what goes to a customer: nothing that names another one's prefix leaves. What handlers show is cut down
//! before ([`crate::view`]); if something slips through here, the whole answer is withheld and counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;

use access::{Actor, Scope};
use axum::body::{Body, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base::Prefix;

use crate::problem::Problem;
use crate::router::Shared;

/// Octets of an answer to a customer at most.
const ANSWER_MAX: usize = 64 << 20;

/// What lies inside `networks` belongs to somebody; what of it the scope does not see is another one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Veil {
    networks: Vec<Prefix>,
    scope: Scope,
}

impl Veil {
    pub(crate) fn new(networks: Vec<Prefix>, scope: Scope) -> Self {
        Self { networks, scope }
    }

    /// Whether it hides anything at all.
    pub(crate) fn is_clear(&self) -> bool {
        self.scope.is_everything()
    }

    pub(crate) fn sees(&self, prefix: &Prefix) -> bool {
        self.scope.sees(prefix)
    }

    pub(crate) fn around(&self, prefix: &Prefix) -> Option<Prefix> {
        self.scope.around(prefix)
    }

    /// Whether this prefix is, holds, or lies in something of another one's.
    pub(crate) fn is_foreign(&self, prefix: &Prefix) -> bool {
        !self.scope.sees(prefix) && self.networks.iter().any(|own| own.covers(prefix) || prefix.covers(own))
    }

    /// Whether a text names something of another one's.
    pub(crate) fn hides(&self, text: &str) -> bool {
        !self.is_clear() && named(text).any(|prefix| self.is_foreign(&prefix))
    }
}

/// Looks through a whole answer. Streams look at each event themselves.
pub(crate) async fn whole(shared: &Shared, actor: &Actor, response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    let veil = Veil::new(shared.operate.networks(), actor.scope().clone());
    let (parts, body) = response.into_parts();
    let Ok(octets) = to_bytes(body, ANSWER_MAX).await else { return withheld(shared) };
    if veil.hides(&String::from_utf8_lossy(&octets)) {
        if parts.status.is_client_error() {
            // it was asked for by name, and the refusal said so
            let hint = "ask for what is inside your own prefixes";
            return Problem::new(parts.status, "this cannot be answered", hint).into_response();
        }
        return withheld(shared);
    }
    Response::from_parts(parts, Body::from(octets))
}

fn withheld(shared: &Shared) -> Response {
    shared.counts.withheld.fetch_add(1, Ordering::Relaxed);
    let hint = "tell the operator: spillway_api_withheld_total counts these";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer is withheld", hint).into_response()
}

/// Addresses and prefixes that a text names.
fn named(text: &str) -> impl Iterator<Item = Prefix> {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/');
    text.split(move |c| !is_part(c)).filter(|word| word.len() > 1).flat_map(readings)
}

/// All that a word of such letters may mean: `2001:db8::1/64:`, `192.0.2.1:443`, `b192.0.2.1`.
fn readings(word: &str) -> Vec<Prefix> {
    let word = word.trim_matches(|c| matches!(c, '.' | '/')).trim_end_matches(':');
    let mut found = Vec::new();
    let mut add = |address: IpAddr, length: Option<&str>| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.and_then(|digits| digits.split(':').next()?.parse().ok()).unwrap_or(longest);
        found.extend(masked(address, length.min(longest)));
    };
    let (address, length) =
        word.split_once('/').map_or((word, None), |(address, length)| (address, Some(length)));
    if let Ok(v6) = address.parse::<Ipv6Addr>() {
        add(IpAddr::V6(v6), length);
        if let Some(v4) = v6.to_ipv4() {
            add(IpAddr::V4(v4), None);
        }
    }
    // dotted quads, whatever stands around them
    let digits: Vec<&str> = address.split(|c: char| !c.is_ascii_digit() && c != '.').collect();
    for quad in digits {
        let parts: Vec<&str> = quad.split('.').collect();
        for four in parts.windows(4) {
            if let Ok(v4) = four.join(".").parse::<Ipv4Addr>() {
                add(IpAddr::V4(v4), length);
            }
        }
    }
    found
}

fn masked(address: IpAddr, length: u8) -> Option<Prefix> {
    let text = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            format!("{}/{length}", Ipv6Addr::from(u128::from(v6) & mask))
        }
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_another_ones_prefix_is_found_however_it_is_written() {
        let p = |text: &str| text.parse::<Prefix>().unwrap();
        let own = Scope::of(vec![p("198.18.1.0/24"), p("2001:db8:1::/48")]);
        let veil = Veil::new(vec![p("198.18.0.0/16"), p("2001:db8::/32")], own);
        for foreign in [
            "198.18.2.1",
            "\"target\":\"198.18.2.0/24\"",
            "198.18.0.0/16",
            "0.0.0.0/0",
            "to 198.18.2.1:443,",
            "x198.18.2.1y",
            "2001:db8:2::7",
            "[2001:db8:2::7]:443",
            "2001:db8::/32",
            "::/0",
            "(198.18.2.9)",
            "::ffff:198.18.2.1",
            "198.18.1.1/8",
            "198.18.2.1.",
            "2001:db8:2::7:",
        ] {
            assert!(veil.hides(foreign), "{foreign}");
        }
        for fine in [
            "198.18.1.7",
            "198.18.1.0/25",
            "203.0.113.9",
            "2001:db8:1::1",
            "2025-06-01T00:00:00.000000000Z",
            "12:30:00",
            "1.0",
            "0.98",
            "abcd",
            "a1b2c3d4e5f60718",
            "",
        ] {
            assert!(!veil.hides(fine), "{fine}");
        }
        assert!(!Veil::new(vec![p("198.18.0.0/16")], Scope::everything()).hides("198.18.2.1"));
    }
}
