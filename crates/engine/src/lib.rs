//! Floor 2: one state machine. Records and ticks go in, attacks come out.
//!
//! Has no clock, no socket, no file and no thread: time is in every input, and the same inputs give the same outputs,
//! byte for byte, whatever the number of shards and the seed of the tables.
#![forbid(unsafe_code)]

mod areas;
mod closed;
mod conduct;
pub mod core;
mod example;
pub mod feeds;
mod filtered;
mod frozen;
mod incident;
mod kin;
mod late;
mod limits;
mod look;
pub mod outcome;
mod peers;
mod pour;
mod present;
mod reach;
mod received;
pub mod replay;
pub mod report;
mod reservoir;
mod routers;
mod scan;
mod sender;
pub mod service;
pub mod settings;
mod sight;
mod signature;
pub mod silence;
mod sketch;
mod snapshot;
mod target;
mod tick;
mod watch;
mod weekly;
mod weigh;

pub use crate::core::{Engine, Input, Output, RestoreError};
pub use detect::{Shard, ShardTick};
pub use feeds::Feeds;
pub use outcome::Counters;
pub use received::Received;
pub use replay::{Front, Replay};
pub use settings::{Floor, Mode, Profile, Settings};
pub use silence::{Feed, Heard, Hearing};
pub use watch::Ready;
