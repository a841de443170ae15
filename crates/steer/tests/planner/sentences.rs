//! Sentences on sacrifices.
