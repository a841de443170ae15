//! Floor 3: telling people of attacks, and of what is amiss with what protects from them.
//!
//! A [`Brief`] of an attack comes in by [`Router::hear`], which decides what each channel is to hear of it. That goes into the
//! outbox (`store::Outbox`) before anything is sent; a [`Carrier`] for each channel makes [`Message`]s of it, sends them in
//! order, tries again, hands over to the second path, and buries what cannot be delivered. All channels say the same: one
//! document with a version ([`SCHEMA`]), of which mail, chats and syslog show the words.
//!
//! Deliberately unknown here: what an attack is (the roof makes the brief), and threads: the roof runs a carrier in each of
//! its own, so that an endpoint that hangs holds up nobody else. Disclosures are unknown, too: nothing here can tell of one.
#![forbid(unsafe_code)]

mod backoff;
mod brief;
mod carrier;
pub mod channel;
mod counts;
mod message;
mod router;
mod settings;
mod words;

pub use brief::{Brief, Event, EventKind, Rule, Severity, Sources, Trouble, Vector};
pub use carrier::{Carrier, Step};
pub use counts::Counts;
pub use message::{EVENTS_MAX, Message, SCHEMA, SCHEMA_NAME};
pub use router::{Router, Writing};
pub use settings::{Facility, Kind, Mail, Secret, Security, Settings, Syslog, Target};
