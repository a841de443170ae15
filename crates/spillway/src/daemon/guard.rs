//! The guard of compat mode: a second process that outlives a killed daemon and undoes its bans.
//!
//! It waits for the end of its standard input, which the daemon holds. If bans are left then and no successor takes the state
//! folder within the restart time, it undoes them: a ban must not become a black hole because nobody was there to lift it.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use store::Writer;

use super::exec::{Job, Pool};
use super::state;
use crate::config::Config;

/// Where the guard writes, in the state folder.
pub(crate) const LOG: &str = "guard.log";
/// How often the state folder is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Starts the guard where something would have to be undone. It ends with this process; nothing waits for it.
pub(super) fn start(config: &Config) -> anyhow::Result<Option<Child>> {
    // whatever the mode: it may be another one while the daemon runs
    if config.compat.is_none() || config.notify.is_none() {
        return Ok(None);
    }
    let own = std::env::current_exe().context("cannot find this program to start its guard")?;
    let path = std::path::absolute(&config.path)?;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(config.state_dir.join(LOG))?;
    let child = Command::new(own)
        .args(["guard".as_ref(), "-c".as_ref(), path.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // Not ours: whoever reads our standard error waits for its end, and the guard outlives us.
        .stderr(log)
        // Ctrl-C on the terminal is meant for the daemon.
        .process_group(0)
        .spawn()
        .context("cannot start the guard of compat mode")?;
    Ok(Some(child))
}

/// The guard itself.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let Ok(config) = Config::load(path) else { return Ok(()) };
    let Some(exec) = config.notify.clone() else { return Ok(()) };
    // Whatever comes, only the end counts.
    let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
    let folder: PathBuf = config.state_dir.clone();
    let deadline = Instant::now() + Duration::from_nanos(exec.restart_time.nanos());
    loop {
        // A successor holds the lock, undoes what has to be undone and has a guard of its own. Just after the end of our input
        // it may still be the dying daemon's, whose files the kernel closes one by one: only at the end is it a successor's.
        let Ok(lock) = state::take(&folder) else {
            if Instant::now() >= deadline {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            continue;
        };
        let writer = Writer::open(&folder)?;
        let left = writer.bans()?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            super::log::start(&config.log);
            tracing::warn!(
                bans = left.len(),
                "the daemon is gone and nobody took its place: its bans are undone"
            );
            let pool = Pool::start(&exec, Arc::new(Mutex::new(writer)), Arc::default())?;
            for ban in &left {
                let verb = if super::notify::acts(ban) { "unban" } else { continue };
                pool.give(Job::undo(ban, 0, verb));
            }
            pool.finish();
            return Ok(());
        }
        // Between two looks the folder is free for a successor.
        drop((writer, lock));
        std::thread::sleep(LOOK);
    }
}
