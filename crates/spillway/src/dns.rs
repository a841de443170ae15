//! DNS diversion's sockets: what the core of `steer::dnsdiversion` asks for is done here, with signatures (RFC 8945); and the
//! desk that takes orders and keeps the journal.

mod clerk;
pub mod desk;
mod exchange;
mod ledgered;
pub mod order;
mod show;
mod sign;

pub(crate) use desk::FILE as JOURNAL;
pub use desk::{Desk, Door};
