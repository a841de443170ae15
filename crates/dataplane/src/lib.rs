//! Floor 3: filters in the kernel. What rules mean is said by `rules`; this brings them there and keeps them there.

#![forbid(unsafe_code)]

mod abi;
pub mod attachment;
mod engine;
mod error;
mod fixed;
mod host;
mod increments;
mod lists;
mod maps;
mod object;
mod plane;
mod policy;
mod way;

pub use attachment::{Attached, Attachment, Mode};
pub use error::Error;
pub use fixed::Program;
pub use host::Host;
pub use increments::Removed;
pub use plane::{Clock, Counts, InForce, Plane, Tally};
pub use policy::{Engine, Policy};
pub use way::Installed;
