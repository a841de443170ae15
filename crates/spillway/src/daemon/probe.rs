//! Asks a service, as the operator configured it, whether it lives: over HTTP, and by a program.
//!
//! Each service has a thread of its own, which asks one time after the other and is never waited for. An answer has to come
//! within the timeout; a program that takes longer is killed with all that it started.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base::Timestamp;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::clock::Clock;
use crate::config::{Examination, Url};

/// Answers remembered of one service; the oldest go first.
const ANSWERS_MAX: usize = 256;
/// Octets of what a program or a server says that are read; the rest is left.
const SAID_MAX: usize = 512;
/// A program is looked after this often, and so is the end.
const LOOK: Duration = Duration::from_millis(20);

/// When, and why it failed, if it did.
type Answer = (Timestamp, Option<String>);

/// Who asks one service; dropped, no more is asked.
#[derive(Debug)]
pub(super) struct Probe {
    address: IpAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    life: Arc<Life>,
}

/// Whether still is asked, and the program that is asked just now with all that it started.
#[derive(Debug, Default)]
struct Life {
    ended: AtomicBool,
    program: Mutex<Option<Child>>,
}

impl Life {
    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn program(&self) -> MutexGuard<'_, Option<Child>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a program, unless it is over.
    fn start(&self, command: &mut Command) -> std::io::Result<Option<ChildStderr>> {
        let mut program = self.program();
        if self.is_over() {
            return Ok(None);
        }
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        *program = Some(child);
        Ok(stderr)
    }

    /// How the program ended, if it did; `Err` if there is none any more.
    fn look(&self) -> Result<Option<ExitStatus>, ()> {
        let mut program = self.program();
        let status = program.as_mut().ok_or(())?.try_wait().map_err(drop)?;
        if status.is_some() {
            *program = None;
        }
        Ok(status)
    }

    /// Kills the program with all that it started. Nobody else reaps it, so its group is still its own.
    fn kill(&self) {
        if let Some(mut child) = self.program().take() {
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
        }
    }
}

impl Probe {
    /// Begins to ask.
    pub(super) fn start(asked: &Examination) -> anyhow::Result<Self> {
        let probe = Self { address: asked.address, answers: Arc::default(), life: Arc::default() };
        let (asked, answers, life) = (asked.clone(), Arc::clone(&probe.answers), Arc::clone(&probe.life));
        let run = move || ask_on(&asked, &answers, &life);
        std::thread::Builder::new().name("probe".to_owned()).spawn(run).context("cannot start a thread")?;
        Ok(probe)
    }

    /// Whose service is asked.
    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Good answers and failures of the last so many between two times.
    pub(super) fn between(&self, from: Timestamp, to: Timestamp, most: usize) -> (u64, u64) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let of = answers.iter().rev().filter(|(at, _)| *at >= from && *at < to).take(most);
        of.fold(
            (0, 0),
            |(ok, failed), (_, why)| if why.is_none() { (ok + 1, failed) } else { (ok, failed + 1) },
        )
    }

    /// Why the last one failed, if it did.
    pub(super) fn last_failure(&self) -> Option<String> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.back().and_then(|(_, why)| why.clone())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.life.ended.store(true, Ordering::Relaxed);
        // The process may end before the thread looks.
        self.life.kill();
    }
}

fn ask_on(asked: &Examination, answers: &Mutex<VecDeque<Answer>>, life: &Life) {
    let mut clock = Clock::start();
    let (every, timeout) =
        (Duration::from_nanos(asked.every.nanos()), Duration::from_nanos(asked.timeout.nanos()));
    while !life.is_over() {
        let begun = Instant::now();
        clock.follow();
        let at = clock.now();
        let by_url = asked.url.as_ref().map_or(Ok(()), |url| fetch(url, timeout));
        let by_program =
            asked.command.as_ref().map_or(Ok(()), |(path, words)| run(path, words, timeout, life));
        if life.is_over() {
            return;
        }
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS_MAX {
            answers.pop_front();
        }
        answers.push_back((at, by_url.and(by_program).err()));
        drop(answers);
        while begun.elapsed() < every && !life.is_over() {
            std::thread::sleep(LOOK.min(every.saturating_sub(begun.elapsed())));
        }
    }
}

/// A GET (RFC 9110); its status has to be below 400.
fn fetch(url: &Url, timeout: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let left = || match timeout.saturating_sub(begun.elapsed()) {
        Duration::ZERO => Err(format!("no answer within {} ms", timeout.as_millis())),
        left => Ok(left),
    };
    let address = url.host.to_socket_addrs().map_err(|cause| format!("{}: {cause}", url.host))?.next();
    let address = address.ok_or_else(|| format!("{} has no address", url.host))?;
    let said = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("no answer within {} ms", timeout.as_millis())
        }
        _ => format!("{address}: {cause}"),
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?).map_err(said)?;
    stream.set_write_timeout(Some(left()?)).map_err(said)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: spillway/{}\r\nConnection: close\r\n\r\n",
        url.path,
        url.host.strip_suffix(":80").unwrap_or(&url.host),
        env!("CARGO_PKG_VERSION")
    );
    stream.write_all(request.as_bytes()).map_err(said)?;
    let (mut answer, mut part) = (Vec::new(), [0; SAID_MAX]);
    while !answer.contains(&b'\n') && answer.len() < SAID_MAX {
        stream.set_read_timeout(Some(left()?)).map_err(said)?;
        match stream.read(&mut part).map_err(said)? {
            0 => break,
            count => answer.extend_from_slice(part.get(..count).unwrap_or(&[])),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse::<u16>().ok());
    match status {
        Some(100..400) => Ok(()),
        Some(status) => Err(format!("the server answered with status {status}")),
        None => Err("what answers does not speak HTTP".to_owned()),
    }
}

/// A program that has to end with 0.
fn run(path: &Path, words: &[String], timeout: Duration, life: &Life) -> Result<(), String> {
    let begun = Instant::now();
    let mut command = Command::new(path);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut stderr =
        life.start(&mut command).map_err(|cause| format!("{} cannot be started: {cause}", path.display()))?;
    if let Some(stderr) = &stderr {
        let _ = fcntl(stderr, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    }
    let mut said = Vec::new();
    let mut listen = |said: &mut Vec<u8>| {
        let mut part = [0; SAID_MAX];
        while let Some(count) =
            stderr.as_mut().and_then(|stderr| stderr.read(&mut part).ok()).filter(|count| *count > 0)
        {
            let room = SAID_MAX.saturating_sub(said.len()).min(count);
            said.extend_from_slice(part.get(..room).unwrap_or(&[]));
            if begun.elapsed() >= timeout {
                break;
            }
        }
    };
    let ended = loop {
        listen(&mut said);
        match life.look() {
            Ok(None) if begun.elapsed() < timeout => std::thread::sleep(LOOK),
            Ok(Some(status)) => break Some(status),
            Ok(None) | Err(_) => break None,
        }
    };
    life.kill();
    listen(&mut said);
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let said = String::from_utf8_lossy(&said);
            let said = said.lines().next().unwrap_or_default();
            let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
            let tail = if said.is_empty() { String::new() } else { format!(": {said}") };
            Err(format!("{} ended with {status}{tail}", path.display()))
        }
        None => Err(format!("{} took longer than {} ms and was killed", path.display(), timeout.as_millis())),
    }
}

#[cfg(test)]
mod tests;
