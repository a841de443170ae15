//! The manual of this very binary: pages that are written down, and a reference that is made from the code that it describes.
//!
//! Nothing of the reference is kept: it is made when somebody asks, so that it cannot be out of date.

mod api;
mod commands;
mod configuration;
mod metrics;
mod profiles;
mod roles;
mod vectors;
mod verdicts;

use std::sync::LazyLock;

pub use manual::Book;
use serde_json::Value;

/// A chapter's Markdown.
type Make = fn() -> String;

/// Every made chapter.
const CHAPTERS: [(&str, Make); 8] = [
    ("reference/configuration.md", configuration::page),
    ("reference/commands.md", commands::page),
    ("reference/api.md", api::page),
    ("reference/metrics.md", metrics::page),
    ("reference/vectors.md", vectors::page),
    ("reference/verdicts.md", verdicts::page),
    ("reference/profiles.md", profiles::page),
    ("reference/roles.md", roles::page),
];

/// The whole; the first call makes the reference.
pub fn book() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| Book::new(&CHAPTERS.map(|(name, make)| (name, make()))));
    &BOOK
}

/// The keys that a JSON schema asks for.
fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// A text within a cell of a table or a line of a list.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chapter_that_has_to_be_made_is_made_and_says_something() {
        let names: Vec<&str> = CHAPTERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, manual::made());
        for (name, make) in CHAPTERS {
            let text = make();
            assert!(text.starts_with("# ") && text.lines().count() > 20, "{name}: {text}");
        }
    }
}
