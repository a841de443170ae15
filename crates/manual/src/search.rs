//! Finding words: each section of a page by itself, all words in it, titles weigh more.

use crate::book::Page;
use crate::markdown;

/// Octets of a question that are looked at.
const WORDS_MAX: usize = 200;
/// What a word weighs in the title of the page, in the section's heading, and in its text.
const WEIGHTS: (usize, usize) = (30, 15);
/// Times that a word in the text counts at most.
const TIMES_MAX: usize = 5;

/// A heading and what stands below it.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    page: usize,
    heading: String,
    anchor: String,
    lines: Vec<String>,
    /// All of it, small.
    text: String,
}

/// One place.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The page.
    pub page: &'a Page,
    /// The heading of the section.
    pub heading: &'a str,
    /// Its anchor in the page.
    pub anchor: &'a str,
    /// The line that says most of what was asked for.
    pub line: &'a str,
}

/// The sections of a page.
pub(crate) fn sections(at: usize, page: &Page) -> Vec<Section> {
    let mut out: Vec<Section> = Vec::new();
    let mut names = markdown::Names::default();
    for line in markdown::lines(&page.text) {
        match line {
            markdown::Line::Heading(_, heading) => {
                let anchor = names.of(&heading);
                let text = format!("{}\n{}\n", page.title, heading).to_lowercase();
                out.push(Section { page: at, heading, anchor, lines: Vec::new(), text });
            }
            markdown::Line::Code(text) | markdown::Line::Text(text) => {
                if let Some(section) = out.last_mut().filter(|_| !text.is_empty()) {
                    section.text.push_str(&text.to_lowercase());
                    section.text.push('\n');
                    section.lines.push(text);
                }
            }
        }
    }
    out
}

/// Sections with all words.
pub(crate) fn search<'a>(
    pages: &'a [Page],
    sections: &'a [Section],
    words: &str,
    most: usize,
) -> Vec<Hit<'a>> {
    let words: String = words.chars().take(WORDS_MAX).collect();
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, usize, Hit<'a>)> = Vec::new();
    for (order, section) in sections.iter().enumerate() {
        let Some(page) = pages.get(section.page) else { continue };
        if !words.iter().all(|word| section.text.contains(word)) {
            continue;
        }
        let (title, heading) = (page.title.to_lowercase(), section.heading.to_lowercase());
        let weight = |word: &&str| {
            let times = section.text.matches(*word).take(TIMES_MAX).count();
            let titled = if title.contains(*word) { WEIGHTS.0 } else { 0 };
            times + titled + if heading.contains(*word) { WEIGHTS.1 } else { 0 }
        };
        let score = words.iter().map(weight).sum();
        let says = |line: &&String| {
            let line = line.to_lowercase();
            words.iter().filter(|word| line.contains(**word)).count()
        };
        // of equal ones the first
        let line = section.lines.iter().rev().max_by_key(says).map_or("", String::as_str);
        let hit = Hit { page, heading: &section.heading, anchor: &section.anchor, line };
        found.push((score, order, hit));
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().take(most).map(|(_, _, hit)| hit).collect()
}
