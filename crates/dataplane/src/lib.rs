//! Floor 3: filters in the kernel. What rules mean is said by `rules`; this brings them there and keeps them there.

#![forbid(unsafe_code)]

mod abi;
pub mod attachment;
pub mod decap;
mod error;
pub mod history;
mod host;
pub mod lead;
mod lists;
mod lock;
mod maps;
mod object;
mod plane;
mod policy;
mod privileges;
pub mod probe;
pub mod sampling;

pub use attachment::{Attached, Attachment, Mode};
pub use error::Error;
pub use host::Host;
pub use object::Buffers;
pub use plane::{Clock, Counts, InForce, Installed, Plane, Tally};
pub use policy::Policy;
pub use sampling::{Class, Sample, Sampler};
