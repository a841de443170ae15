//! The real daemon as a child process, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use super::script::Script;
use crate::interrupt::Interrupt;

/// Until it has to serve, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of its last words, so many octets are shown when it fails.
const LAST_WORDS: usize = 2_000;

/// A running daemon.
#[derive(Debug)]
pub(super) struct Daemon {
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

/// A folder that goes when we go.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing of value is in it; that it stays would be a pity, not an error.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    /// A new one that others cannot read.
    fn new() -> anyhow::Result<Self> {
        let base = std::env::temp_dir();
        for n in 0..100 {
            let path = base.join(format!("spillway-demo-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        bail!("{}: no free name for a folder; remove old spillway-demo-* folders", base.display())
    }
}

impl Daemon {
    /// Starts it and waits until it serves.
    pub(super) fn start(script: &Script, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let config = folder.0.join("spillway.toml");
        fs::write(&config, configuration(script, &folder.0))
            .context("cannot write the demo's configuration")?;
        let program = std::env::current_exe().context("cannot find my own program")?;
        let log = fs::File::create(folder.0.join("log")).context("cannot create the daemon's log")?;
        let mut child = Command::new(&program)
            .arg("run")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for us; we end it in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {} run", program.display()))?;
        let lines = child.stdout.take().map(lines_of);
        let mut daemon =
            Self { child, folder, ready: Ready { ready: false, api: String::new(), listen: Vec::new() } };
        let lines = lines.ok_or_else(|| anyhow!("the daemon has no standard output"))?;
        daemon.ready = daemon.wait_ready(&lines, interrupt)?;
        Ok(daemon)
    }

    /// Where its API listens.
    pub(super) fn api(&self) -> &str {
        &self.ready.api
    }

    /// Where it takes flow export.
    pub(super) fn collector(&self) -> SocketAddr {
        self.ready.listen.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 6343)))
    }

    /// The folder with its configuration, state and log.
    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// An error when it has ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("cannot ask for the daemon")? {
            Some(status) => Err(self.failed(status)),
            None => Ok(()),
        }
    }

    /// Ends it in order, and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
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
                bail!("the daemon does not serve after {} s{}", PATIENCE.as_secs(), self.last_words());
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
        anyhow!("the daemon ended with {status}{}", self.last_words())
    }

    fn last_words(&self) -> String {
        let text = fs::read(self.folder.0.join("log")).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(LAST_WORDS)..).unwrap_or(&text);
        match String::from_utf8_lossy(tail).trim() {
            "" => String::new(),
            words => format!("; it said: {words}"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Whatever went wrong was reported; nobody is left behind.
        let _ = self.end();
    }
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

fn configuration(script: &Script, folder: &Path) -> String {
    let networks: Vec<String> = script.networks().iter().map(|network| format!("\"{network}\"")).collect();
    // JSON's strings are TOML's basic strings.
    let state = serde_json::Value::String(folder.join("state").display().to_string());
    format!(
        "networks = [{}]\nstate_dir = {state}\nmode = \"suggest\"\n\n\
         [listen]\nsflow = \"127.0.0.1:0\"\n\n[api]\nlisten = \"127.0.0.1:0\"\n",
        networks.join(", ")
    )
}
