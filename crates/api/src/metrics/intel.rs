//! Numbers of those who look at the sources of attacks.

use std::fmt;

use super::{Labels, Page};

/// What is followed of the sources of attacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intel {
    /// Attacks that are followed.
    pub followed: u64,
    /// Attacks that were not, for there were too many at once.
    pub not_followed: u64,
    /// Sources that the kernel told of at the last look, for they had proven themselves to it.
    pub proven: u64,
    /// Records of attacks that were not looked at.
    pub left_out: u64,
    /// Evidence bags sealed.
    pub sealed: u64,
    /// Evidence bags that could not be opened, written or sealed.
    pub failed: u64,
    /// Files that tell where addresses are, in the order of the configuration: databases, table dumps, tables.
    pub files: Vec<FileNumbers>,
    /// Lists of others, in the order of the configuration.
    pub lists: Vec<ListNumbers>,
}

/// A file that tells where addresses are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileNumbers {
    /// As the configuration names it.
    pub path: String,
    /// `mmdb`, `mrt` or `places`.
    pub kind: &'static str,
    /// When what holds of it was changed last, seconds of the epoch; 0: nothing holds.
    pub modified: u64,
    /// It could not be used when it was read last.
    pub refused: bool,
}

/// A list of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListNumbers {
    /// As the configuration names it.
    pub name: String,
    /// `bot`, `reflector` or `shared`.
    pub kind: &'static str,
    /// Addresses and networks on it.
    pub entries: u64,
    /// When the file that holds was changed last, seconds of the epoch; 0: none holds.
    pub modified: u64,
    /// The file could not be used when it was read last.
    pub refused: bool,
}

impl Intel {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let help = "Attacks whose sources are followed";
        out.gauge("spillway_intel_attacks_followed", help, self.followed as f64)?;
        let help = "Sources that had proven themselves to the kernel when it was asked last";
        out.gauge("spillway_intel_sources_proven", help, self.proven as f64)?;
        for (name, help, count) in [
            (
                "spillway_intel_attacks_left_out",
                "Attacks whose sources were not followed, for there were too many at once",
                self.not_followed,
            ),
            (
                "spillway_intel_records_left_out",
                "Records of attacks whose sources were not looked at",
                self.left_out,
            ),
            ("spillway_evidence_packages", "Evidence bags sealed", self.sealed),
            (
                "spillway_evidence_failures",
                "Evidence bags that could not be opened, written or sealed",
                self.failed,
            ),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        let labels = |file: &FileNumbers| vec![("file", file.path.clone()), ("kind", file.kind.to_owned())];
        each(out, &self.files, FILES, labels)?;
        let labels = |list: &ListNumbers| vec![("list", list.name.clone()), ("kind", list.kind.to_owned())];
        each(out, &self.lists, LISTS, labels)
    }
}

/// Name, help and value of one number of each.
type Number<T> = (&'static str, &'static str, fn(&T) -> f64);

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
const FILES: &[Number<FileNumbers>] = &[
    (
        "spillway_intel_file_modified_timestamp_seconds",
        "When what holds of a file that tells where addresses are was changed last; 0: nothing holds",
        |file| file.modified as f64,
    ),
    (
        "spillway_intel_file_refused",
        "Whether a file that tells where addresses are could not be used when it was read last",
        |file| f64::from(u8::from(file.refused)),
    ),
];

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
const LISTS: &[Number<ListNumbers>] = &[
    ("spillway_intel_list_entries", "Addresses and networks on a list of others", |list| list.entries as f64),
    (
        "spillway_intel_list_modified_timestamp_seconds",
        "When the file of a list of others was changed last",
        |list| list.modified as f64,
    ),
    (
        "spillway_intel_list_refused",
        "Whether the file of a list of others could not be used when it was read last",
        |list| f64::from(u8::from(list.refused)),
    ),
];

/// These numbers of all of them; nothing where there are none.
fn each<T>(
    out: &mut Page<'_>,
    of: &[T],
    numbers: &[Number<T>],
    labels: impl Fn(&T) -> Labels,
) -> fmt::Result {
    for (name, help, value) in numbers.iter().filter(|_| !of.is_empty()) {
        out.gauges(name, help, of.iter().map(|one| (labels(one), value(one))).collect())?;
    }
    Ok(())
}
