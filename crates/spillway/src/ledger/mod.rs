//! The ledger on a disk: who writes it, who reads it, and what the daemon puts into it.
//!
//! ```text
//! STATE_DIR/ledger/log/       checkpoint, tile/…: the log, as anybody may see it (c2sp.org/tlog-tiles)
//! STATE_DIR/ledger/private/   what entries commit to, and their salts; destroying a line makes its entry meaningless
//! STATE_DIR/ledger/key        signs heads; policy is its public half, for those who verify
//! STATE_DIR/ledger.head       the last head, beside the folder: a folder that was put back from a copy is behind it
//! ```
//! One process writes at a time, by a lock; each append is whole or has not happened, whenever the process or the machine stops.

mod disk;
mod erase;
mod expire;
mod force;
mod place;
mod scribe;
mod secrets;
mod store;
mod view;

pub use disk::FileError;
pub use erase::erase;
pub(crate) use expire::expire;
pub(crate) use force::InForce;
pub use place::Place;
pub(crate) use scribe::{Deed, Pen, Scribe};
pub use secrets::Secret;
pub use store::{Item, Store, Trouble, hold};
pub use view::View;

/// Octets that nobody can guess.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut octets = [0; N];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut octets)?;
    Ok(octets)
}
