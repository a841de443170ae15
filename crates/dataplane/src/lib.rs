//! Floor 3: filters in the kernel. What rules mean is said by `rules`; this brings them there and keeps them there.

#![forbid(unsafe_code)]

mod abi;
pub mod attachment;
mod engine;
mod error;
mod gateway;
mod heartbeat;
mod host;
mod increments;
mod limits;
mod lists;
mod maps;
mod object;
mod own;
mod plane;
mod policy;
mod protection;
mod proven;
mod scope;
mod sessions;
mod telemetry;
mod way;

pub use attachment::{Attached, Attachment, Mode};
pub use error::Error;
pub use host::Host;
pub use increments::Removed;
pub use plane::{Clock, Counts, InForce, Plane, Program, Tally};
pub use policy::{Engine, Policy};
pub use protection::{Challenge, Protection, Stray};
pub use proven::{Proof, Proven};
pub use scope::{Allow, Block, Ceiling, Scope};
pub use sessions::Session;
pub use telemetry::{Listener, Told};
pub use way::Installed;
