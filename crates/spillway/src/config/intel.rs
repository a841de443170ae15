//! `[intel]`: files that tell where addresses are and what others say of them, and how many attacks the daemon looks at by their sources.

use std::path::PathBuf;
use std::str::FromStr;

use intel::enrich::list::Kind;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::check::Problems;
use super::values;

/// What is known of addresses; without files nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intel {
    /// MaxMind DB files (country, city, network), asked in this order.
    pub mmdb: Vec<Spanned<PathBuf>>,
    /// Tables of one's own, asked before those: a line `prefix,asn,country,city,latitude,longitude` per network; own networks
    /// that stand there are on the map.
    pub places: Vec<Spanned<PathBuf>>,
    /// Table dumps of routes in MRT form (`TABLE_DUMP_V2`), unpacked.
    pub mrt: Vec<Spanned<PathBuf>>,
    /// Lists of others, at most 32: local files, read at the start and at each reload.
    pub lists: Vec<ListFile>,
    /// Attacks whose sources the daemon follows at once, some 25 MB each at most; 0: none.
    pub attacks: usize,
}

impl Default for Intel {
    fn default() -> Self {
        Self { mmdb: Vec::new(), places: Vec::new(), mrt: Vec::new(), lists: Vec::new(), attacks: 8 }
    }
}

/// Lists that are asked of each source.
const LISTS_MAX: usize = 32;

/// A list of others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListFile {
    /// As reports and metrics call it: whoever gets a report reads it.
    pub name: Spanned<ListName>,
    /// Its text: an address or a prefix a line, or a table with a column `ip`.
    pub file: PathBuf,
    /// What it says of those on it.
    pub kind: Kind,
}

/// A word that fits reports, tables and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListName(pub String);

/// Octets of a list's name.
const NAME_MAX: usize = 64;

impl FromStr for ListName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = text.len() <= NAME_MAX
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        fits.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!(
                "`{}` is no name of a list: at most {NAME_MAX} letters, digits, `-` and `_`, a letter first, like \"sinkhole\"",
                text.chars().take(NAME_MAX).collect::<String>()
            )
        })
    }
}

impl<'de> Deserialize<'de> for ListName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        values::text(deserializer, "a list's name, like \"sinkhole\"")
    }
}

/// Names are of one list each, and there are not too many.
pub(super) fn checked(problems: &mut Problems<'_>, section: Intel) -> Intel {
    for (place, list) in section.lists.iter().enumerate() {
        let name = list.name.get_ref();
        if section.lists.iter().take(place).any(|before| before.name.get_ref() == name) {
            problems.at(
                list.name.span().start,
                format!("name `{}` is that of another list; give each its own", name.0),
            );
        }
        if place == LISTS_MAX {
            problems
                .at(list.name.span().start, format!("more than {LISTS_MAX} lists; put some into one file"));
        }
    }
    section
}
