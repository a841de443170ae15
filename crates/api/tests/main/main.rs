//! The API through its door: requests go in, documents come out.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod access;
mod customers;
mod documents;
mod world;
