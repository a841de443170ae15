//! What is kept of others, for how long, and under which name.
//!
//! ```text
//! attack ends ─ AtRest ─ pseudonyms under the key of its day ─ spillway.db
//! STATE_DIR/keys/2026-11-26.key   overwritten and removed when `privacy.keys` is over: what it concealed is nobody's any more
//! ```
//! [`AtRest`] stands before the store: what goes into it has pseudonyms instead of addresses of others, and the core's own state is
//! sealed. In the clear are what acts (bans), the journals, the ledger's private half, evidence and disclosures, each with its
//! retention. [`sweep`] lets go what is over; it may be killed at any instant and called again.

mod at_rest;
mod days;
pub(crate) mod hold;
mod keys;
mod seal;
mod show;
mod sweep;
mod units;

pub use at_rest::AtRest;
pub(crate) use at_rest::clear;
pub(crate) use keys::Keys;
pub(crate) use show::show;
pub(crate) use sweep::sweep;

/// Evidence in the state folder: whatever lies here comes and goes as a whole.
pub(crate) const EVIDENCE: &str = "evidence";
/// Disclosures.
pub(crate) const DISCLOSURES: &str = "disclosures";
/// Flow samples.
pub(crate) const SAMPLES: &str = "flows";
