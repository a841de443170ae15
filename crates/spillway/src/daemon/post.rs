//! The post office for notifications: a letterbox that never blocks who writes, a clerk who puts things into the outbox, and a
//! carrier with a thread of its own for each channel. It stands beside the daemon's runs: a reload that does not change it
//! leaves it alone.

mod clerk;
mod letterbox;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use base::Prefix;
use notify::{Carrier, Router, Settings, Step};
use store::Outbox;

use super::clock::Clock;
use crate::config::Config;
use clerk::Clerk;
use letterbox::Bell;
pub(super) use letterbox::Door;

/// A carrier that waits for nothing in particular looks this often.
const LOOK: Duration = Duration::from_secs(5);
/// How long the end waits for attempts under way; what is not over by then is sent again at the next start.
const FINISH: Duration = Duration::from_millis(1500);

/// All that the office depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    folder: PathBuf,
    channels: Vec<Settings>,
    customers: Vec<(String, Vec<Prefix>)>,
}

impl Setup {
    /// What a configuration asks for; `None`: nothing.
    fn of(config: &Config) -> Option<Self> {
        (!config.channels.is_empty()).then(|| Self {
            folder: config.state_dir.clone(),
            channels: config.channels.clone(),
            customers: config.customers.clone(),
        })
    }
}

/// The office at work; dropping it ends it, and what is not delivered stays in the outbox.
pub(super) struct Office {
    setup: Setup,
    door: Door,
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
    clerk: Option<JoinHandle<()>>,
    carriers: Vec<JoinHandle<()>>,
}

/// The office that this configuration wants: the old one, where nothing that concerns it changed.
pub(super) fn adapt(old: Option<Office>, config: &Config, door: &Door) -> anyhow::Result<Option<Office>> {
    let wanted = Setup::of(config);
    if old.as_ref().map(|office| &office.setup) == wanted.as_ref() {
        return Ok(old);
    }
    drop(old);
    wanted.map(|setup| Office::open(setup, door)).transpose()
}

impl Office {
    fn open(setup: Setup, door: &Door) -> anyhow::Result<Self> {
        let mut outbox = Outbox::open(&setup.folder)?;
        let names: Vec<&str> = setup.channels.iter().map(|channel| channel.name.as_str()).collect();
        let orphans = outbox.keep(&names)?;
        if orphans > 0 {
            tracing::warn!(
                orphans,
                "notifications waited for channels that are not configured any more; they are dropped"
            );
        }
        let router =
            Router::new(setup.channels.clone(), setup.customers.clone(), outbox.told()?).after(door.left());
        let outbox = Arc::new(Mutex::new(outbox));
        let bell = Arc::new(Bell::default());
        let stop = Arc::new(AtomicBool::new(false));
        let clock = Clock::start();
        let caps: BTreeMap<String, u64> =
            setup.channels.iter().map(|channel| (channel.name.clone(), channel.queue_max as u64)).collect();
        let sender = sender();
        let mut carriers = Vec::new();
        for channel in &setup.channels {
            door.counts().begin(&channel.name);
            let way = notify::channel::make(channel, &sender).map_err(anyhow::Error::msg)?;
            let cap = channel.fallback.as_ref().and_then(|(to, _)| caps.get(to)).copied().unwrap_or(0);
            let carrier = Carrier::new(channel.clone(), sender.clone(), way, cap);
            let round = Round {
                carrier,
                outbox: Arc::clone(&outbox),
                door: door.clone(),
                bell: Arc::clone(&bell),
                stop: Arc::clone(&stop),
                clock,
            };
            let thread = Builder::new().name(format!("notify-{}", channel.name));
            carriers.push(thread.spawn(move || round.run())?);
        }
        door.open();
        let clerk = Clerk { router, outbox, door: door.clone(), bell: Arc::clone(&bell), caps, clock };
        let clerk = Builder::new().name("notify".to_owned()).spawn(move || clerk.run())?;
        Ok(Self { setup, door: door.clone(), stop, bell, clerk: Some(clerk), carriers })
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        // The clerk first: what is in the letterbox is written down.
        self.door.close();
        if let Some(clerk) = self.clerk.take() {
            let _ = clerk.join();
        }
        self.stop.store(true, Ordering::Relaxed);
        self.bell.ring();
        let deadline = Instant::now() + FINISH;
        while Instant::now() < deadline && self.carriers.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A carrier's thread.
struct Round {
    carrier: Carrier,
    outbox: Arc<Mutex<Outbox>>,
    door: Door,
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    clock: Clock,
}

impl Round {
    fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let heard = self.bell.rings();
            self.clock.follow();
            let clock = self.clock;
            match self.carrier.step(&self.outbox, &|| clock.now(), self.door.counts()) {
                // It may have gone to another's way.
                Step::Went => self.bell.ring(),
                Step::Wait(until) => {
                    let until = until.map(|until| Duration::from_nanos(until.since(clock.now()).nanos()));
                    self.bell.wait(heard, until.unwrap_or(LOOK).min(LOOK));
                }
            }
        }
    }
}

/// What this machine is called.
pub(crate) fn sender() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    if plain.is_empty() { "spillway".to_owned() } else { plain }
}
