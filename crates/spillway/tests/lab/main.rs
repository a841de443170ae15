//! The lab, and what it is for: real stacks under attack.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod arena;
mod delay;
mod flood;

/// Whoever measures under load has the machine alone.
mod alone {
    mod cookies;
    mod leftovers;
    mod scenarios;
    mod transfer;
}
