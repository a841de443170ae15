//! The roof: command line, files, sockets, clock and wiring.
//!
//! Everything that decides stands on the floors below and knows none of this. One file per command in [`cmd`], one
//! line per command in its list.
#![forbid(unsafe_code)]

pub mod absorb;
pub mod backtest;
pub mod backup;
pub mod capture;
pub mod card;
mod channels;
pub mod cli;
pub mod client;
pub mod cmd;
mod companion;
pub mod config;
pub mod daemon;
pub mod demo;
mod desk;
pub mod disclosure;
pub mod dns;
pub mod doctor;
pub mod dossier;
mod enforce;
pub mod error;
pub mod evidence;
mod folder;
mod history;
pub mod import;
pub mod interrupt;
pub mod lab;
pub mod ledger;
pub mod manual;
pub mod output;
mod policy;
mod preview;
pub mod privacy;
mod profile;
pub mod progress;
pub mod replay;
pub mod routing;
mod simulate;
pub mod support;
pub mod top;
mod witness;
