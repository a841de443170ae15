//! The command line from outside: files in, lines and exit codes out.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod access;
mod administrator;
mod backtest;
mod backup;
mod bad_input;
mod bundle;
mod campaign;
mod captures;
mod challenges;
mod cone;
mod daemon;
mod dataplane;
mod decode;
mod demo;
mod disclosure;
mod dns;
mod doctor;
#[cfg(test)]
mod dossier;
mod enforce;
#[cfg(test)]
mod evidence;
mod first;
mod flows;
mod formats;
mod help;
mod import;
mod init;
mod intel;
mod keys;
mod ledger;
mod manual;
mod metrics;
mod notify;
mod plan;
mod policy;
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
mod simulate;
mod store;
mod support;

mod top;
mod trouble;
mod web;
#[cfg(test)]
mod witness;
