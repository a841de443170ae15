//! HiGHS on the same documents, by scipy in a virtual environment of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use steer::planner::Document;

/// What HiGHS says of a document.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Opinion {
    /// The linear relaxation.
    pub(crate) linear: Option<f64>,
    /// The best plan that it found.
    pub(crate) best: Option<f64>,
    /// No plan is worth more, as far as it saw.
    pub(crate) bound: Option<f64>,
    /// Whether the best one is proven to be the best.
    pub(crate) proven: bool,
    /// Processor time for the integer program.
    pub(crate) seconds: f64,
}

/// A Python with scipy.
pub(crate) struct Highs {
    python: PathBuf,
    script: PathBuf,
}

impl Highs {
    /// Sets the environment up where it is missing.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = here.join("../target/python-planner");
        let python = folder.join("bin/python");
        if !python.exists() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        }
        let list = here.join("planner/requirements.txt");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(list))?;
        Ok(Self { python, script: here.join("planner/highs.py") })
    }

    /// Asks it, for so many seconds at most.
    pub(crate) fn opinion(&self, document: &Document, seconds: u32) -> anyhow::Result<Opinion> {
        let mut child = Command::new(&self.python)
            .arg(&self.script)
            .arg(seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python does not start")?;
        let mut door = child.stdin.take().context("no way in")?;
        door.write_all(&serde_json::to_vec(document)?)?;
        drop(door);
        let said = child.wait_with_output()?;
        ensure!(said.status.success(), "highs.py: {}", said.status);
        Ok(serde_json::from_slice(&said.stdout)?)
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
