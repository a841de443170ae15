//! The sets that were in force, so that one can go back to any of the last.
//!
//! Beside the pins, which end with the machine as these files do. What two sets have in common is there once.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base::{Prefix, Span};
use rules::{Rule, RuleSet, parse};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::decap::Decap;
use crate::error::Error;
use crate::policy::{Engine, Policy};
use crate::protection::Protection;
use crate::returning::Returning;
use crate::scope::{Allow, Block};

/// Sets that are kept for an interface; the oldest goes first.
pub const SETS_MAX: usize = 8;
const ROOT: &str = "/run/spillway/dataplane";
/// The first line of a set's file.
const HEAD: &str = "spillway-set 1";

/// What a policy says beside its rules and lists.
#[derive(Serialize, Deserialize)]
struct Settings {
    dry: bool,
    engine: Engine,
    management: Vec<u16>,
    automatic: BTreeSet<String>,
    rehearsed: BTreeSet<String>,
    telemetry: bool,
    protection: Protection,
    allow_within: Vec<Allow>,
    block_within: Vec<Block>,
    decap: Option<Decap>,
    #[serde(default)]
    returning: Option<Returning>,
}

/// A set that was put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Names the policy.
    pub digest: [u8; 32],
    /// When, last.
    pub at: SystemTime,
}

fn folder(interface: &str) -> PathBuf {
    Path::new(ROOT).join(interface)
}

/// Octets in hexadecimal.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let octet = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let octets: Option<Vec<u8>> = (0..64).step_by(2).map(octet).collect();
    octets?.try_into().ok().filter(|_| text.len() == 64)
}

/// The sets of an interface, the latest first.
///
/// # Errors
/// When the folder cannot be listed.
pub fn list(interface: &str) -> Result<Vec<Past>, Error> {
    let files = match std::fs::read_dir(folder(interface)) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::system("listing former sets")(error)),
    };
    let past = |file: std::fs::DirEntry| {
        let digest = unhex(file.file_name().to_str()?.strip_prefix("set-")?)?;
        Some(Past { digest, at: file.metadata().ok()?.modified().ok()? })
    };
    let mut all: Vec<Past> = files.flatten().filter_map(past).collect();
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.digest.cmp(&b.digest)));
    Ok(all)
}

/// Keeps a set that has been put in force, and lets go of the oldest.
pub(crate) fn note(interface: &str, policy: &Policy) -> io::Result<()> {
    let folder = folder(interface);
    std::fs::create_dir_all(&folder)?;
    let set = written(policy, |text| {
        let name = format!("part-{}", hex(&Sha256::digest(text.as_bytes())));
        let path = folder.join(&name);
        if !path.exists() {
            whole(&path, text)?;
        }
        Ok(name)
    })?;
    whole(&folder.join(format!("set-{}", hex(&policy.digest))), &set)?;
    let all = list(interface).map_err(io::Error::other)?;
    let mut kept = BTreeSet::new();
    for (place, past) in all.iter().enumerate() {
        let path = folder.join(format!("set-{}", hex(&past.digest)));
        if place >= SETS_MAX {
            std::fs::remove_file(&path)?;
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        kept.extend(text.split_whitespace().filter(|word| word.starts_with("part-")).map(str::to_owned));
    }
    for file in std::fs::read_dir(&folder)?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("part-") && !kept.contains(&name) {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// A file that is there whole or not at all.
fn whole(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}

/// Forgets all sets of an interface.
pub(crate) fn forget(interface: &str) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder(interface)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::system("removing former sets")(error))
        }
        _ => Ok(()),
    }
}

