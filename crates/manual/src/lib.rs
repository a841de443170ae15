//! What users read: the pages of `manual/`, which the binary carries, and how they are found, printed and shown.
//!
//! A [`Book`] has the chapters of `manual/src/SUMMARY.md` in their order. Most of them are written down; the reference is made from
//! code by whoever knows it (the roof) and handed in as text. This crate knows Markdown, and nothing of what the pages say.
#![forbid(unsafe_code)]

mod book;
pub mod html;
mod markdown;
mod search;
pub mod text;

pub use book::{Book, Page};
pub use search::Hit;

include!("made.rs");

/// The chapters that have to be handed in, as SUMMARY.md names them.
pub fn made() -> &'static [&'static str] {
    MADE
}
