//! A page for a terminal.

use crate::book::Page;
use crate::markdown::{self, Line};

/// Columns of a line of prose at most. Code and tables are as wide as they are.
const WIDTH: usize = 100;

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

/// The page, line by line: what each is, and its text. Paragraphs are filled anew.
pub fn lines(page: &Page) -> Vec<(Kind, String)> {
    let mut out: Vec<(Kind, String)> = Vec::new();
    let mut paragraph = String::new();
    for line in markdown::lines(&page.text) {
        match line {
            Line::Text(text) if !text.trim().is_empty() && !text.starts_with('|') => {
                if begins_an_item(&text) {
                    fill(&mut paragraph, &mut out);
                    paragraph = text;
                } else {
                    let glue = if paragraph.is_empty() { "" } else { " " };
                    paragraph.push_str(glue);
                    paragraph.push_str(if glue.is_empty() { &text } else { text.trim_start() });
                }
                continue;
            }
            other => {
                fill(&mut paragraph, &mut out);
                let (kind, text) = match other {
                    Line::Heading(depth, text) => (Kind::Heading(depth), text),
                    Line::Code(text) if text.is_empty() => (Kind::Code, text),
                    Line::Code(text) => (Kind::Code, format!("    {text}")),
                    Line::Text(text) => (Kind::Text, text),
                };
                // one empty line says as much as two
                let empty = |last: &(Kind, String)| last.1.is_empty() && last.0 != Kind::Code;
                if !(text.is_empty() && kind == Kind::Text && out.last().is_none_or(empty)) {
                    out.push((kind, text));
                }
            }
        }
    }
    fill(&mut paragraph, &mut out);
    out
}

/// `* this`, `- this` and `12. this`, however far set in.
fn begins_an_item(line: &str) -> bool {
    marker(line) > 0
}

/// Columns in front of the words of an item; 0: it is none.
fn marker(line: &str) -> usize {
    let words = line.trim_start();
    let set_in = line.len() - words.len();
    if words.starts_with("* ") || words.starts_with("- ") {
        return set_in + 2;
    }
    let digits = words.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && words.get(digits..).is_some_and(|rest| rest.starts_with(". ")) {
        return set_in + digits + 2;
    }
    0
}

/// Breaks a paragraph between words; what follows in an item is set in as its words are.
fn fill(paragraph: &mut String, out: &mut Vec<(Kind, String)>) {
    let text = std::mem::take(paragraph);
    let hanging = " ".repeat(marker(&text));
    let set_in = text.len() - text.trim_start().len();
    let mut line = " ".repeat(set_in);
    for word in text.split_whitespace() {
        let begun = !line.trim().is_empty();
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push((Kind::Text, std::mem::replace(&mut line, hanging.clone())));
        } else if begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        out.push((Kind::Text, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_filled_and_code_stays_as_it_is() {
        let long = "word ".repeat(30);
        let text = format!(
            "# T\n\nshort\nlines\n\n* {long}\n  and more\n12. two\n\n\n| a | b |\n```console\n$  x\n```\n"
        );
        let page = Page { path: String::new(), title: String::new(), part: String::new(), text: text.into() };
        let lines = lines(&page);
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts[..3], ["T", "", "short lines"]);
        assert!(texts[4].starts_with("* word") && texts[4].chars().count() <= WIDTH, "{texts:?}");
        assert!(texts[5].starts_with("  word") && texts[5].ends_with("and more"), "{texts:?}");
        assert_eq!(texts[6..], ["12. two", "", "| a | b |", "    $  x"]);
        assert_eq!(lines.last().unwrap().0, Kind::Code);
    }
}
