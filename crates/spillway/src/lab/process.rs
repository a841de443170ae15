//! A program that runs in the lab, ended by its process group.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::network::{Network, Site};
use crate::folder::Folder;

/// After SIGTERM, until SIGKILL.
const PATIENCE: Duration = Duration::from_millis(500);

/// A running program; ended with this value.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
    killed: bool,
}

impl Running {
    /// Starts it; what it says goes to `NAME.log` in the folder.
    pub(super) fn start(
        network: &Network,
        site: Site,
        folder: &Folder,
        program: &str,
        args: &[&str],
    ) -> anyhow::Result<Self> {
        let mut command = network.command(site, program);
        command.args(args);
        Self::spawn(command, folder.path(), program)
    }

    /// Likewise, by a command; what it says goes to `NAME.log`.
    pub(super) fn spawn(mut command: Command, folder: &Path, name: &str) -> anyhow::Result<Self> {
        // One that is started again goes on where the one before it stopped.
        let log = File::options().create(true).append(true).open(folder.join(format!("{name}.log")));
        let log = log.with_context(|| format!("log of {name}"))?;
        let also = log.try_clone()?;
        let child = command
            .stdout(Stdio::from(log))
            .stderr(also)
            .spawn()
            .with_context(|| format!("cannot start {name}; `spillway lab check` says what is missing"))?;
        Ok(Self { name: name.into(), child, killed: false })
    }

    /// An error when a program that should serve has ended.
    pub(super) fn check(&mut self, folder: &Folder) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot ask for a process")? {
            None => Ok(()),
            Some(status) => {
                let words = folder.last_words(&format!("{}.log", self.name));
                bail!("{} ended with {status}{words}", self.name)
            }
        }
    }

    /// Kills it and what it has started: nothing in it hears of that.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).context("a process id that is none")?;
        killpg(Pid::from_raw(id), Signal::SIGKILL).with_context(|| format!("cannot kill {}", self.name))?;
        self.killed = true;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name)).map(drop)
    }

    fn end(&mut self) {
        // Its number may be another's by now.
        if self.killed {
            return;
        }
        let Ok(id) = i32::try_from(self.child.id()) else { return };
        let group = Pid::from_raw(id);
        // Each may have ended just now.
        let _ = killpg(group, Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
