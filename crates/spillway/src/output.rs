//! Standard output: its formats, and colours where a person looks.
//!
//! A command prints one document, one object a line, or text for people. Tables and comma-separated values are made of the objects
//! here, in one place, so that whatever prints `jsonl` prints them, too.

pub mod rows;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::sync::OnceLock;

use serde::Serialize;

use rows::{Rows, Shape};

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

/// How rows are laid out; of the process, as standard output is.
static SHAPE: OnceLock<Shape> = OnceLock::new();

/// From now on objects on standard output are rows of this shape.
pub(crate) fn lay_out(shape: Shape) {
    // One process is one command line: a second call would say the same.
    let _ = SHAPE.set(shape);
}

/// Whether objects become rows with columns.
pub(crate) fn is_laid_out() -> bool {
    SHAPE.get().is_some()
}

/// Standard output.
#[derive(Debug)]
pub struct Out {
    plain: BufWriter<StdoutLock<'static>>,
    rows: Option<Rows>,
}

/// Standard output with a buffer; flush before reporting an error.
pub fn stdout() -> Out {
    stdout_of(&[])
}

/// Likewise; where rows are laid out, these are the columns.
pub fn stdout_of(columns: &[&str]) -> Out {
    let rows = SHAPE.get().map(|shape| Rows::new(*shape, columns));
    Out { plain: BufWriter::with_capacity(1 << 16, io::stdout().lock()), rows }
}

impl Write for Out {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match &mut self.rows {
            Some(rows) => rows.take(octets, &mut self.plain).map(|()| octets.len()),
            None => self.plain.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(rows) = &mut self.rows {
            rows.flush(&mut self.plain)?;
        }
        self.plain.flush()
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // Who wants to know flushes before.
        let _ = self.flush();
        if let Some(left_out) = self.rows.as_ref().map(Rows::left_out).filter(|count| *count > 0) {
            crate::error::complain(&format!(
                "{left_out} cells are left out, for their column came up after the first rows; `-o jsonl` has all"
            ));
        }
    }
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
