//! What is wrong, where, and what to do: `FILE:LINE:COLUMN: sentence`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; `None` when it is about the file as such.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What and which remedy.
    pub message: String,
}

impl Problem {
    /// About the file as such.
    pub(crate) fn of_file(file: &Path, message: String) -> Self {
        Self { file: file.to_path_buf(), line: None, column: None, message }
    }

    /// A configuration that cannot be read; `maker` writes one.
    pub(crate) fn unreadable(file: &Path, cause: &std::io::Error, maker: &str) -> Self {
        let remedy = match cause.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "it is kept from others, for it may hold secrets: use sudo".to_owned()
            }
            _ => format!("name the file with -c FILE, or let `{maker}` write one"),
        };
        Self::of_file(file, format!("cannot be read: {cause}; {remedy}"))
    }

    /// At an octet of the text.
    pub(crate) fn at(file: &Path, text: &str, offset: usize, message: String) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Self { file: file.to_path_buf(), line: Some(line), column: Some(column), message }
    }

    /// What the TOML reader says, in the words of an operator.
    pub(super) fn of_toml(file: &Path, text: &str, wrong: &toml::de::Error) -> Self {
        let offset = wrong.span().map_or(0, |span| span.start);
        let mut message = in_plain_words(wrong.message());
        // which value it is about does not stand in what the reader says
        let told = ["unknown key", "missing key"].iter().any(|kind| message.starts_with(kind));
        if !told
            && let Some(key) = key_at(text, offset)
            && !message.contains(key.rsplit('.').next().unwrap_or(&key))
        {
            message = format!("`{key}`: {message}");
        }
        Self::at(file, text, offset, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// Examples for keys that must be there.
const EXAMPLES: [(&str, &str); 11] = [
    ("networks", "add a line like networks = [\"198.51.100.0/24\"] at the top"),
    ("path", "add a line like path = \"/usr/local/bin/notify.sh\""),
    ("asn", "add a line like asn = 64512"),
    ("router_id", "add a line like router_id = \"192.0.2.1\""),
    ("address", "add a line like address = \"192.0.2.1\""),
    ("capacity", "add a line like capacity = \"10 Gbps\""),
    ("prefix", "add a line like prefix = \"198.51.100.0/24\""),
    ("name", "add a line like name = \"scrub-1\""),
    ("kind", "add a line like kind = \"webhook\", or email, slack, telegram, syslog, exec"),
    ("key", "add a line like key = \"/etc/spillway/absorb.key\""),
    ("carries", "add a line like carries = [\"blackhole\", \"flowspec\"]"),
];

/// serde's sentences, which are its interface ("unknown field `x`, expected one of `a`, `b`"), turned into ours.
fn in_plain_words(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message);
    let mut names = message.split('`').skip(1).step_by(2);
    let subject = names.next().unwrap_or("");
    let known: Vec<&str> = names.collect();
    if message.starts_with("unknown field") {
        return format!("unknown key `{subject}`; {}", suggestion(subject, &known));
    }
    if message.starts_with("unknown variant") {
        return format!("`{subject}` is not known here; {}", suggestion(subject, &known));
    }
    if message.starts_with("missing field") {
        let example = EXAMPLES.iter().find(|(key, _)| *key == subject).map_or("add it", |(_, text)| text);
        return format!("missing key `{subject}`; {example}");
    }
    if message == "wanted string or table" {
        return "not taken, expected one of its words in quotes, as `spillway init -c -` shows them, or a section"
            .to_owned();
    }
    if let Some((found, expected)) = message.split_once(", expected ") {
        let plain = PLAIN.iter().find(|(theirs, _)| *theirs == expected).map(|(_, ours)| *ours);
        let plain = plain.or_else(|| {
            expected.starts_with("struct ").then_some("a section, or a table like { key = value }")
        });
        return format!("{found}, expected {}", plain.unwrap_or(expected));
    }
    message.to_owned()
}

/// What serde calls a kind of value, and what it is in the file.
const PLAIN: [(&str, &str); 14] = [
    ("a string", "a text in quotes"),
    ("a borrowed string", "a text in quotes"),
    ("a boolean", "true or false"),
    ("a sequence", "a list like [\"…\", \"…\"]"),
    ("a map", "a section, or a table like { key = value }"),
    ("string only", "one of its words, in quotes"),
    ("f64", "a number like 0.5"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0 on"),
    ("usize", "a whole number from 0 on"),
    ("i64", "a whole number"),
    ("any valid TOML value", "a value"),
];

/// The key whose value stands at an octet of the text, by its whole path.
fn key_at(text: &str, offset: usize) -> Option<String> {
    fn within(table: &DeTable<'_>, offset: usize) -> Option<String> {
        let (key, value) =
            table.iter().find(|(_, value)| value.span().contains(&offset) || inside(value, offset))?;
        let name: &str = key.get_ref();
        let inner = match value.get_ref() {
            DeValue::Table(inner) => inner,
            // of a list of tables, the one that it stands in
            DeValue::Array(all) => {
                let mut tables = all.iter().filter_map(|one| match one.get_ref() {
                    DeValue::Table(table) if one.span().contains(&offset) || inside(one, offset) => {
                        Some(table)
                    }
                    _ => None,
                });
                let Some(inner) = tables.next_back() else { return Some(name.to_owned()) };
                inner
            }
            _ => return Some(name.to_owned()),
        };
        Some(within(inner, offset).map_or_else(|| name.to_owned(), |rest| format!("{name}.{rest}")))
    }
    /// A section that is written in several places has the span of one of them.
    fn inside(value: &Spanned<DeValue<'_>>, offset: usize) -> bool {
        match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().any(|(_, value)| value.span().contains(&offset) || inside(value, offset))
            }
            DeValue::Array(all) => {
                all.iter().any(|value| value.span().contains(&offset) || inside(value, offset))
            }
            _ => false,
        }
    }
    let table = DeTable::parse(text).ok()?;
    within(table.get_ref(), offset)
}

pub(crate) fn suggestion(subject: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (distance(subject, name), *name)).min();
    match nearest {
        // Up to a third of the letters wrong is a slip; more is another word.
        Some((edits, name)) if edits * 3 <= name.len().max(subject.len()) => {
            format!("did you mean `{name}`?")
        }
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "remove it".to_owned(),
    }
}

/// Edits that turn `a` into `b`: insert, delete, replace, swap of neighbours (optimal string alignment).
#[expect(clippy::indexing_slicing, reason = "both indices run over the rows and columns that were just made")]
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(x != y);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_far() {
        for (a, b, edits) in
            [("netwroks", "networks", 1), ("network", "networks", 1), ("", "api", 3), ("mode", "mode", 0)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
        assert_eq!(
            in_plain_words("unknown field `sflwo`, expected one of `sflow`, `netflow`"),
            "unknown key `sflwo`; did you mean `sflow`?"
        );
        assert_eq!(
            in_plain_words("unknown field `port`, expected one of `sflow`, `netflow`"),
            "unknown key `port`; known here: sflow, netflow"
        );
    }

    #[test]
    fn columns_count_characters() {
        let problem = Problem::at(Path::new("f"), "a\nüü x", "a\nüü ".len(), "m".into());
        assert_eq!(problem.to_string(), "f:2:4: m");
    }
}
