//! Who attacks, while it happens: the daemon's thread that looks at the sources of attacks, keeps their packets in bags, and seals
//! them when the attack is over.
//!
//! ```text
//! worker (lens) ─ batches, bounded ─┐            ┌ shown ─ API
//! core ─ attacks, the latest each ──┴─ witness ──┼ open bags (STATE_DIR/evidence/ID/evidence)
//!                                                └ sealer ─ folders, sealed bags
//! ```
//! Nobody waits for it: a batch that finds no room is left out and counted. It has no socket, so it cannot ask a source anything.

mod aim;
mod case;
mod door;
mod folder;
mod insight;
mod knowledge;
mod lens;
mod noted;
mod origins;
mod quiet;
mod sampled;
mod sealer;
mod shown;
mod thread;

pub(crate) use door::Door;
pub(crate) use folder::{Place, draft, octets};
pub(crate) use lens::Lens;
pub(crate) use thread::{Setup, Witness};
