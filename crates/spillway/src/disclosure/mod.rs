//! Disclosures on a disk: each has a folder, and comes as far as its files carry it.
//!
//! `STATE_DIR/disclosures/ID/case.json` holds the draft and what persons did; `payload` is what would leave. Every command takes
//! the steps of [`::ledger::disclosure`] anew from there, so a file that was edited by hand skips none of them.

mod case;
mod eml;
mod encoded;
mod glance;
mod known;
mod look;
mod pack;
mod person;
mod request;
mod send;

pub use case::{Case, Cases, Held, Outcome, Standing, Step};
pub(crate) use glance::glance;
pub use look::Compared;
pub(crate) use pack::{Packed, find, pack, seal};
pub use person::person;
pub use request::{EXAMPLE, Request};
pub use send::{Route, send, unseal};
