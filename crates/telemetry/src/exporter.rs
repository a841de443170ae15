//! Everything that is remembered of one exporter.

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

use base::Timestamp;
use base::map::Seed;

use crate::delay::Delay;
use crate::discard::Discards;
use crate::interface::{Names, Speeds};
use crate::record::{Observed, RateSource, Record, Sampling};
use crate::sampling::Rates;
use crate::sequence::{Sequence, Step};
use crate::stats::Stats;
use crate::store::Store;
use crate::told::Format;
use crate::truth::Truth;
use crate::waiting::Waiting;

/// Number streams (domains, engines, agents) followed per exporter; further ones are decoded but not accounted.
const SEQUENCES_MAX: usize = 64;
/// Interfaces per exporter of which we remember that their ingress is observed.
const INGRESS_MAX: usize = 1024;

/// What the operator says of an exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// N of 1:N where the exporter does not say.
    pub sampling: Option<u32>,
    /// `sampling` holds whatever the exporter says.
    pub sampling_override: bool,
    /// NetFlow v5: all sixteen bits of the header field are the interval (some Juniper; S9).
    pub sampling_v5_16bit: bool,
    /// Packet samples of GRE, IP-in-IP and VXLAN are judged by the packet inside.
    pub inner: bool,
}

impl Settings {
    /// N of 1:N as it reaches detection, of what the exporter is believed.
    #[inline]
    pub(crate) fn sampling_of(&self, believed: Option<u32>) -> Option<u32> {
        if self.sampling_override { self.sampling.or(believed) } else { believed.or(self.sampling) }
    }
}

/// State of one exporter.
#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) index: u32,
    pub(crate) address: IpAddr,
    pub(crate) settings: Settings,
    pub(crate) stats: Stats,
    pub(crate) last_seen: Timestamp,
    pub(crate) tidied: Timestamp,
    pub(crate) store: Store,
    pub(crate) rates: Rates,
    pub(crate) waiting: Waiting,
    pub(crate) names: Names,
    pub(crate) truth: Truth,
    pub(crate) delay: Delay,
    pub(crate) speeds: Speeds,
    pub(crate) discards: Discards,
    sequences: BTreeMap<(Format, u128, u32), Sequence>,
    ingress: Ingress,
}

/// Interfaces at which packets are looked at on their way in.
#[derive(Debug, Default)]
struct Ingress {
    /// At most [`INGRESS_MAX`].
    all: BTreeSet<u32>,
    /// Some of `all`, each at the place that its number gives: every record asks, and searching the tree was a tenth of
    /// what a packet sample costs. 0 is no interface.
    near: [u32; NEAR],
}

/// Places for interfaces met again and again.
const NEAR: usize = 32;

impl Ingress {
    /// Remembers one, where there is room.
    #[inline]
    fn insert(&mut self, index: u32) {
        if !self.is_near(index) {
            self.insert_far(index);
        }
    }

    #[inline]
    fn contains(&self, index: u32) -> bool {
        index != 0 && (self.is_near(index) || self.all.contains(&index))
    }

    #[inline]
    fn is_near(&self, index: u32) -> bool {
        self.near.get(Self::place(index)).is_some_and(|near| *near == index)
    }

    #[cold]
    fn insert_far(&mut self, index: u32) {
        if self.all.len() < INGRESS_MAX {
            self.all.insert(index);
        }
        if let Some(near) = self.near.get_mut(Self::place(index))
            && self.all.contains(&index)
        {
            *near = index;
        }
    }

    /// Spread also where numbers go up in steps of a power of two.
    #[inline]
    const fn place(index: u32) -> usize {
        (index.wrapping_mul(0x9e37_79b1) >> 27) as usize
    }
}

impl Exporter {
    pub(crate) fn new(index: u32, address: IpAddr, settings: Settings, seed: Seed) -> Self {
        Self {
            index,
            address,
            settings,
            stats: Stats::default(),
            last_seen: Timestamp::ZERO,
            tidied: Timestamp::ZERO,
            store: Store::default(),
            rates: Rates::default(),
            waiting: Waiting::default(),
            names: Names::default(),
            truth: Truth::new(seed),
            delay: Delay::default(),
            speeds: Speeds::default(),
            discards: Discards::default(),
            sequences: BTreeMap::new(),
            ingress: Ingress::default(),
        }
    }

    /// Accounts a datagram's number. `key` tells streams of one format apart; `datagrams` whether the numbers count
    /// datagrams (else records).
    pub(crate) fn sequence(
        &mut self,
        key: (Format, u128, u32),
        number: u32,
        units: Option<u32>,
        uptime: Option<u32>,
        datagrams: bool,
    ) -> Step {
        if self.sequences.len() >= SEQUENCES_MAX && !self.sequences.contains_key(&key) {
            return Step::Fine;
        }
        let step = self.sequences.entry(key).or_default().step(number, units, uptime);
        let stats = &mut self.stats;
        let lost = if datagrams { &mut stats.lost_datagrams } else { &mut stats.lost_records };
        match step {
            Step::Fine => {}
            Step::Gap(n) => *lost = lost.saturating_add(u64::from(n)),
            Step::Late => {
                // It had been counted as lost when its successor came.
                *lost = lost.saturating_sub(u64::from(units.unwrap_or(0)));
                stats.reordered += 1;
            }
            Step::Restart => stats.restarts += 1,
        }
        step
    }

    /// Looks at a flow whose times were told.
    #[inline]
    pub(crate) fn timed(&mut self, record: &mut Record) {
        self.delay.take(record.at, record.start, record.end);
        self.speeds.judge(record);
    }

    /// The operator's word on sampling, over or under what the exporter said.
    #[inline]
    pub(crate) fn configured(&self, told: Sampling) -> Sampling {
        let configured = Sampling { rate: self.settings.sampling, source: RateSource::Config };
        match (self.settings.sampling, told.rate) {
            (Some(_), _) if self.settings.sampling_override => configured,
            (Some(_), None) => configured,
            _ => told,
        }
    }

    /// Remembers where packets are looked at, and turns an egress view into "again" where ingress is seen as well (S18).
    #[inline]
    pub(crate) fn observed(&mut self, observed: Observed, input: Option<u32>) -> Observed {
        match (observed, input) {
            (Observed::Ingress, Some(index)) if index != 0 => {
                self.ingress.insert(index);
                Observed::Ingress
            }
            (Observed::Egress, Some(index)) if self.ingress.contains(index) => Observed::EgressAgain,
            _ => observed,
        }
    }
}
