//! Datagrams in, records out: the door of this crate.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use base::Timestamp;
use base::map::{Map, Seed};

use crate::delay::Delay;
use crate::discard::Discard;
use crate::exporter::{self, Exporter};
use crate::interface::{NameSource, Names, Speeds};
use crate::persist::{self, ImportError};
use crate::record::Record;
use crate::stats::Stats;
use crate::told::{Format, Told};
use crate::truth::Truth;
use crate::{netflow5, sets, sflow};

/// Exporters remembered. Datagrams of further ones are refused and counted, for nobody has so many and an attacker
/// can write any source address.
pub const EXPORTERS_MAX: usize = 4096;

/// What the operator says of exporters.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Of those not named.
    pub default: exporter::Settings,
    /// By address.
    pub exporters: BTreeMap<IpAddr, exporter::Settings>,
    /// Bits/s of interfaces, by exporter and ifIndex, over what they say.
    pub speeds: BTreeMap<(IpAddr, u32), u64>,
    /// Which of how many collectors this is: their indices of exporters are one number space.
    pub member: (u32, u32),
}

/// Decodes flow export of any number of exporters.
#[derive(Debug)]
pub struct Collector {
    settings: Settings,
    seed: Seed,
    by_address: Map<IpAddr, usize>,
    exporters: Vec<Exporter>,
    /// Whose datagram was the latest.
    latest: usize,
    /// What belongs to no exporter that we know.
    strangers: Stats,
}

/// A look at one exporter.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Its address.
    pub address: IpAddr,
    /// Its index in records.
    pub index: u32,
    /// Its counters.
    pub stats: &'a Stats,
    /// When it was last heard.
    pub last_seen: Timestamp,
    /// Names of its interfaces.
    pub names: &'a Names,
    /// Whether its sampling is what it says.
    pub truth: &'a Truth,
    /// How late it tells of flows.
    pub delay: &'a Delay,
    /// How fast its interfaces are, and what it told beyond that.
    pub speeds: &'a Speeds,
}

impl View<'_> {
    /// Where its numbers are no ground to act on: how many times what it tells its interfaces count, or can have passed.
    pub fn doubt(&self) -> Option<f64> {
        let verdict = self.truth.verdict();
        verdict.factor().filter(|_| verdict.is_doubtful()).or_else(|| self.speeds.doubt())
    }
}

impl Collector {
    /// Knows no exporter yet.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        Self {
            settings,
            by_address: Map::new(seed.clone()),
            seed,
            exporters: Vec::new(),
            latest: usize::MAX,
            strangers: Stats::default(),
        }
    }

    /// Decodes one datagram (a UDP payload) that came from `exporter` at `at`. `sink` gets what was told, and the
    /// normalised record where that was IP traffic.
    pub fn datagram(
        &mut self,
        at: Timestamp,
        exporter: IpAddr,
        bytes: &[u8],
        sink: &mut impl FnMut(&Told, Option<&Record>),
    ) {
        self.latest = usize::MAX;
        let Some(format) = Format::recognise(bytes) else {
            self.strangers.datagrams += 1;
            self.strangers.octets += bytes.len() as u64;
            return self.strangers.faults.count("unknown_format");
        };
        let Some(exporter) = self.exporter(exporter) else {
            self.strangers.datagrams += 1;
            self.strangers.octets += bytes.len() as u64;
            return self.strangers.faults.count("exporters_full");
        };
        exporter.discards.begin();
        exporter.last_seen = at;
        exporter.stats.datagrams += 1;
        exporter.stats.octets += bytes.len() as u64;
        sets::expire(exporter, at);
        match format {
            Format::Sflow5 => sflow::datagram(exporter, at, bytes, sink),
            Format::Netflow5 => netflow5::datagram(exporter, at, bytes, sink),
            Format::Netflow9 => sets::netflow9(exporter, at, bytes, sink),
            Format::Ipfix => sets::ipfix(exporter, at, bytes, sink),
        }
    }

    /// The state of an exporter, made where there is room.
    fn exporter(&mut self, address: IpAddr) -> Option<&mut Exporter> {
        let found = self.by_address.get(&address).copied();
        let at = match found {
            Some(at) => at,
            None if self.exporters.len() >= EXPORTERS_MAX => return None,
            None => {
                let at = self.exporters.len();
                let settings = self.settings.exporters.get(&address).unwrap_or(&self.settings.default);
                let (member, of) = self.settings.member;
                let index = u32::try_from(at).ok()?.saturating_mul(of.max(1)).saturating_add(member);
                let mut exporter = Exporter::new(index, address, *settings, self.seed.clone());
                let speeds = self.settings.speeds.range((address, 0)..=(address, u32::MAX));
                exporter.speeds = Speeds::configured(speeds.map(|((_, index), bits)| (*index, *bits)));
                self.exporters.push(exporter);
                self.by_address.insert(address, at);
                at
            }
        };
        self.latest = at;
        self.exporters.get_mut(at)
    }

    /// The operator names an interface; that holds over what the exporter says.
    pub fn name_interface(&mut self, exporter: IpAddr, interface: u32, name: &str) {
        if let Some(exporter) = self.exporter(exporter) {
            exporter.names.learn(interface, name.as_bytes(), NameSource::Static, Timestamp::ZERO);
        }
    }

    /// Packets that the latest datagram told to have been dropped by policy. They are no traffic, so no sink gets them; their
    /// fronts stand in that datagram.
    pub fn discards(&self) -> &[Discard] {
        self.exporters.get(self.latest).map_or(&[], |exporter| exporter.discards.latest())
    }

    /// Packets that exporters told they dropped by policy, since the last call.
    pub fn take_discards(&mut self) -> Vec<Discard> {
        self.exporters.iter_mut().flat_map(|exporter| exporter.discards.take()).collect()
    }

    /// Time passes: data that waited too long for its template is given up, old templates are forgotten.
    pub fn expire(&mut self, now: Timestamp) {
        for exporter in &mut self.exporters {
            sets::expire(exporter, now);
        }
    }

    /// What exporters told of themselves (templates, sampling), to be kept over a restart.
    pub fn export_templates(&self) -> Vec<u8> {
        persist::export(self.exporters.iter())
    }

    /// Takes back what [`Self::export_templates`] gave. Nothing is taken of a store that is damaged.
    pub fn import_templates(&mut self, at: Timestamp, bytes: &[u8]) -> Result<(), ImportError> {
        let mut r = persist::open(bytes)?;
        while let Some(entry) = persist::next(&mut r).map_err(|_| ImportError::Damaged)? {
            if let Some(exporter) = self.exporter(entry.exporter) {
                persist::apply(&entry, exporter, at);
            }
        }
        Ok(())
    }

    /// Counters over all exporters, and of what belonged to none.
    pub fn stats(&self) -> Stats {
        let mut all = self.strangers.clone();
        for exporter in &self.exporters {
            all.merge(&exporter.stats);
        }
        all
    }

    /// The exporters, in order of first appearance (their index in records).
    pub fn exporters(&self) -> impl Iterator<Item = View<'_>> {
        self.exporters.iter().map(|exporter| View {
            address: exporter.address,
            index: exporter.index,
            stats: &exporter.stats,
            last_seen: exporter.last_seen,
            names: &exporter.names,
            truth: &exporter.truth,
            delay: &exporter.delay,
            speeds: &exporter.speeds,
        })
    }
}
