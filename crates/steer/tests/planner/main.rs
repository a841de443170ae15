//! Plans are judged by arithmetic of their own: nothing of the planner's is used but its door.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers of a test are small"
)]

#[path = "../../../../benches/src/bin/planner/worlds.rs"]
mod documents;
mod judge;
mod live;
mod meaning;
mod oracle;
mod quality;
mod random;
mod refused;
mod sentences;
mod worlds;
