//! The list of networks and the list of those that are never banned: a prefix a line.

use std::path::{Path, PathBuf};

use base::Prefix;

use super::conf::Conf;
use crate::config::Problem;
use crate::import::source::Source;

/// A prefix and where it came from.
pub(super) type Listed = (Prefix, String);

/// Where a list lies: beside the configuration under the name that it gives, else where it says.
pub(super) fn path(folder: &Path, conf: &Conf<'_>, key: &str, usual: &str) -> PathBuf {
    let named = conf.get(key).map_or_else(|| Path::new(usual), |entry| Path::new(entry.value));
    let beside = folder.join(named.file_name().unwrap_or(named.as_os_str()));
    if !beside.exists() && named.is_absolute() && named.exists() { named.to_path_buf() } else { beside }
}

/// Its prefixes; a bare address is a host.
pub(super) fn read(source: &Source, problems: &mut Vec<Problem>) -> Vec<Listed> {
    let mut out = Vec::new();
    for line in source.lines() {
        match line.text.parse() {
            Ok(prefix) => out.push((prefix, line.place())),
            Err(wrong) => problems.push(line.problem(wrong_prefix(&wrong))),
        }
    }
    out
}

fn wrong_prefix(wrong: &base::prefix::BadPrefix) -> String {
    // A line of a text file may hold anything; a message is one line of plain text.
    wrong.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Those that are in no other one: ours have one owner each, theirs may be nested.
pub(super) fn outermost(listed: Vec<Listed>, source: &Source, left: &mut Vec<Problem>) -> Vec<Listed> {
    let mut out: Vec<Listed> = Vec::new();
    for (i, (prefix, from)) in listed.iter().enumerate() {
        let outer = listed
            .iter()
            .enumerate()
            .find(|(j, (other, _))| i != *j && other.covers(prefix) && (other != prefix || *j < i));
        match outer {
            None => out.push((*prefix, from.clone())),
            Some((_, (outer, place))) => left.push(source.problem(format!(
                "{prefix} ({from}) lies in {outer} ({place}), and one is enough; nothing to do"
            ))),
        }
    }
    out
}
