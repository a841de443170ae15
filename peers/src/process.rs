//! A process that we started, and what it used.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The kernel's clock ticks per second (`USER_HZ`), the same on every Linux that we know.
const TICKS: f64 = 100.0;

/// Ends with its owner.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts it; both outputs go to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Outcome<Self> {
        let file = || std::fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()));
        let out = file()?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("{name}: {e}; `scripts/setup peers` installs the peers"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until something listens on this UDP port.
    pub fn listening(&mut self, port: u16) -> Outcome {
        let begun = Instant::now();
        while sockets(port).is_empty() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended at once ({status}): see {}", self.log.display()));
            }
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(format!(
                    "nothing listens on port {port} after a minute: see {}",
                    self.log.display()
                ));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// User and system time of all its threads so far, those that ended included.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        cpu(&stat)
    }

    /// The same of those of its threads that run and have none of these names.
    pub fn cpu_besides(&self, names: &[&str]) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let stats = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            let name = stat.split_once('(')?.1.rsplit_once(')')?.0;
            (!names.contains(&name)).then(|| cpu(&stat))
        });
        stats.sum()
    }

    /// Most memory it ever had resident, in MB.
    pub fn resident_peak(&self) -> f64 {
        resident_peak(&self.child.id().to_string())
    }

    /// Asks it to end and waits.
    pub fn stop(mut self) -> Outcome {
        self.ask()
    }

    fn ask(&mut self) -> Outcome {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return Ok(());
        }
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(15) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return Ok(());
            }
            sleep(Duration::from_millis(50));
        }
        self.child.kill().and_then(|()| self.child.wait()).map_err(|e| e.to_string())?;
        Err("it did not end within 15 s of SIGTERM".to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.ask();
    }
}

/// Most memory that a process (its id, or `self`) ever had resident, in MB.
pub fn resident_peak(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    kib * 1024.0 / 1e6
}

/// Datagrams that the kernel dropped at the sockets of this port.
pub fn drops(port: u16) -> u64 {
    sockets(port).iter().sum()
}

/// The drop counter of each UDP socket bound to this port.
fn sockets(port: u16) -> Vec<u64> {
    let tables =
        ["/proc/net/udp", "/proc/net/udp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (_, bound) = fields.get(1)?.rsplit_once(':')?;
        (u16::from_str_radix(bound, 16) == Ok(port)).then(|| fields.last()?.parse().ok())?
    })
    .collect()
}

/// User and system time in a line of the kernel's table, in seconds.
fn cpu(stat: &str) -> f64 {
    // the name in parentheses may hold spaces; the 12th and 13th field behind it are utime and stime
    let behind = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}
