//! The folders of attacks in the state folder: `STATE_DIR/evidence/ID`, as `replay --dossier` writes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base::{Prefix, Timestamp};
use engine::report::Attack;
use intel::Rules;
use intel::campaign::Trace;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::case::Case;
use super::knowledge::Knowledge;
use super::quiet::Quiet;
use super::sealer::{Desk, put};
use super::thread::Setup;
use super::{sampled, shown};
use crate::daemon::clock::Clock;
use crate::evidence::recorder::Seen;
use crate::evidence::{About, Recorder, is_sealed};

/// Octets of a file of a folder that is read whole.
const FILE_MAX: u64 = 256 << 20;
/// Folders looked through.
const FOLDERS_MAX: usize = 100_000;

/// The folder of one attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// In this state folder; `None`: that is no id.
    pub(crate) fn of(state_dir: &Path, id: &str) -> Option<Self> {
        let is_id = id.len() == 16 && id.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'a'..=b'f'));
        is_id.then(|| Self(state_dir.join(crate::privacy::EVIDENCE).join(id)))
    }

    /// All that are there, by id.
    pub(crate) fn all(state_dir: &Path) -> Vec<(String, Self)> {
        let entries =
            std::fs::read_dir(state_dir.join(crate::privacy::EVIDENCE)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok()).take(FOLDERS_MAX);
        let mut all: Vec<(String, Self)> =
            names.filter_map(|id| Some((id.clone(), Self::of(state_dir, &id)?))).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The bag in it.
    pub(crate) fn bag(&self) -> PathBuf {
        self.0.join("evidence")
    }

    /// Whether there is a bag that was not sealed.
    pub(crate) fn is_open(&self) -> bool {
        self.bag().join("data/capture.pcapng").is_file() && !is_sealed(&self.bag())
    }

    /// Whether there is a bag that was sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        is_sealed(&self.bag())
    }

    /// Opens a bag.
    pub(super) fn open(&self, case: &Case, at: Timestamp) -> anyhow::Result<Recorder> {
        let recorder = Recorder::open(&self.bag(), about(case), at)?;
        recorder.begun()?;
        self.note(&case.attack)?;
        Ok(recorder)
    }

    /// Takes up a bag that was left open.
    pub(super) fn resume(&self, case: &mut Case, at: Timestamp) -> anyhow::Result<Recorder> {
        let about = about(case);
        Recorder::resume(&self.bag(), about, at, |seen| match seen {
            Seen::Packet(packet, said) => case.again(packet, said),
            Seen::Flow(row) => case.told_again(row),
        })
    }

    /// Writes down what the attack is by now.
    pub(super) fn note(&self, attack: &Attack) -> anyhow::Result<()> {
        let path = self.0.join("attack.json");
        let mut text = serde_json::to_vec_pretty(attack)?;
        text.push(b'\n');
        crate::folder::replace(&path, &text).with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// What the attack was when it was written down last.
    pub(super) fn attack(&self) -> anyhow::Result<Attack> {
        let path = self.0.join("attack.json");
        let text = read(&path)?;
        serde_json::from_slice(&text).with_context(|| format!("{}: cannot be read", path.display()))
    }

    /// What its attack left to be compared with; `None`: nothing.
    pub(super) fn trace(&self) -> Option<Trace> {
        let attack: Value = serde_json::from_slice(&read(&self.0.join("attack.json")).ok()?).ok()?;
        serde_json::from_value(attack.get("trace")?.clone()).ok()
    }

    /// Some packets of its bag; `None`: there are none that can be read.
    pub(super) fn packets(&self) -> Option<api::Packets> {
        let attack: Value = serde_json::from_slice(&read(&self.0.join("attack.json")).ok()?).ok()?;
        let list = |key: &str| attack.get(key).and_then(Value::as_array).into_iter().flatten();
        let targets: Vec<Prefix> =
            list("targets").filter_map(|target| target.as_str()?.parse().ok()).collect();
        let names: Vec<String> =
            list("vectors").filter_map(|vector| Some(vector.get("name")?.as_str()?.to_owned())).collect();
        let at = attack.get("ended_at").and_then(Value::as_str).and_then(|text| text.parse().ok());
        sampled::of_bag(&self.bag(), &targets, &names, at.unwrap_or_default())
    }

    /// What its folder says of its sources; `None`: nothing.
    pub(super) fn sources(&self) -> Option<api::Sources> {
        #[derive(Deserialize)]
        struct Line {
            packets: u64,
        }
        let text = String::from_utf8(read(&self.0.join("sources.jsonl")).ok()?).ok()?;
        let row = |line: &str| {
            let packets = serde_json::from_str::<Line>(line).ok()?.packets;
            Some((packets, RawValue::from_string(line.to_owned()).ok()?))
        };
        let rows = text.lines().filter_map(row).collect();
        let attack: Value = serde_json::from_slice(&read(&self.0.join("attack.json")).ok()?).ok()?;
        let time = |key: &str| attack.get(key)?.as_str()?.parse::<Timestamp>().ok();
        let at = time("ended_at").or_else(|| time("detected_at")).unwrap_or_default();
        let over = attack.get("state").and_then(Value::as_str) == Some("over");
        let id = self.0.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(shown::of(&id, at, over, &attack, rows))
    }
}

/// How the packets of an attack's bag are come by.
fn about(case: &Case) -> About {
    let nets: Vec<String> = case.attack.targets.iter().map(|target| format!("net {target}")).collect();
    let (interface, filter) = ("flow export".to_owned(), nets.join(" or "));
    About { interface, filter, sampling: None, payload: case.payload.clone() }
}

/// Octets in a folder.
pub(crate) fn octets(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => octets(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// Writes into `to` what is known by now of an attack whose bag is open: a folder like that of one that is over, with a sealed copy of
/// the packets so far. The open bag stays as it is.
///
/// # Errors
/// When the folder cannot be read or written.
pub(crate) fn draft(setup: &Setup, place: &Place, to: &Path) -> anyhow::Result<()> {
    let now = Clock::start().now();
    let rules = Arc::new(Rules::embedded()?);
    let mut case = Case::new(place.attack()?, &rules, 0, None);
    let copy = Place(to.to_owned());
    let data = copy.bag().join("data");
    std::fs::create_dir_all(&data)
        .with_context(|| format!("{}: cannot be made; name a folder that can", data.display()))?;
    for name in ["capture.pcapng", "custody.jsonl", "flows.jsonl"] {
        let from = place.bag().join("data").join(name);
        if name == "flows.jsonl" && !from.is_file() {
            continue;
        }
        std::fs::copy(&from, data.join(name))
            .with_context(|| format!("{}: cannot be copied", from.display()))?;
    }
    case.recorder = Some(copy.resume(&mut case, now)?);
    case.remarks
        .push("copied from a bag that was open: the attack was not over, or nobody sealed it".to_owned());
    let quiet = Quiet::open(&setup.state_dir, now);
    let knowledge = Knowledge::of(&setup.config, &Knowledge::default()).with(None, Some(quiet.known()));
    let mut desk = Desk::of(&setup.config)?;
    put(&mut desk, setup, &knowledge, case, to, now).map(drop)
}

/// A file as text, where it is no longer than that.
pub(super) fn read_short(path: &Path, most: u64) -> Option<String> {
    let short = std::fs::metadata(path).is_ok_and(|about| about.len() <= most);
    short.then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let about = std::fs::metadata(path).with_context(|| format!("{shown}: cannot be read"))?;
    if about.len() > FILE_MAX {
        bail!("{shown}: too long");
    }
    std::fs::read(path).with_context(|| format!("{shown}: cannot be read"))
}
