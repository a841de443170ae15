//! TLS handshakes behind which nothing is asked: the server computes, the client leaves.

use alloc::format;

use super::conduct::{Behaviour, Doings, purpose, volume};
use crate::evidence::Terms;

pub(super) static BEHAVIOUR: Behaviour =
    Behaviour { name: "tls-handshake-flood", count: |c| c.barren, floor: 30.0, gauge: false, judge };

fn judge(d: &Doings, terms: &mut Terms) {
    volume(d, "TLS connections/s that end behind the handshake", 4.0, terms);
    purpose(d, "end behind the TLS handshake", terms);
    if d.heavy >= 0.5 {
        terms.say(3.0, format!("{:.0} % by clients that do it many times a second", d.heavy * 100.0));
    }
}
