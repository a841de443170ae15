//! Floor 3: filters in the kernel. What rules mean is said by `rules`; this brings them there and keeps them there.

#![forbid(unsafe_code)]

mod abi;
pub mod attachment;
mod counted;
pub mod decap;
mod engine;
mod error;
mod fixed;
mod gateway;
mod heartbeat;
pub mod history;
mod host;
mod increments;
pub mod lead;
mod limits;
mod lists;
mod lock;
mod maps;
pub mod nft;
mod object;
mod optional;
mod own;
mod plane;
mod policy;
mod privileges;
pub mod probe;
mod protection;
mod proven;
pub mod returning;
pub mod sampling;
mod scope;
mod sessions;
mod telemetry;
mod way;

pub use attachment::{Attached, Attachment, Mode};
pub use counted::{Counts, InForce, Tally};
pub use error::Error;
pub use fixed::Program;
pub use host::Host;
pub use increments::Removed;
pub use object::Buffers;
pub use optional::Lacking;
pub use plane::{Clock, Plane};
pub use policy::{Engine, Policy};
pub use protection::{Challenge, Protection, Stray};
pub use proven::{Proof, Proven};
pub use sampling::{Class, Sample, Sampler};
pub use scope::{Allow, Block, Ceiling, Scope};
pub use sessions::Session;
pub use telemetry::{Listener, Told};
pub use way::Installed;
