//! The state folder: whose it is, and what is taken up from it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ::ledger::Hash;
use ::ledger::entry::{Act, By};
use anyhow::{Context as _, bail};
use base::Timestamp;
use base::map::Seed;
use engine::Engine;
use engine::report::{Attack, State};
use nix::fcntl::{Flock, FlockArg};
use serde_json::json;
use store::{Batch, Snapshot, Writer};

use super::documents::row;
use crate::config::Config;
use crate::ledger::{Deed, Pen};
use crate::policy::View;
use crate::privacy::AtRest;

/// As [`take`], with a moment of patience for a guard that looks around.
pub(super) fn take_soon(folder: &Path) -> anyhow::Result<Flock<File>> {
    for _ in 0..10 {
        if let Ok(lock) = take(folder) {
            return Ok(lock);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    take(folder)
}

/// Makes the folder when needed and takes it for this process alone, until it ends.
pub(crate) fn take(folder: &Path) -> anyhow::Result<Flock<File>> {
    let what = || format!("cannot use the state folder {} (`state_dir`)", folder.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(what)?;
    if folder.join(crate::backup::UNFINISHED).exists() {
        bail!("a backup was half restored into {}; empty it and restore again", folder.display())
    }
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    match Flock::lock(file.with_context(what)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, cause)) if std::io::Error::from(cause).kind() == ErrorKind::WouldBlock => {
            bail!("another spillway uses {}; stop it, or set another `state_dir`", folder.display())
        }
        Err((_, cause)) => Err(cause).with_context(what),
    }
}

/// The engine as it was, or a fresh one. Attacks that the store holds as active and the engine does not know are closed.
pub(super) fn engine(
    config: &Config,
    writer: &mut Writer,
    seed: &Seed,
    at_rest: &AtRest,
    now: Timestamp,
) -> anyhow::Result<Engine> {
    let restored = writer.snapshot("core")?.map(|saved| {
        let state = at_rest.open(&saved)?;
        anyhow::Ok(Engine::restore(config.engine(), seed.clone(), &state)?)
    });
    let mut engine = match restored {
        Some(Ok(engine)) => engine,
        Some(Err(cause)) => {
            tracing::warn!(cause = format!("{cause:#}"), "saved state");
            Engine::new(config.engine(), seed.clone())
        }
        None => Engine::new(config.engine(), seed.clone()),
    };
    if let Some(saved) = writer.snapshot("learned")?
        && let Err(cause) = at_rest.open(&saved).and_then(|state| Ok(engine.remember(&state)?))
    {
        tracing::warn!(cause = format!("{cause:#}"), "what was learned");
    }
    let known = engine.attacks();
    let mut orphans = Vec::new();
    for (id, document) in writer.reader()?.open_attacks()? {
        if known.iter().any(|attack| attack.id == id && attack.state == State::Active) {
            continue;
        }
        let Ok(mut attack) = serde_json::from_str::<Attack>(&document) else { continue };
        attack.state = State::Over;
        attack.ended_at = Some(now);
        attack.explain.push(
            "closed at a start of the daemon: its state was not saved, so its end was not seen".to_owned(),
        );
        orphans.push(row(&attack, now, &View::default(), None));
    }
    let resumed = known.iter().filter(|attack| attack.state == State::Active).count();
    if resumed + orphans.len() > 0 {
        tracing::info!(resumed, closed = orphans.len(), "attacks of the last run");
    }
    writer.commit(&at_rest.batch(&Batch { attacks: orphans, snapshots: Vec::new() })?)?;
    Ok(engine)
}

/// The key of the choice of samples: made once, kept for good, known to nobody who sends traffic.
pub(super) fn key(writer: &mut Writer, now: Timestamp) -> anyhow::Result<u64> {
    if let Some(saved) = writer.snapshot("key")?
        && let Ok(bytes) = <[u8; 8]>::try_from(saved.body.as_slice())
    {
        return Ok(u64::from_le_bytes(bytes));
    }
    let key = random()?;
    let body = key.to_le_bytes().to_vec();
    let build = env!("CARGO_PKG_VERSION").to_owned();
    let snapshot = Snapshot { name: "key".to_owned(), taken_at: now, build, body };
    writer.commit(&Batch { attacks: Vec::new(), snapshots: vec![snapshot] })?;
    Ok(key)
}

/// A configuration that is not the last one is a decision.
pub(super) fn note_configuration(
    config: &Config,
    writer: &mut Writer,
    pen: &Pen,
    now: Timestamp,
) -> anyhow::Result<()> {
    // Read again: what was edited since it was loaded is noted with the next reload.
    let hash = Hash::of(&std::fs::read(&config.path).unwrap_or_default());
    let (name, build) = ("configuration".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    if writer.snapshot(&name)?.is_some_and(|last| last.body == hash.0) {
        return Ok(());
    }
    let content = json!({"file": config.path, "sha256": hash.to_string(), "build": build});
    let (act, by, counts) = (Act::Configuration, By::Person, BTreeMap::new());
    pen.write(Deed { at: now, act, by, about: None, content, counts });
    let snapshot = Snapshot { name, taken_at: now, build, body: hash.0.to_vec() };
    Ok(writer.commit(&Batch { attacks: Vec::new(), snapshots: vec![snapshot] })?)
}

/// A number that nobody can guess.
pub(super) fn random() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    let mut source = File::open("/dev/urandom").context("cannot read /dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
