//! The daemon's own evidence as the API asks for it: `STATE_DIR/evidence/ID`.

use std::io::Write;
use std::path::Path;

use api::{Evidence, EvidenceFile, EvidenceShown};
use base::Timestamp;
use intel::bag;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::evidence::contents;
use crate::privacy::hold::{self, Hold};
use crate::witness::Place;

/// Files of a bag that are named.
const FILES_MAX: usize = 1_000;
/// Octets of a file that is read to be shown.
const TEXT_MAX: u64 = 4 << 20;
/// Beside the bag, which it is no part of.
const OWN_KEEPING: &str = "OWN-KEEPING.txt";
/// Folders in folders that are gone into.
const DEPTH_MAX: u8 = 8;

/// Those that there are behind this id, by id.
pub(super) fn list(state_dir: &Path, after: Option<&str>, most: usize) -> Vec<Evidence> {
    let all = Place::all(state_dir).into_iter();
    let behind = all.filter(|(id, _)| after.is_none_or(|after| id.as_str() > after));
    behind.take(most).map(|(id, place)| about(id, &place)).collect()
}

/// One of them; `None`: there is none.
pub(super) fn show(state_dir: &Path, id: &str) -> Option<EvidenceShown> {
    let place = place(state_dir, id)?;
    let bag = place.bag();
    let info = text(&bag.join("bag-info.txt")).unwrap_or_default();
    let mut files = Vec::new();
    walk(&bag, &bag, &mut files, 0);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Some(EvidenceShown {
        evidence: about(id.to_owned(), &place),
        info: info.lines().take(FILES_MAX).map(str::to_owned).collect(),
        files,
    })
}

/// Whether it is as it was sealed.
///
/// # Errors
/// It is not sealed, or cannot be read.
pub(super) fn verify(state_dir: &Path, id: &str) -> Result<Value, String> {
    let place = sealed(state_dir, id)?;
    let contents = contents(&place.bag()).map_err(|why| format!("{why:#}"))?;
    serde_json::to_value(bag::verify(&contents, &[])).map_err(|wrong| wrong.to_string())
}

/// Holds it for a reason, or, without one, no longer.
///
/// # Errors
/// It is not there, not held, or its file cannot be written.
pub(super) fn keep(
    state_dir: &Path,
    id: &str,
    who: &str,
    at: Timestamp,
    reason: Option<&str>,
) -> Result<(), String> {
    let place = place(state_dir, id).ok_or_else(|| format!("there is no evidence of an attack {id}"))?;
    // A bag that is open is a file among others of its folder, so the folder is held.
    let folder = if place.is_sealed() { place.bag() } else { place.path().to_owned() };
    let done = match reason {
        Some(reason) => hold::hold(&folder, &Hold { at, reason, person: Some(who) }).map(drop),
        None => hold::release(&folder).map(drop),
    };
    done.map_err(|why| format!("{why:#}"))
}

/// Writes a sealed bag as an archive, with this text beside it.
///
/// # Errors
/// It is not sealed, cannot be read, or nobody takes it.
pub(super) fn pack(state_dir: &Path, id: &str, beside: &str, out: &mut dyn Write) -> Result<(), String> {
    let place = sealed(state_dir, id)?;
    let mut archive = tar::Builder::new(out);
    archive.follow_symlinks(false);
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(beside.len()).unwrap_or(u64::MAX));
    header.set_mode(0o600);
    archive.append_data(&mut header, OWN_KEEPING, beside.as_bytes()).map_err(|why| why.to_string())?;
    let packed = archive.append_dir_all("evidence", place.bag()).and_then(|()| archive.finish());
    packed.map_err(|why| why.to_string())
}

fn place(state_dir: &Path, id: &str) -> Option<Place> {
    Place::of(state_dir, id).filter(|place| place.path().is_dir())
}

fn sealed(state_dir: &Path, id: &str) -> Result<Place, String> {
    let place = place(state_dir, id).filter(Place::is_sealed);
    place.ok_or_else(|| format!("the bag of attack {id} is not sealed yet"))
}

fn about(id: String, place: &Place) -> Evidence {
    let attack: Value = text(&place.path().join("attack.json"))
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let word = |key: &str| attack.get(key).and_then(Value::as_str).map(str::to_owned);
    let state = match (place.is_sealed(), place.is_open()) {
        (true, _) => "sealed",
        (false, true) => "open",
        (false, false) => "none",
    };
    Evidence {
        attack: id,
        state: state.to_owned(),
        octets: crate::witness::octets(place.path()),
        seal: text(&place.bag().join(bag::TAG_MANIFEST))
            .filter(|_| place.is_sealed())
            .map(|text| hash(&text)),
        target: word("target"),
        started_at: word("started_at"),
        ended_at: word("ended_at"),
        hold: hold::held(&place.bag()).or_else(|| hold::held(place.path())),
    }
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
}

fn text(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    (about.len() <= TEXT_MAX).then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn walk(root: &Path, folder: &Path, out: &mut Vec<EvidenceFile>, depth: u8) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if out.len() >= FILES_MAX {
            return;
        }
        match entry.metadata() {
            Ok(about) if about.is_dir() && depth < DEPTH_MAX => walk(root, &entry.path(), out, depth + 1),
            Ok(about) if about.is_file() => {
                let path = entry.path();
                let path = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                out.push(EvidenceFile { path, octets: about.len() });
            }
            _ => {}
        }
    }
}
