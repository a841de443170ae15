//! Rows with columns: what a command prints as one object a line, as a table for people or as comma-separated values (RFC 4180).
//!
//! Objects inside an object become columns with a dot in their name, lists of plain values stand in one cell. The columns are those
//! of the rows that came first, in the order in which they came up.

use std::fmt;
use std::io::{self, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Rows that are looked at before the columns are fixed; also the most that a table is aligned by.
const LOOKED_AT_MAX: usize = 1_000;
/// Objects inside objects become columns down to this depth.
const DEPTH_MAX: usize = 3;
/// Columns at most; who exports without end of ever other keys sees the first.
const COLUMNS_MAX: usize = 200;
/// Characters of a cell of a table.
const CELL_MAX: usize = 60;

/// How rows are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Aligned, with a head.
    Table,
    /// Comma-separated, with a head.
    Csv,
}

/// Lines of JSON in, a table out.
#[derive(Debug)]
pub struct Rows {
    shape: Shape,
    /// Columns that the command prefers, in this order; empty: all.
    wanted: Vec<String>,
    /// What came of a line so far.
    line: Vec<u8>,
    /// Rows that wait for the columns.
    waiting: Vec<Vec<(String, String)>>,
    /// Name and width, once fixed.
    columns: Vec<(String, usize)>,
    /// Cells whose column came up too late.
    left_out: u64,
}

impl Rows {
    /// With no column yet.
    pub fn new(shape: Shape, wanted: &[&str]) -> Self {
        let wanted = wanted.iter().map(|&name| name.to_owned()).collect();
        Self { shape, wanted, line: Vec::new(), waiting: Vec::new(), columns: Vec::new(), left_out: 0 }
    }

    /// Takes octets of lines; writes what is ready.
    ///
    /// # Errors
    /// What `out` refuses.
    pub fn take(&mut self, octets: &[u8], out: &mut impl Write) -> io::Result<()> {
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.one(&line, out)?;
            }
        }
        Ok(())
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// What `out` refuses.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.waiting.is_empty() && self.columns.is_empty() {
            self.fix();
            self.head(out)?;
        }
        for row in std::mem::take(&mut self.waiting) {
            self.row(row, out)?;
        }
        Ok(())
    }

    /// Cells that are missing, for their column came up too late.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    fn one(&mut self, line: &[u8], out: &mut impl Write) -> io::Result<()> {
        let parsed = line.starts_with(b"{").then(|| serde_json::from_slice::<Tree>(line));
        let Some(Ok(Tree::Map(fields))) = parsed else {
            // Not a row: what a command says beside its rows stays as it is.
            self.flush(out)?;
            return out.write_all(line);
        };
        if is_summary(&fields) {
            return io::stderr().write_all(line);
        }
        let mut row = Vec::new();
        flatten("", fields, 0, &mut row);
        self.waiting.push(row);
        if !self.columns.is_empty() || self.waiting.len() >= LOOKED_AT_MAX { self.flush(out) } else { Ok(()) }
    }

    fn fix(&mut self) {
        let mut names: Vec<String> = self.wanted.clone();
        if names.is_empty() {
            for (name, _) in self.waiting.iter().flatten() {
                if names.len() < COLUMNS_MAX && !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        let cell = |name: &str, row: &Vec<(String, String)>| {
            row.iter().find(|(key, _)| key == name).map_or(0, |(_, text)| text.chars().count())
        };
        let width = |name: &String| {
            let widest = self.waiting.iter().map(|row| cell(name, row)).max().unwrap_or(0);
            widest.max(name.chars().count()).min(CELL_MAX)
        };
        self.columns = names.iter().map(|name| (name.clone(), width(name))).collect();
    }

    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let cells: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        self.write(&cells, out)
    }

    fn row(&mut self, row: Vec<(String, String)>, out: &mut impl Write) -> io::Result<()> {
        if self.wanted.is_empty() {
            let late =
                row.iter().filter(|(key, _)| !self.columns.iter().any(|(name, _)| name == key)).count();
            self.left_out += late as u64;
        }
        let cell = |(name, _): &(String, usize)| {
            row.iter().find(|(key, _)| key == name).map_or("", |(_, text)| text.as_str())
        };
        let cells: Vec<&str> = self.columns.iter().map(cell).collect();
        self.write(&cells, out)
    }

    fn write(&self, cells: &[&str], out: &mut impl Write) -> io::Result<()> {
        let line = match self.shape {
            Shape::Csv => cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","),
            Shape::Table => {
                let padded = cells.iter().zip(&self.columns).map(|(cell, (_, width))| {
                    let cell = cut(cell);
                    let room = width.saturating_sub(cell.chars().count());
                    format!("{cell}{}", " ".repeat(room))
                });
                padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            }
        };
        // RFC 4180 ends lines with both, most readers take either.
        writeln!(out, "{line}")
    }
}

