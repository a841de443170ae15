//! What is written is found again: by every question, whatever was pruned, merged, torn or cut off.

mod agreement;
mod disk;
mod facts;
mod python;

mod questions;
