//! A page for a terminal.

use crate::book::Page;
use crate::markdown::{self, Line};

/// What a line is, for whoever paints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A heading of this depth, from 1.
    Heading(usize),
    /// A command, a file, an answer.
    Code,
    /// Prose, a list, a row of a table.
    Text,
}

/// The page, line by line: what each is, and its text.
pub fn lines(page: &Page) -> Vec<(Kind, String)> {
    let line = |line| match line {
        Line::Heading(depth, text) => (Kind::Heading(depth), text),
        Line::Code(text) => (Kind::Code, if text.is_empty() { text } else { format!("    {text}") }),
        Line::Text(text) => (Kind::Text, text),
    };
    let mut out: Vec<(Kind, String)> = Vec::new();
    for (kind, text) in markdown::lines(&page.text).into_iter().map(line) {
        // one empty line says as much as two
        let empty = |last: &(Kind, String)| last.1.is_empty() && last.0 != Kind::Code;
        if text.is_empty() && kind == Kind::Text && out.last().is_none_or(empty) {
            continue;
        }
        out.push((kind, text));
    }
    out
}
