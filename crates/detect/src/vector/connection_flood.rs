//! Connections that are opened and used for nothing.

use super::conduct::{Behaviour, Doings, purpose, volume};
use crate::evidence::Terms;

pub(super) static BEHAVIOUR: Behaviour =
    Behaviour { name: "tcp-connection-flood", count: |c| c.empty, floor: 30.0, gauge: false, judge };

fn judge(d: &Doings, terms: &mut Terms) {
    volume(d, "connections/s in which the client sends nothing", 4.0, terms);
    purpose(d, "end or grow old before anything is asked", terms);
}
