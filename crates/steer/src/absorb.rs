//! How the brain and its absorbers speak with each other: both ends, without a socket and without a clock.
//!
//! [`Controller`] is the brain's end of one conversation, [`Site`] the absorber's end of all of its. What the brain wants is a state, not
//! a list of orders: after a break the absorber says what it holds ([`word::Hold`]) and the difference is mended. Everything at
//! the absorber is a lease: what the brain does not renew ends by itself, also where nobody is left to end it.
//!
//! **Invariant:** a prefix stands, for the brain, only while the absorber said so and its lease, counted from when the brain asked
//! for it, has not ended. So it never stands here longer than there.

mod controller;
mod frame;
mod lost;
mod others;
mod site;
mod truth;
pub mod word;

pub use controller::{Controller, Settings, Standing};
pub use frame::{FRAME_MAX, Fault, Frames, write};
pub use lost::Lost;
pub use others::Others;
pub use site::{Counts, Keepsake, Site};
pub use truth::{Lie, Truth};
