//! Floor 3: the HTTP face — attacks, rules, mitigations, events, access, metrics.
//!
//! [`router`] turns [`Parts`] into routes: a [`Source`] (what the daemon knows now), a [`store::Reader`] (what it knew before),
//! an [`Operate`] (what it does when asked), [`Flows`] (samples that are kept), [`access::Access`] (who may) and [`Events`] (what happens). Routes and OpenAPI
//! document come from one declaration; who may reach them from one list ([`endpoints`]), read by one door.
//!
//! Deliberately absent: sockets and TLS, which are the roof's, and every decision. What changes something is written down first
//! and handed on in the words of the control socket.
#![forbid(unsafe_code)]

mod attacks;
mod audit;
mod body;
mod change;
mod configuration;
mod disclosures;
mod document;
mod door;
mod endpoints;
mod events;
mod exporters;
mod flows;
mod health;
mod history;
mod ledger;
mod live;
pub mod metrics;
mod mitigations;
pub mod model;
mod notes;
mod operate;
mod plan;
mod preview;
mod problem;
mod router;
mod routing;
mod rules;
mod session;
mod sources;
mod tokens;
mod users;
mod veil;
mod view;
mod words;

pub use door::{Peer, Settings};
pub use endpoints::endpoints;
pub use events::{Events, Kind};
pub use flows::{Flows, FlowsError};
pub use live::{Live, LiveAttack, Source};
pub use operate::{Head, Noted, Operate, Proven};
pub use router::{Parts, openapi, router};
pub use sources::Sources;
