//! A BGP speaker (RFC 4271) that announces mitigations and keeps little of what it hears.
//!
//! * [`step`] is the state machine as a table;
//! * [`session`] does what the table says: messages, timers, negotiation;
//! * [`out`] knows what a peer shall have, what it has, and which routes it did not survive;
//! * [`dialect`] says FlowSpec as the peer reads it.
//!
//! [`Peer`] joins them. Each has the four verbs of every core here: `handle`, `handle_timeout`, `poll_timeout`,
//! `poll_output`.

pub mod dialect;
pub mod out;
pub mod peer;
pub mod session;
pub mod step;

pub use dialect::Dialect;
pub use out::{Out, Pacing, Route};
pub use peer::Peer;
pub use session::{Down, Input, Negotiated, Output, Session, Settings};
