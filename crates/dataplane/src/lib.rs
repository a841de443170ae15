//! Floor 3: filters in the kernel. What rules mean is said by `rules`; this brings them there and keeps them there.

#![forbid(unsafe_code)]

mod abi;
mod error;
mod object;
mod plane;

pub use error::Error;
pub use plane::{Counts, Installed, Plane, Tally};
