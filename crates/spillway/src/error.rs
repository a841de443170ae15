//! How a command ends: exit code 0 done, 1 failed, 2 wrong use; one line on stderr.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit code of wrong use.
pub const WRONG_USE: u8 = 2;

/// The command was called in a way that can never work; ends with exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Exit code of a comparison that found differences, which it has printed.
pub const DIFFERENT: u8 = 3;

/// Two things that were compared are not the same; ends with exit code 3 and says nothing more.
#[derive(Debug)]
pub struct Different;

impl fmt::Display for Different {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("they differ")
    }
}

impl std::error::Error for Different {}

/// An [`anyhow::Error`] that ends with exit code 2.
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(text.into()))
}

/// Prints an error's chain in one line and gives the exit code.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(failed) = result else { return ExitCode::SUCCESS };
    if failed.chain().any(is_closed_pipe) {
        // `spillway … | head`: the reader has what it wanted.
        return ExitCode::SUCCESS;
    }
    if failed.is::<Different>() {
        return ExitCode::from(DIFFERENT);
    }
    let wrong_use = failed.chain().any(|cause| cause.is::<Usage>());
    complain(&format!("{failed:#}"));
    ExitCode::from(if wrong_use { WRONG_USE } else { 1 })
}

/// One line on stderr, whatever the text holds.
pub fn complain(text: &str) {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    eprintln!("spillway: {printable}");
}

fn is_closed_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    kind.or(json) == Some(io::ErrorKind::BrokenPipe)
}
