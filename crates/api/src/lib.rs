//! Floor 3: the HTTP face — attacks, rules, mitigations, events, access, metrics.
//!
//! [`router`] turns [`Parts`] into routes: a [`Source`] (what the daemon knows now), a [`store::Reader`] (what it knew before),
//! an [`Operate`] (what it does when asked), [`Flows`] (samples that are kept), [`access::Access`] (who may) and [`Events`] (what happens). Routes and OpenAPI
//! document come from one declaration; who may reach them from one list ([`endpoints`]), read by one door.
//!
//! Deliberately absent: sockets and TLS, which are the roof's, and every decision. What changes something is written down first
//! and handed on in the words of the control socket.
#![forbid(unsafe_code)]

mod allow;
mod attacks;
mod audit;
mod backups;
mod body;
mod capacity;
mod change;
mod closing;
mod configuration;
mod counted;
mod course;
mod disclosures;
mod doctor;
mod document;
mod door;
mod endpoints;
mod events;
mod evidence;
mod exceptions;
pub mod explanation;
mod exporters;
mod flows;
mod greeting;
mod health;
mod history;
mod intelligence;
mod ledger;
mod live;
mod made;
mod manual;
mod map;
mod measures;
pub mod metrics;
mod mitigations;
mod mode;
pub mod model;
mod notes;
mod notifications;
mod operate;
mod packets;
mod parcel;
mod plan;
mod preview;
mod problem;
pub mod report;
mod router;
mod routing;
mod rules;
mod session;
mod simulate;
mod sources;
mod stage;
mod targets;
mod tokens;
mod traffic;
mod uploaded;
mod users;
mod veil;
mod view;
mod web;
mod words;

pub use capacity::Bounds;
pub use course::{Course, VectorCourse};
pub use disclosures::PayloadShown;
pub use doctor::{Diagnosis, Finding, Gravity};
pub use door::{Peer, Settings};
pub use endpoints::endpoints;
pub use events::{Events, Kind};
pub use evidence::{Evidence, EvidenceFile, EvidenceShown};
pub use explanation::{Explanation, explain, meaning};
pub use flows::{Flows, FlowsError};
pub use intelligence::{Campaign, CampaignAttack, Intelligence, Likeness, NetworkLine, ReflectorLine};
pub use live::{Brief, Live, LiveAttack, Source};
pub use map::{Origin, Origins, Share, Site};
pub use operate::{Backup, Channel, Disclosed, Head, Noted, Operate, Proven, Told, Tried};
pub use packets::{Packets, SamplePacket};
pub use preview::{PreviewHost, of_samples as preview_samples};
pub use router::{Parts, openapi, router};
pub use sources::Sources;
pub use traffic::{SECONDS_MAX, Second, Usual};
pub use uploaded::{CaptureHit, CapturePreview};
pub use view::subject;
