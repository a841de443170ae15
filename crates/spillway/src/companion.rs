//! The real daemon as a child process, in a folder of its own: for the demonstration and the lab.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// Until it has to serve, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What it complains of, in its folder.
const LOG: &str = "log";

/// Its configuration there.
const CONFIG: &str = "spillway.toml";

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    folder: Folder,
    ready: Ready,
}

/// The line that it prints when it serves.
#[derive(Debug, Deserialize)]
struct Ready {
    ready: bool,
    api: String,
    listen: Vec<SocketAddr>,
}

impl Daemon {
    /// Starts `command run -c FILE` and waits until it serves. The file, written for the folder that holds the daemon's
    /// state, lets it choose its ports.
    pub(crate) fn start(
        purpose: &str,
        mut command: Command,
        configuration: impl FnOnce(&Path) -> String,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let folder = Folder::new(purpose)?;
        fs::write(folder.path().join(CONFIG), configuration(folder.path()))
            .context("cannot write the daemon's configuration")?;
        let (child, lines) = spawn(&mut command, folder.path())?;
        let ready = Ready { ready: false, api: String::new(), listen: Vec::new() };
        let mut daemon = Self { child, folder, ready };
        daemon.ready = daemon.wait_ready(&lines, interrupt)?;
        Ok(daemon)
    }

    /// Kills it: nothing in it hears of that.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot kill the daemon")?;
        self.child.wait().context("cannot wait for the daemon").map(drop)
    }

    /// Starts it again with its configuration and whatever it has left, and waits until it serves.
    pub(crate) fn again(&mut self, mut command: Command, interrupt: &Interrupt) -> anyhow::Result<()> {
        let (child, lines) = spawn(&mut command, self.folder.path())?;
        self.child = child;
        self.ready = self.wait_ready(&lines, interrupt)?;
        Ok(())
    }

    /// Where its API listens.
    pub(crate) fn api(&self) -> &str {
        &self.ready.api
    }

    /// Where it takes flow export.
    pub(crate) fn collector(&self) -> SocketAddr {
        self.ready.listen.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 6343)))
    }

    /// The folder with its configuration, state and log.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An error when it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot ask for the daemon")? {
            Some(status) => Err(self.failed(status)),
            None => Ok(()),
        }
    }

    /// Ends it in order, and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let status = self.end().context("cannot end the daemon")?;
        if status.success() { Ok(()) } else { Err(self.failed(status)) }
    }

    fn wait_ready(&mut self, lines: &mpsc::Receiver<String>, interrupt: &Interrupt) -> anyhow::Result<Ready> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    if let Ok(ready) = serde_json::from_str::<Ready>(&line)
                        && ready.ready
                    {
                        return Ok(ready);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().context("cannot wait for the daemon")?;
                    return Err(self.failed(status));
                }
            }
            if interrupt.asked() {
                bail!("interrupted before the daemon served");
            }
            if Instant::now() > deadline {
                bail!(
                    "the daemon does not serve after {} s{}",
                    PATIENCE.as_secs(),
                    self.folder.last_words(LOG)
                );
            }
        }
    }

    /// SIGTERM, and SIGKILL for one that does not listen.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait()
    }

    fn failed(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!("the daemon ended with {status}{}", self.folder.last_words(LOG))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Whatever went wrong was reported; nobody is left behind.
        let _ = self.end();
    }
}

/// Starts `command run -c FILE`; what it says on its standard output comes line by line.
fn spawn(command: &mut Command, folder: &Path) -> anyhow::Result<(Child, mpsc::Receiver<String>)> {
    let log = fs::File::options().create(true).append(true).open(folder.join(LOG));
    let mut child = command
        .arg("run")
        .arg("-c")
        .arg(folder.join(CONFIG))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.context("cannot open the daemon's log")?)
        // Ctrl-C is for us; we end it in order.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {} run", command.get_program().display()))?;
    let lines = child.stdout.take().map(lines_of);
    Ok((child, lines.ok_or_else(|| anyhow!("the daemon has no standard output"))?))
}

/// Its standard output, line by line, without ever blocking us.
fn lines_of(stdout: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    receive
}
