//! What is wrong, in plain words: facts are gathered once, each check looks at them and says what it finds.
//!
//! A check is a function without side effects over [`Facts`]; what the world is like is asked in `gather`, and what the running
//! daemon knows is in `clinic`. So every sentence that a user may read is tested from a table (`tests/doctor.rs`).

mod clinic;
pub mod facts;
mod gather;
mod host;
mod keeping;
mod known;
mod network;
mod ports;
mod settings;
mod telemetry;

use api::{Finding, Gravity};

pub(crate) use clinic::{Clinic, Place};
pub use facts::Facts;
pub(crate) use gather::{gather, unread};

/// All checks, in the order in which equally bad things are told.
const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[
    settings::enforcement,
    settings::never,
    settings::told,
    settings::reloaded,
    host::daemon,
    host::ports,
    host::state,
    host::disk,
    host::clock,
    host::privileges,
    host::interfaces,
    telemetry::exporters,
    telemetry::missing,
    telemetry::sampling,
    telemetry::templates,
    telemetry::sequence,
    telemetry::faults,
    telemetry::truth,
    telemetry::clocks,
    telemetry::drops,
    telemetry::buffers,
    telemetry::refused,
    network::peers,
    network::absorbers,
    network::dataplane,
    keeping::ledger,
    keeping::store,
    keeping::history,
    keeping::letters,
    known::known,
];

/// All that was looked at, good or bad.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(facts)).collect()
}

fn ok(check: &str, what: impl Into<String>) -> Finding {
    Finding::new(check, Gravity::Ok, what)
}

fn note(check: &str, what: impl Into<String>) -> Finding {
    Finding::new(check, Gravity::Note, what)
}

fn warning(check: &str, what: impl Into<String>) -> Finding {
    Finding::new(check, Gravity::Warning, what)
}

fn error(check: &str, what: impl Into<String>) -> Finding {
    Finding::new(check, Gravity::Error, what)
}
