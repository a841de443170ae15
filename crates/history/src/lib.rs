//! Floor 3: flow samples that can be asked about later.
//!
//! A [`Sample`] says that packets went between an own host and another one. Who sees more of them than may be kept thins them
//! ([`Thinner`]) so that sums stay unbiased. A [`Recorder`] keeps the newest in memory and spills them into segments: Parquet files in
//! the order of (target, time), which anything that reads Parquet opens as they are. [`merge`] makes one segment of an hour's many,
//! [`retain`] deletes the oldest whole files. [`ask`] answers questions in a filter language ([`Filter`]) from both. Sums by minute and
//! hour ([`rollup`]) outlive them.
//!
//! Deliberately unknown here: what an attack is, whose an address is, and what a pseudonym hides: addresses are kept as they are
//! handed in. No thread and no clock live here: the roof brings both.
#![forbid(unsafe_code)]

mod batch;
mod chunk;
mod column;
mod error;
mod export;
mod filter;
mod merge;
mod order;
mod place;
mod query;
mod recent;
mod recorder;
mod retain;
pub mod rollup;
mod sample;
mod segment;
mod thin;

pub use batch::Batch;
pub use column::{Column, Field};
pub use error::HistoryError;
pub use export::{Exported, Parcel, csv_header, csv_line, export};
pub use filter::{BadFilter, Filter};
pub use merge::{Merged, merge};
pub use query::{Answer, Archive, Kept as KeptAs, Measure, Question, Scanned, Sum, Value, Work, ask, walk};
pub use recent::Recent;
pub use recorder::{Counts, Recorder, Spilling};
pub use retain::{Limits, Retained, Usage, retain, usage};
pub use sample::{Direction, Sample};
pub use thin::{Kept, Thinner};
