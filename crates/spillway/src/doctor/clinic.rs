//! Where the running daemon looks at itself.

use std::sync::Arc;

use api::{Finding, Source};
use base::Timestamp;
use nix::unistd::geteuid;
use store::Outbox;

use super::facts::{Facts, Running};
use super::{examine, gather};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::desk;
use crate::routing::Door;
use crate::routing::order::{Answer, Caller, Order};

/// Where it is found, while a run lasts.
pub(crate) type Place = desk::Place<Arc<Clinic>>;

/// One run's.
pub(crate) struct Clinic {
    /// Under which it runs.
    pub(crate) config: Config,
    /// What it knows.
    pub(crate) source: Arc<dyn Source>,
    /// What holds for whom.
    pub(crate) policy: crate::policy::Desk,
    /// Where routes are asked for.
    pub(crate) door: Door,
    /// The ledger's trouble, when there is some.
    pub(crate) ledger: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// The enforcer's trouble, when there is some.
    pub(crate) enforcer: Box<dyn Fn() -> Option<String> + Send + Sync>,
    /// Sockets: listener, octets of the buffer, octets that were asked for.
    pub(crate) buffers: Vec<(&'static str, u64, u64)>,
    /// The time.
    pub(crate) clock: Clock,
    /// Since when.
    pub(crate) since: Timestamp,
}

impl std::fmt::Debug for Clinic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clinic").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Clinic {
    /// All that was looked at, good or bad. Asks the desk for routes, so it may take a while.
    pub(crate) fn examine(&self) -> Vec<Finding> {
        examine(&self.facts())
    }

    fn facts(&self) -> Facts {
        let config = &self.config;
        let host = gather::host(config, Some(geteuid().as_raw()));
        let asked = |order| self.door.ask(Caller::Person("doctor".to_owned()), order);
        let peers = match &config.routing {
            None => Ok(Vec::new()),
            Some(_) => match asked(Order::Peers) {
                Ok(Answer::Peers(peers)) => Ok(peers),
                Ok(_) => Err("it answers something else".to_owned()),
                Err(why) => Err(why),
            },
        };
        let absorbers = match config.routing.as_ref().map(|_| asked(Order::Absorbers)) {
            Some(Ok(Answer::Absorbers(absorbers))) => absorbers,
            _ => Vec::new(),
        };
        let running = Running {
            since: self.since,
            mode: self.policy.now().stand(),
            metrics: self.source.metrics(),
            exporters: self.source.live().exporters.clone(),
            buffers: self.buffers.clone(),
            peers,
            absorbers,
            ledger: (self.ledger)(),
            dead: dead(config),
            edited: self.edited(),
            enforcer: (self.enforcer)(),
        };
        Facts { config: config.clone(), now: self.clock.now(), host, running: Some(running), unheard: None }
    }

    /// The configuration file, where it is younger than this run.
    fn edited(&self) -> Option<std::path::PathBuf> {
        let changed = std::fs::metadata(&self.config.path).ok()?.modified().ok()?;
        let changed = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
        let changed = Timestamp::from_secs(changed.as_secs());
        (changed > self.since).then(|| self.config.path.clone())
    }
}

/// Channels with messages that were given up.
fn dead(config: &Config) -> Vec<(String, u64, Option<String>)> {
    let Ok(Some(outbox)) = Outbox::look(&config.state_dir) else { return Vec::new() };
    let Ok(waiting) = outbox.waiting() else { return Vec::new() };
    let dead = waiting.into_iter().filter(|(_, waiting)| waiting.dead > 0);
    let said = |channel: &str| outbox.dead(channel).ok()?.into_iter().next()?.answer;
    dead.map(|(channel, waiting)| (channel.clone(), waiting.dead, said(&channel))).collect()
}
