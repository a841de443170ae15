//! What comes out: columns and rows.

use std::fmt;
use std::net::IpAddr;

use base::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::HistoryError;

/// Torn segments that are named; the rest is counted.
const NAMED_MAX: usize = 8;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// An instant.
    Time(Timestamp),
    /// A number.
    Number(u64),
    /// An address.
    Address(IpAddr),
    /// A text.
    Text(String),
    /// Nothing stands there.
    None,
    /// All groups that have no row of their own.
    Other,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(at) => at.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::None => Ok(()),
            Self::Other => f.write_str("(other)"),
        }
    }
}

/// Numbers as numbers, nothing as `null`, the rest as text.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::None => serializer.serialize_none(),
            other => serializer.collect_str(other),
        }
    }
}

/// As it is written; instants and addresses come back as texts.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
            None,
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Number(number) => Self::Number(number),
            Written::Text(text) => Self::Text(text),
            Written::None => Self::None,
        })
    }
}

/// What an answer was added up from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Flow samples.
    #[default]
    Samples,
    /// Sums by minute and hour.
    Rollups,
}

/// What samples add up to; saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Octets of layer 3, scaled.
    pub bytes: u64,
    /// Packets, scaled.
    pub packets: u64,
    /// Samples.
    pub samples: u64,
}

impl Sum {
    /// Adds.
    pub(crate) const fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.packets = self.packets.saturating_add(other.packets);
        self.samples = self.samples.saturating_add(other.samples);
    }

    /// As values of a row.
    pub(super) fn values(self) -> [Value; 3] {
        [self.bytes, self.packets, self.samples].map(Value::Number)
    }
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// Segments opened.
    pub segments: u64,
    /// Row groups read.
    pub groups: u64,
    /// Row groups left out by their statistics.
    pub pruned: u64,
    /// Samples looked at, or sums where those answer.
    pub rows: u64,
    /// How many of these were in memory alone.
    #[serde(default)]
    pub memory: u64,
    /// Segments and row groups left out because they are torn.
    pub torn: u64,
    /// Which ones and why; the first few.
    pub torn_ones: Vec<String>,
    /// Files in the folder that are none of ours.
    pub foreign: u64,
    /// Why it is not all; `None`: it is.
    pub partial: Option<String>,
}

impl Scanned {
    pub(crate) fn leave_out(&mut self, cause: &HistoryError) {
        self.torn += 1;
        if self.torn_ones.len() < NAMED_MAX {
            self.torn_ones.push(cause.to_string());
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What stands in each column of the rows: `time` in a series, the fields of the grouping, then bytes, packets, samples.
    pub columns: Vec<String>,
    /// The rows: the greatest first, or by time and then the greatest first.
    pub rows: Vec<Vec<Value>>,
    /// Of all samples that were asked for.
    pub total: Sum,
    /// Groups were too many to be told apart: some that should have a row may be among the others.
    pub crowded: bool,
    /// What it was added up from. Sums are of all that was told, samples of what thinning kept; `samples` of sums are records.
    #[serde(default)]
    pub kept: Kept,
    /// From here on: as asked, or rounded out to what sums are of.
    pub from: Timestamp,
    /// Before here.
    pub to: Timestamp,
    /// What was looked at, and whether it is all.
    pub scanned: Scanned,
}

impl Answer {
    /// Why the answer is not the whole truth.
    pub fn partial(&self) -> Option<&str> {
        self.scanned.partial.as_deref()
    }

    /// The rows as RFC 4180 has them, with a header.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        line(&mut out, self.columns.iter().map(String::as_str));
        for row in &self.rows {
            let texts: Vec<String> = row.iter().map(ToString::to_string).collect();
            line(&mut out, texts.iter().map(String::as_str));
        }
        out
    }
}

/// Adds a line of CSV (RFC 4180 §2).
pub(crate) fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(',');
        }
        if cell.contains(['"', ',', '\r', '\n']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}
