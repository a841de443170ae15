//! A configuration being written: each value with the place it came from.

use std::fmt::Display;

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Draft(String);

impl Draft {
    /// A sentence for the one who reads the file.
    pub(super) fn comment(&mut self, text: impl Display) {
        self.line(format_args!("# {text}"));
    }

    /// A section, by its path.
    pub(super) fn section(&mut self, path: impl Display) {
        self.line("");
        self.line(format_args!("[{path}]"));
    }

    /// A key, its value as TOML, and where it came from.
    pub(super) fn value(&mut self, key: &str, value: impl Display, from: impl Display) {
        self.line(format_args!("{key} = {value}  # {from}"));
    }

    /// A list, an entry a line.
    pub(super) fn list(&mut self, key: &str, entries: impl IntoIterator<Item = (String, String)>) {
        self.line(format_args!("{key} = ["));
        for (entry, from) in entries {
            self.line(format_args!("    {},  # {from}", quoted(&entry)));
        }
        self.line("]");
    }

    /// As it is.
    pub(super) fn line(&mut self, text: impl Display) {
        self.0.push_str(text.to_string().trim_end());
        self.0.push('\n');
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A TOML basic string; the sources hold no control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
