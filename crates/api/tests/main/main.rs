//! The API through its door: requests go in, documents come out.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod access;
mod audited;
mod customers;
mod documents;
mod evidence;
mod explanation;
mod flows;
mod map;
mod pages;
mod rejects;
mod web;
mod world;