/// The file of a set; `part` keeps a text that other sets may have too, and gives its name.
fn written(policy: &Policy, mut part: impl FnMut(&str) -> io::Result<String>) -> io::Result<String> {
    // Whoever adds to the policy has to think of what goes back with it.
    let Policy {
        rules,
        allow,
        block,
        allow_within,
        block_within,
        protect,
        management,
        dry,
        automatic,
        rehearsed,
        telemetry,
        protection,
        digest: _,
        engine,
        decap,
        returning,
    } = policy;
    let settings = Settings {
        dry: *dry,
        engine: *engine,
        management: management.clone(),
        automatic: automatic.clone(),
        rehearsed: rehearsed.clone(),
        telemetry: *telemetry,
        protection: *protection,
        allow_within: allow_within.clone(),
        block_within: block_within.clone(),
        decap: decap.clone(),
        returning: returning.clone(),
    };
    let lines = |prefixes: &[Prefix]| {
        prefixes.iter().fold(String::new(), |mut text, prefix| {
            let _ = writeln!(text, "{prefix}");
            text
        })
    };
    let mut out = format!("{HEAD}\ninstalled {}\n", sys::clock::monotonic());
    let text = rules.rules().iter().fold(String::new(), |mut text, rule| {
        let _ = writeln!(text, "{rule}");
        text
    });
    let mut line = |text: String| out += &(text + "\n");
    line(format!("rules {}", part(&text)?));
    for (what, list) in [("allow", Some(allow)), ("block", Some(block)), ("protect", protect.as_ref())] {
        if let Some(list) = list {
            line(format!("{what} {}", part(&lines(list))?));
        }
    }
    line(format!("settings {}", serde_json::to_string(&settings).map_err(io::Error::other)?));
    Ok(out)
}

/// A set of before, as it would be now: leases go on as if it had been in force since then.
///
/// # Errors
/// When its files are not there, or are not what was written.
pub fn read(interface: &str, digest: [u8; 32]) -> Result<Policy, Error> {
    let folder = folder(interface);
    let path = folder.join(format!("set-{}", hex(&digest)));
    let open = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|cause| Error::Past { path: path.to_owned(), why: cause.to_string() })
    };
    let text = open(&path)?;
    let mut policy = Policy { digest, ..Policy::default() };
    let mut installed = 0;
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if number == 1 && line == HEAD {
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let known = match word {
            "installed" => rest.parse().map(|at| installed = at).ok(),
            "rules" | "allow" | "block" | "protect" => {
                texts.push((word.to_owned(), open(&folder.join(rest))?));
                Some(())
            }
            "settings" => serde_json::from_str(rest).map(|settings| set(&mut policy, settings)).ok(),
            _ => None,
        };
        let strange = || Error::Past { path: path.clone(), why: format!("line {number} is not understood") };
        known.ok_or_else(strange)?;
    }
    let passed = Span::from_nanos(sys::clock::monotonic().saturating_sub(installed));
    for (what, text) in texts {
        let strange = |why: String| Error::Past { path: path.clone(), why: format!("its {what}: {why}") };
        if what == "rules" {
            let all = parse::rules(&text)
                .map_err(|errors| strange(errors.first().map(ToString::to_string).unwrap_or_default()))?;
            policy.rules = RuleSet::new(all.into_iter().filter_map(|rule| aged(rule, passed)).collect());
            continue;
        }
        let list: Result<Vec<Prefix>, _> = text.lines().map(str::parse).collect();
        let list = list.map_err(|error| strange(format!("{error}")))?;
        match what.as_str() {
            "allow" => policy.allow = list,
            "block" => policy.block = list,
            _ => policy.protect = Some(list),
        }
    }
    Ok(policy)
}

/// A rule of which so much of its lease has passed; `None` where all has.
fn aged(rule: Rule, passed: Span) -> Option<Rule> {
    let Some(lease) = rule.lease else { return Some(rule) };
    let left = lease.nanos().saturating_sub(passed.nanos());
    (left > 0).then(|| Rule { lease: Some(Span::from_nanos(left)), ..rule })
}

fn set(policy: &mut Policy, settings: Settings) {
    policy.dry = settings.dry;
    policy.engine = settings.engine;
    policy.management = settings.management;
    policy.automatic = settings.automatic;
    policy.rehearsed = settings.rehearsed;
    policy.telemetry = settings.telemetry;
    policy.protection = settings.protection;
    policy.allow_within = settings.allow_within;
    policy.block_within = settings.block_within;
    policy.decap = settings.decap;
    policy.returning = settings.returning;
}
