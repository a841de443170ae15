//! Who attacks, by packets whose truth is known.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod campaigns;
mod cone;
mod learned;
mod lists;
mod memory;
mod mixture;
mod mixtures;
mod places;
mod shapes;
mod tools;
