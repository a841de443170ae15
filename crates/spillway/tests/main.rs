//! The command line from outside: files in, lines and exit codes out.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod access;
mod administrator;
mod backtest;
mod bad_input;
mod captures;
mod challenges;
mod daemon;
mod dataplane;
mod decode;
mod demo;
mod disclosure;
mod dns;
#[cfg(test)]
mod dossier;
mod enforce;
#[cfg(test)]
mod evidence;
mod flows;
mod help;
mod import;
mod ledger;
mod metrics;
mod notify;
mod plan;
mod privacy;
mod profiles;
#[cfg(test)]
mod recorded;
mod replay;
mod returning;
mod routing;
mod rules;
mod sampled;
mod service;
mod support;
mod trouble;
mod web;
#[cfg(test)]
mod witness;
