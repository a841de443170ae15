//! A segment: a Parquet file of samples in the order of (target, time), in row groups of [`GROUP`].
//!
//! Addresses are texts, in dictionaries: DuckDB and pandas show and compare them as they are, a cast makes them `INET`, and a row
//! group of a few targets costs a few texts. What texts cannot tell by their order stands beside them: the footer's key
//! [`TARGETS`] has the least and the greatest target of each row group, as addresses are ordered, for prefixes to be looked up by.
//!
//! **Invariant:** no other module knows `parquet` and `arrow`.

mod quad;
mod read;
mod schema;
mod write;

pub(crate) use read::Segment;
pub(crate) use write::{Sink, write_sorted};

/// Samples of a row group, the unit of reading: what statistics can leave out.
pub(crate) const GROUP: usize = 8_192;
/// Key in the footer: for each row group `LEAST GREATEST`, one a line.
const TARGETS: &str = "spillway.targets";
/// Key in the footer: the networks that were the own ones, one a line. What went out went to none of them.
const NETWORKS: &str = "spillway.networks";
/// Key in the footer that says which columns these are, and in which meaning.
const VERSION: (&str, &str) = ("spillway.samples", "1");
