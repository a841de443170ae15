//! The decision core: merged ticks in, attacks out.

use std::collections::VecDeque;

use base::Timestamp;
use base::map::Seed;
use detect::ShardTick;

use crate::report;
use crate::settings::Settings;

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A tick has ended at `until`; one entry per shard, in any order.
    Tick {
        /// End of the tick.
        until: Timestamp,
        /// What the shards counted.
        shards: Vec<ShardTick>,
    },
}

/// What the core decided.
#[derive(Clone, Debug)]
pub enum Output {
    /// An attack began, changed or ended; the last one of an id is final.
    Attack(Box<report::Attack>),
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Another version wrote it, or it is damaged.
    #[error("the saved state cannot be read ({0}); it is left aside and learning begins anew")]
    Unreadable(String),
}

/// The decision core.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// Begins with nothing learned.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        let _ = seed;
        Self { settings, outputs: VecDeque::new() }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        let _ = (now, input);
    }

    /// A deadline has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The next decision.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All attacks that are active or ended lately.
    pub fn attacks(&self) -> Vec<report::Attack> {
        Vec::new()
    }

    /// What has to survive a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Continues from a snapshot.
    pub fn restore(settings: Settings, seed: Seed, snapshot: &[u8]) -> Result<Self, RestoreError> {
        let _ = snapshot;
        Ok(Self::new(settings, seed))
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}
