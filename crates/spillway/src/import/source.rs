//! A foreign text file in lines, each of which knows its place.

use std::path::{Path, PathBuf};

use crate::config::Problem;

/// A file as read.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    text: String,
}

/// A line that says something, without the space around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    source: &'a Source,
    offset: usize,
    /// What it says.
    pub(super) text: &'a str,
}

impl Source {
    /// Reads a file. Comments may be in any old encoding; what is not UTF-8 matches nothing later.
    pub(super) fn read(path: &Path, remedy: &str) -> Result<Self, Problem> {
        match std::fs::read(path) {
            Ok(bytes) => {
                Ok(Self { path: path.to_path_buf(), text: String::from_utf8_lossy(&bytes).into_owned() })
            }
            Err(cause) => Err(Problem::of_file(path, format!("cannot be read: {cause}; {remedy}"))),
        }
    }

    /// Its lines but the empty ones and the comments, which begin with `#`.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut next = 0;
        let lines = self.text.split('\n').map(move |raw| {
            let start = next;
            next += raw.len() + 1;
            let text = raw.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            Line { source: self, offset: start + raw.len() - text.len(), text: text.trim_end() }
        });
        lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
    }

    /// About the file as such.
    pub(super) fn problem(&self, message: String) -> Problem {
        Problem::of_file(&self.path, message)
    }

    /// Its name without the folder.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

impl Line<'_> {
    /// About this line.
    pub(super) fn problem(&self, message: String) -> Problem {
        Problem::at(&self.source.path, &self.source.text, self.offset, message)
    }

    /// `networks_list:7`.
    pub(super) fn place(&self) -> String {
        let before = self.source.text.get(..self.offset).unwrap_or("");
        format!("{}:{}", self.source.name(), before.matches('\n').count() + 1)
    }
}
