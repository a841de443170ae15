//! Floor 2: worlds of traffic, with the truth about every packet.
//!
//! A [`World`] is honest customers and their peers, and the events that somebody wrote into its script. It yields packets
//! in the order of time, each with its truth; an [`exporter::Exporter`] turns them into the datagrams a router would send.
//! Everything follows from the seed: same seed, same bytes. Time is virtual.
//!
//! Deliberately knows neither `engine` nor `detect`: who examines must not share a mind with who is examined.
#![forbid(unsafe_code)]

pub mod aimed;
pub mod attack;
pub mod background;
pub mod dump;
pub mod event;
pub mod exporter;
pub mod packet;
pub mod places;
pub mod population;
pub mod rng;
pub mod sampler;
pub mod scenario;
pub mod session;
pub mod world;

pub use event::{Direction, Event, Kind, Shape, Story};
pub use packet::{Nature, Packet, Truth};
pub use world::{Config, World};
