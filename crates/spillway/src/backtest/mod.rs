//! One recording under two configurations: which attacks come, go or look different.

pub mod compare;
pub mod incident;
pub mod table;

pub use compare::{Change, Row, compare};
pub use incident::{Incident, Incidents};
