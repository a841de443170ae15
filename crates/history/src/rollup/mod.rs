//! Sums by minute and hour that outlive samples: what went to and from each own host, by class and protocol.
//!
//! Every record is added to its minute in memory ([`Minutes`]), before anything is thinned. A minute that is over goes into SQLite in
//! one transaction ([`Book`]), an hour that is over is summed up from its minutes; minutes are kept for days, hours for months. A
//! minute has room for so many hosts, the greatest; what the others did stands under their networks, and what finds no room there
//! under all of IPv4 or IPv6: sums stay whole, and an answer says where it cannot tell hosts apart ([`ask()`]).
//!
//! The file holds own hosts, never the other end of anything.

mod ask;
mod book;
mod choose;
mod minutes;
mod plan;

pub use ask::{Rollups, ask, why_not};
pub use book::{Book, Keep, SCHEMA, Turned};
pub use choose::{Wanted, answer};
pub use minutes::{Minutes, Shelf};

use base::Span;

/// What the rows of the file are sums of, at least.
pub(crate) const MINUTE: Span = Span::from_secs(60);
/// And in the end.
pub(crate) const HOUR: Span = Span::from_secs(3_600);
/// Bits of a host's address, as [`base::prefix::wide`] writes it.
pub(crate) const HOST: u8 = 128;
