//! What is known here of an attack's sources, as far as a payload names them: which may be told of and which may not.
//!
//! Read are `sources.jsonl` of an attack's folder, or `data/sources.csv` of its bag, line by line: of what nobody names nothing is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base::Prefix;
use intel::finding::{Class, Finding, Reason};
use serde::Deserialize;

use crate::witness::Place;

/// Octets of a file of sources.
const FILE_MAX: u64 = 4 << 30;
/// Networks of IPv6 that are one household's or host's, and longer ones.
const HOUSEHOLD: u8 = 64;

/// What is said of those that a payload names.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Sent by proof in one of the attacks that were looked at.
    pub(super) told: BTreeSet<Prefix>,
    /// Honest, forged or unknown, and in which attack.
    pub(super) secret: BTreeMap<Prefix, (Class, String)>,
    /// Targets of the attacks.
    pub(super) targets: Vec<Prefix>,
    /// Attacks that were looked at, by their folders' names.
    pub(super) attacks: Vec<String>,
}

/// A line of `sources.jsonl`, as far as it is needed.
#[derive(Deserialize)]
struct Line {
    address: IpAddr,
    verdict: Class,
    #[serde(default)]
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Attack {
    #[serde(default)]
    targets: Vec<Prefix>,
}

/// Folders to look into: that of one attack, by its id or its path, or, where none is named, all that are kept.
///
/// # Errors
/// Nothing is there of the one that is named.
pub(super) fn folders(state_dir: &Path, attack: Option<&str>) -> anyhow::Result<Vec<PathBuf>> {
    let Some(attack) = attack else {
        let all = Place::all(state_dir).into_iter().map(|(_, place)| place.path().to_owned());
        return Ok(all.filter(|folder| sources(folder).is_some()).collect());
    };
    let folder = match Place::of(state_dir, attack) {
        Some(place) if place.path().is_dir() => place.path().to_owned(),
        _ => PathBuf::from(attack),
    };
    if sources(&folder).is_none() {
        bail!(
            "{}: no sources of an attack there, so what would leave cannot be compared with them; name an attack that is over, a bag, \
             or a folder that `spillway dossier` wrote",
            folder.display()
        );
    }
    Ok(vec![std::path::absolute(folder)?])
}

/// The file of sources of an attack's folder or a bag.
fn sources(folder: &Path) -> Option<PathBuf> {
    let files = ["sources.jsonl", "data/sources.csv", "evidence/data/sources.csv"];
    files.iter().map(|file| folder.join(file)).find(|path| path.is_file())
}

impl Known {
    /// Looks for these in one attack's sources.
    ///
    /// # Errors
    /// A file is damaged.
    pub(super) fn look(&mut self, folder: &Path, named: &BTreeSet<Prefix>) -> anyhow::Result<()> {
        let path = sources(folder).with_context(|| format!("{}: no sources there", folder.display()))?;
        let shown = path.display().to_string();
        let name = name(folder);
        let targets = targets(folder);
        let lengths: BTreeSet<u8> = named
            .iter()
            .filter(|one| !one.is_ipv4())
            .map(Prefix::bits)
            .filter(|bits| *bits >= HOUSEHOLD)
            .collect();
        let (mut told, mut secret) = (BTreeSet::new(), BTreeMap::new());
        let file = File::open(&path).with_context(|| format!("{shown}: cannot be read"))?;
        let table = shown.ends_with(".csv");
        for (at, line) in BufReader::new(file.take(FILE_MAX)).lines().enumerate() {
            let line = line.with_context(|| format!("{shown}: cannot be read"))?;
            if line.is_empty() || table && at == 0 {
                continue;
            }
            let read = if table { row(&line) } else { serde_json::from_str(&line).ok() };
            let one: Line = read.with_context(|| format!("{shown}:{}: no source", at + 1))?;
            let hosts = std::iter::once(Prefix::host(one.address));
            let wider =
                lengths.iter().filter(|_| one.address.is_ipv6()).map(|len| Prefix::of(one.address, *len));
            let hits: BTreeSet<Prefix> = hosts.chain(wider).filter(|what| named.contains(what)).collect();
            if hits.is_empty() || targets.iter().any(|target| target.contains(one.address)) {
                continue;
            }
            let finding = Finding { reasons: one.reasons, ..Finding::of(one.address, one.verdict) };
            if finding.verified().is_some() {
                told.extend(hits);
            } else {
                secret.extend(hits.into_iter().map(|what| (what, (one.verdict, name.clone()))));
            }
        }
        // A household that has one who sent by proof is told of as a whole.
        secret.retain(|what, _| !told.contains(what));
        self.told.extend(told);
        self.secret.extend(secret);
        self.targets.extend(targets);
        self.attacks.push(name);
        Ok(())
    }
}

fn name(folder: &Path) -> String {
    let own = folder.file_name().unwrap_or_default();
    let attack =
        if own == "evidence" { folder.parent().and_then(Path::file_name).unwrap_or(own) } else { own };
    attack.to_string_lossy().into_owned()
}

fn targets(folder: &Path) -> Vec<Prefix> {
    let files = ["attack.json", "data/attack.json", "evidence/data/attack.json"];
    let texts = files.iter().filter_map(|file| std::fs::read(folder.join(file)).ok());
    texts
        .filter_map(|text| serde_json::from_slice::<Attack>(&text).ok())
        .next()
        .map_or_else(Vec::new, |one| one.targets)
}

/// `address,verdict,confidence,reasons,…`, as bags have it.
fn row(line: &str) -> Option<Line> {
    let mut fields = line.split(',');
    let (address, verdict, _, reasons) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let word = |text: &str| serde_json::Value::String(text.to_owned());
    let reasons = reasons.split(' ').filter(|text| !text.is_empty());
    Some(Line {
        address: address.parse().ok()?,
        verdict: serde_json::from_value(word(verdict)).ok()?,
        reasons: reasons.map(|text| serde_json::from_value(word(text)).ok()).collect::<Option<_>>()?,
    })
}