/// The last line of streams, which counts and is no row.
fn is_summary(fields: &[(String, Tree)]) -> bool {
    let kind = fields.iter().find(|(key, _)| key == "record" || key == "event");
    matches!(kind, Some((_, Tree::Plain(kind))) if kind == "summary")
}

/// As a cell of comma-separated values.
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// One line of at most [`CELL_MAX`] characters that can be seen.
fn cut(cell: &str) -> String {
    let plain: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() <= CELL_MAX {
        return plain;
    }
    plain.chars().take(CELL_MAX - 1).chain(['…']).collect()
}

fn flatten(front: &str, fields: Vec<(String, Tree)>, depth: usize, row: &mut Vec<(String, String)>) {
    for (key, value) in fields {
        let name = if front.is_empty() { key } else { format!("{front}.{key}") };
        match value {
            Tree::Map(inner) if depth < DEPTH_MAX && !inner.is_empty() => {
                flatten(&name, inner, depth + 1, row)
            }
            other => row.push((name, other.cell())),
        }
    }
}

/// JSON whose keys keep their order.
#[derive(Debug)]
enum Tree {
    Nothing,
    Plain(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Tree {
    fn cell(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Plain(text) => text.clone(),
            Self::List(items) => items.iter().map(Self::inside).collect::<Vec<_>>().join(" "),
            Self::Map(_) => self.inside(),
        }
    }

    fn inside(&self) -> String {
        match self {
            Self::Map(fields) => {
                let fields = fields.iter().map(|(key, value)| format!("{key}={}", value.inside()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join("; "))
            }
            Self::List(_) => format!("[{}]", self.cell()),
            Self::Nothing => "-".to_owned(),
            Self::Plain(text) => text.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Nothing)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Plain(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Plain(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Plain(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Plain(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Plain(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Tree::Map(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(shape: Shape, wanted: &[&str], lines: &str) -> String {
        let (mut rows, mut out) = (Rows::new(shape, wanted), Vec::new());
        // However the octets are cut.
        for part in lines.as_bytes().chunks(7) {
            rows.take(part, &mut out).unwrap();
        }
        rows.flush(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn objects_become_columns_in_the_order_in_which_they_came_up() {
        let lines = "{\"z\":1,\"a\":{\"b\":null,\"c\":[1,2]}}\n{\"z\":2.5,\"late\":\"x, \\\"y\\\"\"}\n";
        assert_eq!(laid(Shape::Csv, &[], lines), "z,a.b,a.c,late\n1,,1 2,\n2.5,,,\"x, \"\"y\"\"\"\n");
        assert_eq!(
            laid(Shape::Table, &[], lines),
            "z    a.b  a.c  late\n1         1 2\n2.5            x, \"y\"\n"
        );
    }

    #[test]
    fn columns_can_be_wished_for_and_text_passes() {
        assert_eq!(laid(Shape::Csv, &["b"], "{\"a\":1,\"b\":[{\"c\":true}]}\n"), "b\n{c=true}\n");
        assert_eq!(laid(Shape::Csv, &[], "no rows\n"), "no rows\n");
        assert_eq!(laid(Shape::Csv, &[], "{\"record\":\"summary\",\"n\":1}\n"), "");
    }

    #[test]
    fn a_cell_of_a_table_is_one_short_line() {
        let long = format!("{{\"a\":\"{}\\n\"}}\n", "x".repeat(99));
        let table = laid(Shape::Table, &[], &long);
        assert_eq!(table.lines().count(), 2);
        assert!(table.lines().all(|line| line.chars().count() <= CELL_MAX), "{table}");
    }
}
