//! Plans are judged by arithmetic of their own: nothing of the planner's is used but its door.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod judge;
mod live;
mod meaning;
mod oracle;
mod random;
mod refused;
mod sentences;
mod worlds;
