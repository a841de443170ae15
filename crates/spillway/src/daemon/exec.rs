//! Running the operator's program: a few at a time, each with its limit, never in anybody's way.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::map::Seed;
use store::{Ban, Writer};

use super::notify::Told;
use crate::config::NotifyExec;

/// Programs that run at one time. Calls of one target come one after the other, in order.
const LANES: usize = 4;
/// Calls that wait per lane; more are refused and counted as `queue_full`.
const WAITING_MAX: usize = 256;
/// An undoing call that failed is tried this often in all.
const UNDO_ATTEMPTS: u32 = 3;
/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// All of this is given to calls that are under way when the daemon ends.
const FINISH: Duration = Duration::from_secs(3);

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Job {
    ban: Ban,
    arguments: [String; 4],
    undo: bool,
}

impl Job {
    /// Tells of something new.
    pub(super) fn make(ban: &Ban, pps: u64, verb: &str) -> Self {
        let arguments = [ban.target.clone(), ban.direction.clone(), pps.to_string(), verb.to_owned()];
        Self { ban: ban.clone(), arguments, undo: false }
    }

    /// Undoes it.
    pub(super) fn undo(ban: &Ban, pps: u64, verb: &str) -> Self {
        Self { undo: true, ..Self::make(ban, pps, verb) }
    }
}

/// Lanes of calls.
#[derive(Debug)]
pub(super) struct Pool {
    lanes: Vec<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Ready to call.
    pub(super) fn start(
        exec: &NotifyExec,
        writer: Arc<Mutex<Writer>>,
        told: Arc<Told>,
    ) -> std::io::Result<Self> {
        let (mut lanes, mut threads) = (Vec::new(), Vec::new());
        for lane in 0..LANES {
            let (send, jobs) = sync_channel(WAITING_MAX);
            let caller = Caller {
                path: exec.path.clone(),
                timeout: Duration::from_nanos(exec.timeout.nanos()),
                writer: Arc::clone(&writer),
                told: Arc::clone(&told),
            };
            let thread = std::thread::Builder::new().name(format!("notify-{lane}"));
            threads.push(thread.spawn(move || caller.run(&jobs))?);
            lanes.push(send);
        }
        Ok(Self { lanes, threads })
    }

    /// Takes a call, unless too many wait.
    pub(super) fn give(&self, job: Job) -> bool {
        let mut hasher = Seed::default().build_hasher();
        hasher.write(job.ban.target.as_bytes());
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0);
        self.lanes.get(lane).is_some_and(|lane| lane.try_send(job).is_ok())
    }

    /// Waits for what is under way, but not for long.
    pub(super) fn finish(self) {
        drop(self.lanes);
        let deadline = Instant::now() + FINISH;
        while Instant::now() < deadline && self.threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(LOOK);
        }
    }
}

/// The thread of a lane.
struct Caller {
    path: PathBuf,
    timeout: Duration,
    writer: Arc<Mutex<Writer>>,
    told: Arc<Told>,
}

impl Caller {
    fn run(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            self.serve(&job);
        }
    }

    fn serve(&self, job: &Job) {
        let writer = || self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ban = &job.ban;
        if !job.undo {
            // First the note, then the deed: a crash in between undoes what was never done, which harms nobody.
            if let Err(cause) = writer().ban(ban) {
                tracing::error!(%cause, attack_id = ban.attack, target = ban.target, "cannot note the call down, so it is not made");
                return self.told.count("not_noted");
            }
        }
        let attempts = if job.undo { UNDO_ATTEMPTS } else { 1 };
        for attempt in 1..=attempts {
            let result = self.call(job);
            self.told.count(result.as_ref().map_or_else(|why| why.0, |()| "ok"));
            match result {
                Ok(()) => break,
                Err((result, why)) => {
                    tracing::error!(
                        attack_id = ban.attack,
                        target = ban.target,
                        attempt,
                        result,
                        why,
                        "the notification program"
                    );
                }
            }
        }
        if job.undo
            && let Err(cause) = writer().unban(&ban.target, &ban.direction)
        {
            tracing::error!(%cause, attack_id = ban.attack, target = ban.target, "cannot note the end down; it is told again at the next start");
        }
    }

    fn call(&self, job: &Job) -> Result<(), (&'static str, String)> {
        let mut child = Command::new(&self.path)
            .args(&job.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|cause| ("failed", cause.to_string()))?;
        // A program that does not read must not hold us up: the pipe is filled by a thread that ends with the program.
        if let Some(mut stdin) = child.stdin.take() {
            let document = job.ban.document.clone();
            let writing = std::thread::Builder::new().name("notify-stdin".to_owned());
            // A program that closes its input early has its reasons.
            let _ = writing.spawn(move || stdin.write_all(document.as_bytes()));
        }
        self.wait(&mut child)
    }

    fn wait(&self, child: &mut Child) -> Result<(), (&'static str, String)> {
        let deadline = Instant::now() + self.timeout;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(("failed", status.to_string())),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(("timeout", format!("ended after {:?}", self.timeout)));
                }
                Err(cause) => return Err(("failed", cause.to_string())),
            }
        }
    }
}
