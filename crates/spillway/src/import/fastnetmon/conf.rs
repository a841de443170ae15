//! `fastnetmon.conf`: lines `key = value`, of which the last of a key holds, and host groups, of which the first holds.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::config::Problem;
use crate::import::source::{Line, Source};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) line: Line<'a>,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// `hostgroup = NAME:network,network`.
#[derive(Debug)]
pub(super) struct HostGroup<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) name: &'a str,
    pub(super) networks: Vec<&'a str>,
}

/// The file, read.
#[derive(Debug)]
pub(super) struct Conf<'a> {
    pub(super) source: &'a Source,
    entries: BTreeMap<&'a str, Entry<'a>>,
    pub(super) groups: Vec<HostGroup<'a>>,
}

impl<'a> Conf<'a> {
    /// Reads all lines; what cannot be read is a problem.
    pub(super) fn new(source: &'a Source, problems: &mut Vec<Problem>) -> Self {
        let mut conf = Self { source, entries: BTreeMap::new(), groups: Vec::new() };
        for line in source.lines() {
            if line.text.contains(char::is_control) {
                problems.push(line.problem("holds a control character; write it as plain text".to_owned()));
                continue;
            }
            let Some((key, value)) = line.text.split_once('=').filter(|(_, value)| !value.contains('='))
            else {
                let message = "is no `key = value`, so FastNetMon skips it; mend it, or put # before it";
                problems.push(line.problem(message.to_owned()));
                continue;
            };
            let entry = Entry { line, key: key.trim(), value: value.trim() };
            if entry.key == "hostgroup" {
                conf.group(entry, problems);
            } else {
                conf.entries.insert(entry.key, entry);
            }
        }
        conf
    }

    fn group(&mut self, entry: Entry<'a>, problems: &mut Vec<Problem>) {
        let Some((name, networks)) =
            entry.value.split_once(':').filter(|(name, nets)| !name.is_empty() && !nets.is_empty())
        else {
            let message = "is no host group; write hostgroup = NAME:198.51.100.1/32,198.51.100.2/32";
            problems.push(entry.problem(message.to_owned()));
            return;
        };
        let name = name.trim();
        if self.groups.iter().any(|group| group.name == name) {
            let message =
                format!("the host group {name} stands twice; FastNetMon takes the first, remove one");
            problems.push(entry.problem(message));
            return;
        }
        let networks = networks.split(',').map(str::trim).filter(|text| !text.is_empty()).collect();
        self.groups.push(HostGroup { entry, name, networks });
    }

    /// All settings by their key.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.values()
    }

    /// One setting.
    pub(super) fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.get(key)
    }

    /// Whether a switch is on; `absent` where the file does not say.
    pub(super) fn is_on(&self, key: &str, absent: bool) -> bool {
        self.get(key).map_or(absent, Entry::is_on)
    }

    /// A number or address; what is neither is a problem.
    pub(super) fn parsed<T: FromStr>(
        &self,
        key: &str,
        form: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<(T, &Entry<'a>)> {
        let entry = self.get(key)?;
        match entry.value.parse() {
            Ok(value) => Some((value, entry)),
            Err(_) => {
                problems.push(entry.problem(format!("`{}` is not {form}", entry.value)));
                None
            }
        }
    }
}

impl Entry<'_> {
    /// Only `on` is on, and `yes` for Redis.
    pub(super) fn is_on(&self) -> bool {
        self.value == "on" || (self.key == "redis_enabled" && self.value == "yes")
    }

    /// About this setting.
    pub(super) fn problem(&self, message: String) -> Problem {
        self.line.problem(format!("{}: {message}", self.key))
    }

    /// `fastnetmon.conf:84 threshold_pps`.
    pub(super) fn from(&self) -> String {
        format!("{} {}", self.line.place(), self.key)
    }
}
