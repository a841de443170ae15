//! Whether an sFlow agent's announced rate agrees with what it counted itself.
//!
//! Each flow sample carries `sample_pool`, the packets that could have been sampled; its growth over the samples that
//! arrived is the rate in effect. Agents are known that announce millions (S14) or report a tenth (S15).

use base::Timestamp;
use base::map::{Map, Seed};
use wire::sflow::{DataSource, FlowSample, Generic};

use crate::exporter::Settings;
use crate::verdict::Verdict;

/// Data sources watched per exporter; further ones are not checked.
const SOURCES_MAX: usize = 1024;
/// Samples before the growth of the pool is believed.
const SAMPLES_MIN: u64 = 16;
/// Announced and effective rates that differ by more are in conflict.
const CONFLICT: u64 = 3;
/// No sampler of a real device is set beyond this; a larger number is a bug of the exporter (S1, S14).
pub const RATE_BELIEVED_MAX: u32 = 1_000_000;

#[derive(Clone, Copy, Debug, Default)]
struct Pool {
    announced: u32,
    last: u32,
    sequence: u32,
    grown: u64,
    samples: u64,
}

/// What the interface counters of a port say, kept from the last counter sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortTruth {
    /// Packets in since the first counter sample.
    pub in_packets: u64,
    /// Octets in since the first counter sample.
    pub in_octets: u64,
    /// Packets in, estimated from samples of this source since its first counter sample.
    pub estimated_packets: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Port {
    last: Option<Generic>,
    truth: PortTruth,
    /// Since `last`: packets estimated, and samples behind them.
    estimated: u64,
    samples: u64,
    /// Of the last sample; 0: none came yet, so that nothing is expected of the port.
    rate: u32,
}

/// A data source whose announced and effective rate differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Which one.
    pub source: DataSource,
    /// N as announced.
    pub announced: u32,
    /// N by the growth of the sample pool.
    pub effective: u32,
}

/// The watch over one exporter.
#[derive(Clone, Debug)]
pub struct Truth {
    pools: Map<DataSource, Pool>,
    ports: Map<u32, Port>,
    verdict: Verdict,
}

impl Truth {
    /// Knows nothing yet.
    pub fn new(seed: Seed) -> Self {
        Self { pools: Map::new(seed.clone()), ports: Map::new(seed), verdict: Verdict::default() }
    }

    /// Takes in a sample and says which rate to believe: the announced one; where it is in conflict with the pool, the
    /// smaller of both, for nobody should be blocked by an exporter's arithmetic; none where only nonsense was said.
    #[inline]
    pub(crate) fn believe(&mut self, sample: &FlowSample<'_>, settings: &Settings) -> Option<u32> {
        let announced = sample.sampling_rate.max(1);
        let (effective, taken) = match self.watch(sample, announced) {
            Some((pool, taken)) => (pool.effective_in_conflict(), taken),
            None => (None, 1),
        };
        let believed = match effective {
            Some(effective) => Some(announced.min(effective)),
            None => (announced <= RATE_BELIEVED_MAX).then_some(announced),
        };
        if !self.ports.is_empty() {
            self.estimate(sample, settings.sampling_of(believed), taken);
        }
        believed
    }

    /// Adds to what the samples of a port say, those that were taken and lost on the way too: the agent is judged, not the
    /// way. Only what came in by the port is beside its counters of what came in.
    fn estimate(&mut self, sample: &FlowSample<'_>, rate: Option<u32>, taken: u32) {
        let ingress = sample.source.kind == 0 && sample.input.index() == Some(sample.source.index);
        let (true, Some(rate)) = (ingress, rate) else { return };
        let Some(port) = self.ports.get_mut(&sample.source.index) else { return };
        let packets = u64::from(rate).saturating_mul(u64::from(taken));
        let all = &mut port.truth.estimated_packets;
        *all = all.saturating_add(packets);
        port.estimated = port.estimated.saturating_add(packets);
        port.samples += u64::from(taken);
        port.rate = rate;
    }

    /// Follows the source's pool; also says how many samples were taken since the one before, this one included.
    #[inline]
    fn watch(&mut self, sample: &FlowSample<'_>, announced: u32) -> Option<(&Pool, u32)> {
        let fresh =
            Pool { announced, last: sample.sample_pool, sequence: sample.sequence, grown: 0, samples: 0 };
        let full = self.pools.len() >= SOURCES_MAX;
        if full && !self.pools.contains_key(&sample.source) {
            return None;
        }
        let pool = self.pools.get_or_insert_with(sample.source, || fresh);
        let steps = sample.sequence.wrapping_sub(pool.sequence);
        let grown = sample.sample_pool.wrapping_sub(pool.last);
        // Another rate, a restart, or time going backwards: begin anew.
        if pool.announced != announced || steps > 1 << 16 || grown > 1 << 31 {
            *pool = fresh;
            return None;
        }
        pool.samples += u64::from(steps);
        pool.grown += u64::from(grown);
        pool.last = sample.sample_pool;
        pool.sequence = sample.sequence;
        Some((pool, steps))
    }

    /// Takes in interface counters.
    pub(crate) fn counters(&mut self, at: Timestamp, now: &Generic) {
        if self.ports.len() >= SOURCES_MAX && !self.ports.contains_key(&now.index) {
            return;
        }
        let port = self.ports.get_or_insert_with(now.index, Port::default);
        if let Some(last) = port.last {
            let packets = now.in_packets.saturating_sub(last.in_packets);
            let octets = now.in_octets.saturating_sub(last.in_octets);
            port.truth.in_packets = port.truth.in_packets.saturating_add(packets);
            port.truth.in_octets = port.truth.in_octets.saturating_add(octets);
            // A counter that went back wrapped or began anew.
            if port.rate > 0 && now.in_packets >= last.in_packets {
                self.verdict.add(at, packets, port.estimated, port.samples, port.rate);
            }
        }
        (port.estimated, port.samples) = (0, 0);
        port.last = Some(*now);
    }

    /// Sources in conflict, by source.
    pub fn conflicts(&self) -> impl Iterator<Item = Conflict> {
        self.pools.sorted().into_iter().filter_map(|(source, pool)| {
            let effective = pool.effective_in_conflict()?;
            Some(Conflict { source: *source, announced: pool.announced, effective })
        })
    }

    /// What the counters of all its interfaces say of it.
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What the counters of an interface say beside its samples.
    pub fn port(&self, index: u32) -> Option<PortTruth> {
        self.ports.get(&index).map(|port| port.truth)
    }
}

impl Pool {
    /// N in effect where it is in conflict with what was announced. `None` also without enough evidence, or when the
    /// agent does not count its pool. Compared by products, for a division per sample would be felt.
    #[inline]
    fn effective_in_conflict(&self) -> Option<u32> {
        if self.samples < SAMPLES_MIN || self.grown == 0 {
            return None;
        }
        let announced = self.samples.saturating_mul(u64::from(self.announced));
        let conflict = announced > self.grown.saturating_mul(CONFLICT)
            || self.grown > announced.saturating_mul(CONFLICT);
        conflict.then(|| u32::try_from((self.grown / self.samples).max(1)).unwrap_or(u32::MAX))
    }
}
