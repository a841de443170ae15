//! Floor 3: what must outlive the process, in SQLite files.
//!
//! One [`Writer`] owns the file and commits whole [`Batch`]es: attack rows, rule rows and the core's snapshot of the same
//! instant land together or not at all, so a process killed at any moment finds a state that agrees with itself. Any number
//! of [`Reader`]s look on meanwhile (WAL). The [`Journal`] of mitigations is a file of its own: its entries are on the disk
//! before anything is announced, and wait for nobody's snapshot. So is the [`Outbox`] of notifications, and what people
//! decided while the daemon ran ([`Policies`]).
//!
//! Deliberately unknown here: what an attack or a rule *means*. Documents come as JSON text and go out as they came; only the
//! columns that queries need stand beside them. No thread lives here either: the roof runs the writer where it likes.
#![forbid(unsafe_code)]

mod batch;
mod copy;
mod drills;
mod error;
mod expiry;
mod journal;
mod outbox;
mod policies;
mod reader;
mod schema;
mod writer;

pub use batch::{AttackRow, Ban, Batch, RuleRow, Snapshot};
pub use copy::{copy, examine, known};
pub use drills::Drilled;
pub use error::StoreError;
pub use expiry::{Held, attacks_held, lines_held};
pub use journal::{Journal, Line};
pub use outbox::{EventRow, MessageRow, Outbox, ToldRow, Waiting};
pub use policies::Policies;
pub use reader::{Cursor, Filter, Reader};
pub use schema::{Durability, open};
pub use writer::Writer;
