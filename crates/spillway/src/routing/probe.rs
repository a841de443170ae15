//! The operator's program that tries to reach a spare address: one at a time, never waited for.

use std::io;
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use steer::drill::Arrived;

use crate::config::Probe;

/// How long one try may take; then nothing arrived.
const PATIENCE: Duration = Duration::from_secs(3);
/// What it ends with where the absorber answered.
const ABSORBER: i32 = 3;

/// A try that runs. Dropped, it is ended.
#[derive(Debug)]
pub(super) struct Try {
    child: Child,
    began: Instant,
}

impl Try {
    /// Begins one.
    pub(super) fn start(probe: &Probe, address: IpAddr) -> io::Result<Self> {
        let child = Command::new(&probe.path)
            .args(probe.arguments(address))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child, began: Instant::now() })
    }

    /// What came of it; `None`: it still runs.
    pub(super) fn outcome(&mut self) -> Option<Arrived> {
        match self.child.try_wait() {
            Ok(None) if self.began.elapsed() < PATIENCE => None,
            Ok(Some(status)) if status.success() => Some(Arrived::Home),
            Ok(Some(status)) if status.code() == Some(ABSORBER) => Some(Arrived::Absorber),
            Ok(_) | Err(_) => Some(Arrived::Nowhere),
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Ok(group) = i32::try_from(self.child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = self.child.wait();
        }
    }
}
