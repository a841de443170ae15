//! A thread in a namespace. Sockets that it opens stay there.

use std::fs::File;
use std::path::Path;
use std::thread::{Builder, JoinHandle};

use anyhow::{Context as _, anyhow};
use nix::sched::{CloneFlags, setns};

use super::network::{Network, Site};

/// A thread that has entered a namespace.
#[derive(Debug)]
pub struct Thread<T>(JoinHandle<Option<T>>);

impl<T> Thread<T> {
    /// Waits for what it comes to.
    ///
    /// # Errors
    /// When it panicked.
    pub fn join(self) -> anyhow::Result<T> {
        self.0.join().ok().flatten().ok_or_else(|| anyhow!("a thread of the lab broke down"))
    }
}

/// Starts a thread in the namespace of a site; it has entered when this returns.
///
/// # Errors
/// When the namespace is not there, or may not be entered.
pub fn inside<T: Send + 'static>(
    network: &Network,
    site: Site,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<Thread<T>> {
    enter(&network.path(site), work)
}

/// Likewise, in the namespace that this file stands for.
pub(super) fn enter<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<Thread<T>> {
    let namespace = File::open(path).with_context(|| path.display().to_string())?;
    let (entered, wait) = std::sync::mpsc::channel();
    let thread = Builder::new().name("lab".to_owned()).spawn(move || {
        let done = setns(namespace, CloneFlags::CLONE_NEWNET);
        let may = done.is_ok();
        // Whoever waits is there until this is said.
        let _ = entered.send(done);
        may.then(work)
    })?;
    wait.recv()
        .map_err(|_| anyhow!("a thread of the lab broke down"))?
        .with_context(|| format!("cannot enter {}", path.display()))?;
    Ok(Thread(thread))
}
