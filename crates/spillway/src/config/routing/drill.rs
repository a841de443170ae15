//! `[routing.drill]`: what fire drills may announce, and how one sees whether it acts.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base::Prefix;
use serde::Deserialize;
use steer::rails::{Class, Rails};
use toml::Spanned;

use crate::config::check::Problems;

/// Where the address stands in the arguments of the probe.
const ADDRESS: &str = "{address}";
/// Prefixes at most, of either kind.
const SPARE_MAX: usize = 16;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    spare: Vec<Spanned<Prefix>>,
    diversion: Vec<Spanned<Prefix>>,
    probe: Option<Spanned<Vec<String>>>,
}

/// What fire drills work with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drill {
    /// Addresses of ours that nobody needs: they are blackholed and filtered.
    pub spare: Vec<Prefix>,
    /// Prefixes of `routing.diversion` that nobody needs: they are diverted.
    pub diversion: Vec<Prefix>,
    /// A program that tries to reach an address: it ends with 0 where it did, with 3 where the absorber answered.
    pub probe: Option<Probe>,
}

/// The program that shows whether packets arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which.
    pub path: PathBuf,
    /// Its arguments, in which `{address}` stands for the address.
    arguments: Vec<String>,
}

impl Probe {
    /// Its arguments for this address.
    pub fn arguments(&self, address: IpAddr) -> Vec<String> {
        self.arguments.iter().map(|word| word.replace(ADDRESS, &address.to_string())).collect()
    }
}

/// The section, or what speaks against it.
pub(super) fn checked(problems: &mut Problems<'_>, rails: &Rails, section: &Section) -> Drill {
    for (prefixes, class) in [(&section.spare, Class::Blackhole), (&section.diversion, Class::Diversion)] {
        for prefix in prefixes {
            if let Err(refusal) = rails.prefix(*prefix.get_ref(), class) {
                problems.at(prefix.span().start, refusal.to_string());
            }
        }
        if let Some(more) = prefixes.get(SPARE_MAX) {
            problems.at(
                more.span().start,
                format!("a drill takes at most {SPARE_MAX}; one of each family will do"),
            );
        }
    }
    let plain = |all: &[Spanned<Prefix>]| all.iter().map(|one| *one.get_ref()).collect();
    Drill {
        spare: plain(&section.spare),
        diversion: plain(&section.diversion),
        probe: section.probe.as_ref().and_then(|words| probe(problems, words)),
    }
}

fn probe(problems: &mut Problems<'_>, words: &Spanned<Vec<String>>) -> Option<Probe> {
    let example = "write it like probe = [\"/usr/bin/ping\", \"-c1\", \"-W1\", \"{address}\"]";
    let at = words.span().start;
    let Some((path, arguments)) = words.get_ref().split_first() else {
        problems.at(at, format!("probe names no program; {example}"));
        return None;
    };
    if !path.starts_with('/') || !Path::new(path).is_file() {
        problems.at(at, format!("`{path}` is no program with its whole path; {example}"));
    }
    if !arguments.iter().any(|word| word.contains(ADDRESS)) {
        problems.at(at, format!("probe does not say where the address stands; {example}"));
    }
    Some(Probe { path: path.into(), arguments: arguments.to_vec() })
}
