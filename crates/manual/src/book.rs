//! The chapters in their order, and the files of an mdBook.

use std::borrow::Cow;

use crate::search::{self, Hit, Section};

include!(concat!(env!("OUT_DIR"), "/written.rs"));

/// One chapter.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it stands, without `.md`: `how-to/junos`.
    pub path: String,
    /// What the table of contents calls it.
    pub title: String,
    /// The part that it stands in, like `How to`; empty before the first.
    pub part: String,
    /// Its Markdown.
    pub text: Cow<'static, str>,
}

/// All chapters.
#[derive(Clone, Debug)]
pub struct Book {
    pages: Vec<Page>,
    sections: Vec<Section>,
}

impl Book {
    /// The written chapters, and these made ones: file names of [`crate::made`] with their Markdown. A chapter that is neither is left out.
    pub fn new(made: &[(&str, String)]) -> Self {
        let mut pages = Vec::new();
        let mut part = String::new();
        for line in SUMMARY.lines() {
            if let Some(title) = line.strip_prefix("# ").filter(|title| *title != "Summary") {
                title.clone_into(&mut part);
            }
            let Some((title, file)) = entry(line) else { continue };
            let written = || WRITTEN.iter().find(|(name, _)| *name == file);
            let text = match made.iter().find(|(name, _)| *name == file) {
                Some((_, text)) => Cow::Owned(text.clone()),
                None => match written() {
                    Some((_, text)) => Cow::Borrowed(*text),
                    None => continue,
                },
            };
            let path = file.trim_end_matches(".md").to_owned();
            pages.push(Page { path, title: title.to_owned(), part: part.clone(), text });
        }
        let sections = pages.iter().enumerate().flat_map(|(at, page)| search::sections(at, page)).collect();
        Self { pages, sections }
    }

    /// All of them in the order of the table of contents.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The page of this path, or of this last part of its path where only one has it.
    pub fn find(&self, name: &str) -> Option<&Page> {
        let name = name.trim_matches('/').trim_end_matches(".md");
        let whole = self.pages.iter().find(|page| page.path == name);
        whole.or_else(|| {
            let last = |page: &&Page| page.path.rsplit('/').next() == Some(name);
            let mut found = self.pages.iter().filter(last);
            found.next().filter(|_| found.next().is_none())
        })
    }

    /// Sections that have all of these words, the best first, at most `most`.
    pub fn search(&self, words: &str, most: usize) -> Vec<Hit<'_>> {
        search::search(&self.pages, &self.sections, words, most)
    }

    /// The files of the whole as an mdBook: names and texts.
    pub fn files(&self) -> Vec<(String, &str)> {
        let fixed = [("book.toml".to_owned(), BOOK), ("src/SUMMARY.md".to_owned(), SUMMARY)];
        let pages = self.pages.iter().map(|page| (format!("src/{}.md", page.path), page.text.as_ref()));
        fixed.into_iter().chain(pages).collect()
    }
}

/// Title and file of a line of the table of contents.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (before, rest) = line.split_once("](")?;
    let (_, title) = before.split_once('[')?;
    let (file, _) = rest.split_once(')')?;
    file.ends_with(".md").then_some((title, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_path_by_name_and_by_words() {
        let made =
            [("reference/metrics.md", "# Metrics\n\nspillway_x: an odd number of zebras\n".to_owned())];
        let book = Book::new(&made);
        assert_eq!(book.find("reference/metrics").unwrap().title, "Metrics");
        assert_eq!(book.find("metrics").unwrap().part, "Reference");
        assert!(book.find("no-such-page").is_none());
        let hits = book.search("Zebras odd", 9);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].page.path, "reference/metrics");
        assert!(hits[0].line.contains("zebras"));
        assert!(book.search("zebras unheard-of", 9).is_empty());
        assert!(book.search("  ", 9).is_empty());
        // what was not handed in is not there
        assert!(book.find("reference/commands").is_none());
        assert!(book.files().iter().any(|(name, _)| name == "book.toml"));
    }
}
