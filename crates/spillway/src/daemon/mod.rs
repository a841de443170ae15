//! `spillway run`: sockets, threads, files and the clock around the engine.
//!
//! ```text
//! UDP ─ worker (collector, shard) ─┐ ticks            ┌ source ─ API
//! UDP ─ worker (collector, shard) ─┴─ core (engine) ──┼ mailbox ─ store
//!         │                                           ├ notifier ─ program
//!         └ lens ─ witness (sources, open bags)       └ letterbox ─ clerk ─ outbox ─ carriers ─ channels
//! ```
//! Every arrow is bounded, and nothing is lost on it without a counter: a worker whose core is behind goes on counting into
//! the open tick, the mailbox keeps the latest state of each thing, a full queue of notifications is counted.

mod audited;
mod brief;
mod certificate;
mod checkups;
pub(crate) mod clock;
pub mod control;
mod course;
mod decide;
mod documents;
mod drops;
mod ears;
mod enforcing;
mod exec;
pub mod guard;
pub(crate) mod hands;
mod herald;
mod lifecycle;
mod listener;
pub(crate) mod log;
mod mailbox;

mod names;
mod notify;
mod persist;
mod post;
mod privileges;
mod probe;
mod process;
mod receive;
mod reports;
mod rest;
mod retention;
pub(crate) mod roles;
mod routes;
mod scout;
mod serve;
mod session;
mod source;
mod state;
mod supervisor;
mod tally;
mod traffic;
mod vault;
mod watchman;
mod worker;

use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::cmd::check::complain;
use crate::config::Config;
use crate::enforce::remote::Helper;
use crate::ledger::Scribe;
use crate::witness::Witness;
use clock::Clock;
use control::{Order, Reply};
pub(crate) use post::sender;
use routes::Routes;
use session::{Ended, Kept};
pub(crate) use state::take as lock;

/// What the main thread waits for.
#[derive(Debug)]
enum Event {
    /// End.
    Stop(lifecycle::Order),
    /// Look at the configuration again.
    Reload(lifecycle::Order),
    /// The panic signal was heard: how far things went before, and what came of it.
    Panicked(serde_json::Value, Result<serde_json::Value, String>),
    /// Somebody wants something and waits for the answer. `None`: who and why is written down already.
    Order(Order, Option<lifecycle::Order>, Sender<Reply>),
    /// A thread is gone that must not be.
    Broken(&'static str),
}

/// Runs until it is told to stop.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let mut config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    log::start(&config.log);
    let _lock = state::take_soon(&config.state_dir)?;
    let (send, events) = channel();
    let mut routes = Routes::default();
    signals(send.clone(), routes.clone())?;
    let mut kept = Kept::open(&config)?;
    // What needs privileges has them by now, or the helper does it.
    let helper = match &config.user {
        Some(_) if !config.dataplane.interfaces.is_empty() => Some(Helper::start(path)?),
        _ => None,
    };
    if let Some(user) = &config.user {
        privileges::drop_to(user, &config.state_dir)?;
    }
    // Last to end, for whatever ends before it may have something to write.
    let scribe =
        config.ledger.enabled.then(|| Scribe::start(config.ledger_place(), Clock::start())).transpose()?;
    routes.pen = scribe.as_ref().map(Scribe::pen).unwrap_or_default();
    routes.policy.open(&config.state_dir, routes.pen.clone())?;
    routes.policy.adapt(&config, kept.port()?);
    lifecycle::Trail { routes: &routes, access: &kept.access() }.begin(&config);
    control::start(&config.state_dir, send.clone(), &routes, kept.access())?;
    let mut desk = routes.adapt(None, &config, &send)?;
    let mut post = post::adapt(None, &config, &routes.post)?;
    let witness = Witness::start(&config, &routes.witness, routes.door.clone())?;
    let mut names = names::adapt(None, &config, &routes.names, &routes.pen, &send)?;
    // Ends when this process does: its standard input is a pipe that we hold.
    let mut guard = guard::start(&config)?;
    loop {
        match session::run(&config, &mut kept, helper.as_ref(), &routes, &events, &send)? {
            Ended::Stopped => {
                supervisor::stopping();
                drop((desk, names, post, witness));
                drop(scribe);
                retire(guard);
                return Ok(());
            }
            Ended::Reload(new) => {
                config = *new;
                desk = routes.adapt(desk, &config, &send)?;
                post = post::adapt(post, &config, &routes.post)?;
                names = names::adapt(names, &config, &routes.names, &routes.pen, &send)?;
                witness.adapt(&config);
                let old = std::mem::replace(&mut guard, guard::start(&config)?);
                retire(old);
            }
        }
    }
}

/// Lets a guard go; it finds that nothing is left to do, or that somebody else does it.
fn retire(guard: Option<Child>) {
    if let Some(mut guard) = guard {
        drop(guard.stdin.take());
        // Reaped by a thread, for it may look around for a moment.
        let reap = std::thread::Builder::new().name("reap".to_owned());
        let _ = reap.spawn(move || guard.wait());
    }
}

/// Turns signals into events.
fn signals(events: Sender<Event>, routes: Routes) -> anyhow::Result<()> {
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2]).context("cannot listen for signals")?;
    let forward = move || {
        for signal in signals.forever() {
            let event = match signal {
                // done at once, whatever the main thread waits for; written down afterwards
                SIGUSR2 => {
                    let (before, done) = routes.panic();
                    Event::Panicked(before, done)
                }
                SIGHUP => Event::Reload(lifecycle::Order::signal("SIGHUP")),
                SIGINT => Event::Stop(lifecycle::Order::signal("SIGINT")),
                _ => Event::Stop(lifecycle::Order::signal("SIGTERM")),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(forward)?;
    Ok(())
}

/// The next event; `None`: there was none for so long. The senders live as long as the process.
fn next(events: &Receiver<Event>, wait: Duration) -> Option<Event> {
    match events.recv_timeout(wait) {
        Ok(event) => Some(event),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            Some(Event::Stop(lifecycle::Order::own("nobody is left who could end it".to_owned())))
        }
    }
}
