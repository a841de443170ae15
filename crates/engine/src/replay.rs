//! A recording through shards and core, on the recording's own clock.

use base::Timestamp;
use base::map::Seed;
use base::prefix::wide;
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
    shards: Vec<Shard>,
    counted: Vec<u64>,
    /// Number of the tick being filled, and the latest time seen: captures glued together may jump back.
    tick: Option<u64>,
    now: Timestamp,
}

/// The key of the choice of samples in a replay: fixed, so that a recording gives the same answer everywhere.
const SAMPLE_KEY: u64 = 0x7370_696c_6c77_6179;

impl Replay {
    /// A replay over this many shards; `seed` moves table slots only.
    pub fn new(settings: Settings, shards: usize, seed: &Seed) -> Self {
        let make =
            || Shard::new(settings.profile, &settings.networks, settings.tick, SAMPLE_KEY, seed.clone());
        let count = shards.max(1);
        Self {
            shards: (0..count).map(|_| make()).collect(),
            counted: vec![0; count],
            engine: Engine::new(settings, seed.clone()),
            tick: None,
            now: Timestamp::ZERO,
        }
    }

    /// Takes one record. One that is older than its forerunner is taken at its forerunner's time.
    pub fn record(&mut self, record: &Record) {
        let tick_len = self.engine.settings().tick;
        self.now = self.now.max(record.at);
        let tick = self.now.tick(tick_len);
        match self.tick {
            Some(open) if open == tick => {}
            Some(open) => {
                self.close(open);
                self.tick = Some(tick);
            }
            None => self.tick = Some(tick),
        }
        let index = lane(wide(record.headers.src), wide(record.headers.dst)) % self.shards.len();
        if let (Some(shard), Some(counted)) = (self.shards.get_mut(index), self.counted.get_mut(index)) {
            *counted += record.packets;
            shard.record(record);
        }
    }

    /// The recording is at its end.
    pub fn finish(&mut self) {
        if let Some(open) = self.tick.take() {
            self.close(open);
        }
        self.engine.finish();
    }

    /// The next decision.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.engine.poll_output()
    }

    /// Packets that went through each shard.
    pub fn packets_per_shard(&self) -> &[u64] {
        &self.counted
    }

    /// The core, to be asked.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    fn close(&mut self, tick: u64) {
        let tick_len = self.engine.settings().tick;
        let until = Timestamp::ZERO.plus(tick_len.times(tick + 1));
        let shards: Vec<ShardTick> = self.shards.iter_mut().map(Shard::close).collect();
        self.engine.handle(until, Input::Tick { until, shards });
    }
}
