//! The command line from outside: files in, lines and exit codes out.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod backtest;
mod bad_input;
mod captures;
mod challenges;
mod daemon;
mod dataplane;
mod decode;
mod demo;
mod help;
mod import;
mod profiles;
#[cfg(test)]
mod recorded;
mod replay;
mod rules;
mod support;
