//! What leaves the house: golden documents, the validators of those who read them, and who must never be in them.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod cases;
mod fingerprint;
mod golden;
mod many;
#[cfg(test)]
mod privacy;
mod python;
mod reports;
mod validators;
