//! Which step is chosen, and how an attack goes up and down the ladder.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod choice;
mod climb;
mod story;
mod together;
mod town;
