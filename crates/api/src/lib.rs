//! Floor 3: the read-only HTTP face — attacks, rules, exporters, health, metrics.
//!
//! [`router`] turns a [`Source`] (what the daemon knows now) and a [`store::Reader`] (what it knew before) into routes; routes
//! and OpenAPI document come from one declaration. Deliberately absent: every way to change something, and access control.
//! That is why the roof binds this to loopback only, and why requests that name another host are refused.
#![forbid(unsafe_code)]

mod attacks;
mod exporters;
mod health;
mod live;
pub mod metrics;
pub mod model;
mod problem;
mod router;
mod rules;
mod sources;

pub use live::{Live, LiveAttack, Source};
pub use router::{openapi, router};
pub use sources::Sources;
