//! Standard output: its three formats, and colours where a person looks.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;

/// What `-o` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One document.
    Json,
    /// One object a line.
    Jsonl,
    /// For people.
    Text,
}

/// Whether a person looks at standard output.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Standard output with a buffer; flush before reporting an error.
pub fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// One object, one line.
pub fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// One document, indented.
pub fn document(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Colours, or none: only on a terminal, and never with `NO_COLOR` (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// For standard output.
    pub fn stdout() -> Self {
        Self::allowed(io::stdout().is_terminal())
    }

    /// For standard error.
    pub fn stderr() -> Self {
        Self::allowed(io::stderr().is_terminal())
    }

    /// None.
    pub const fn plain() -> Self {
        Self(false)
    }

    fn allowed(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Self(terminal && !refused)
    }

    /// For what matters most.
    pub fn bold(self, text: impl std::fmt::Display) -> String {
        self.with("1", text)
    }

    /// For what stands in the background.
    pub fn dim(self, text: impl std::fmt::Display) -> String {
        self.with("2", text)
    }

    /// For harm.
    pub fn red(self, text: impl std::fmt::Display) -> String {
        self.with("1;31", text)
    }

    /// For what works.
    pub fn green(self, text: impl std::fmt::Display) -> String {
        self.with("32", text)
    }

    /// For doubt.
    pub fn yellow(self, text: impl std::fmt::Display) -> String {
        self.with("33", text)
    }

    /// For names that can be copied.
    pub fn cyan(self, text: impl std::fmt::Display) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: impl std::fmt::Display) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
