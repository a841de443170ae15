//! The lab, and what it is for: real stacks under attack.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

/// Whoever measures under load has the machine alone.
mod alone {
    mod scenarios;
}
