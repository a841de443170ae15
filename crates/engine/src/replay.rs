//! A recording through shards and core, on the recording's own clock.

use base::map::Seed;
use base::prefix::wide;
use base::{Span, Timestamp};
use detect::ShardTick;
use detect::pairs::lane;
use detect::shard::Shard;
use telemetry::Record;

use crate::core::{Engine, Input, Output};
use crate::settings::Settings;

/// Drives shards and core from records in order of capture.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    front: Front,
}

/// The half of a replay that counts: it may run beside the half that decides.
#[derive(Debug)]
pub struct Front {
    shards: Vec<Shard>,
    counted: Vec<u64>,
    tick_len: Span,
    exact: bool,
    /// Number of the tick being filled, and the latest time seen: captures glued together may jump back.
    tick: Option<u64>,
    now: Timestamp,
}

/// The key of the choice of samples in a replay: fixed, so that a recording gives the same answer everywhere.
const SAMPLE_KEY: u64 = 0x7370_696c_6c77_6179;

impl Replay {
    /// A replay over this many shards; `seed` moves table slots only.
    pub fn new(settings: Settings, shards: usize, seed: &Seed) -> Self {
        let front = Front::new(&settings, shards);
        Self { engine: Engine::new(settings, seed.clone()), front }
    }

    /// Takes one record. One that is older than its forerunner is taken at its forerunner's time.
    pub fn record(&mut self, record: &Record) {
        if let Some((until, tick)) = self.front.record(record) {
            self.engine.handle(until, tick);
        }
    }

    /// The recording is at its end.
    pub fn finish(&mut self) {
        if let Some((until, tick)) = self.front.finish() {
            self.engine.handle(until, tick);
        }
        self.engine.finish();
    }

    /// The next decision.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.engine.poll_output()
    }

    /// Packets that went through each shard.
    pub fn packets_per_shard(&self) -> &[u64] {
        self.front.packets_per_shard()
    }

    /// The core, to be asked.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl Front {
    /// Shards for these settings.
    pub fn new(settings: &Settings, shards: usize) -> Self {
        let make = || Shard::new(settings.profile, &settings.networks, settings.tick, SAMPLE_KEY);
        let count = shards.max(1);
        Self {
            shards: (0..count).map(|_| make()).collect(),
            counted: vec![0; count],
            tick_len: settings.tick,
            exact: settings.profile.is_exact(),
            tick: None,
            now: Timestamp::ZERO,
        }
    }

    /// Takes one record; gives the tick that ended before it, with its end.
    #[inline]
    pub fn record(&mut self, record: &Record) -> Option<(Timestamp, Input)> {
        self.now = self.now.max(record.at);
        let tick = self.now.tick(self.tick_len);
        let ended = self.tick.replace(tick).filter(|open| *open != tick).map(|open| self.close(open));
        let index = lane(wide(record.headers.src), wide(record.headers.dst)) % self.shards.len();
        if let (Some(shard), Some(counted)) = (self.shards.get_mut(index), self.counted.get_mut(index)) {
            *counted += record.packets;
            shard.record(record);
        }
        ended
    }

    /// The last tick.
    pub fn finish(&mut self) -> Option<(Timestamp, Input)> {
        self.tick.take().map(|open| self.close(open))
    }

    /// Packets that went through each shard.
    pub fn packets_per_shard(&self) -> &[u64] {
        &self.counted
    }

    fn close(&mut self, tick: u64) -> (Timestamp, Input) {
        let until = Timestamp::ZERO.plus(self.tick_len.times(tick + 1));
        if self.exact {
            self.shards.iter_mut().for_each(|shard| shard.sweep(until));
        }
        let shards: Vec<ShardTick> = self.shards.iter_mut().map(Shard::close).collect();
        (until, Input::Tick { until, shards })
    }
}
