//! One attack from its first packet to its end.

use std::collections::VecDeque;

use base::map::{Map, Seed};
use base::prefix::{narrow, wide};
use base::{Prefix, Span, Timestamp};
use detect::cell::{Cell, CellKey, FINE};
use detect::class::Class;
use detect::evidence::{Term, dominant_ports};
use detect::sample::Sample;
use detect::vector::{self, scan};
use sha2::{Digest, Sha256};

use crate::report::{Direction, RuleReport, Severity};
use crate::settings::Settings;
use crate::sight::Sight;
use crate::target::TargetKey;
use crate::tick::{Tick, hosts, prefix, received};

/// Sources counted one by one; more are only counted as "more" in `sources_beyond`.
const SOURCES_MAX: usize = 1_200_000;
/// Hosts of a carpet told apart.
const HOSTS_MAX: usize = 1 << 16;
/// Ways into the network told apart.
const ENTRIES_MAX: usize = 256;
/// Senders told apart by what they do; further ones are honest as far as we know.
const CULPRITS_MAX: usize = 1 << 18;
/// Examples kept of an attack.
pub(crate) const SAMPLES_MAX: usize = 4096;

/// One class of packets in an attack.
#[derive(Clone, Debug)]
pub(crate) struct VectorState {
    pub(crate) class: Class,
    pub(crate) name: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) terms: Vec<Term>,
    pub(crate) src_port: Option<u16>,
    pub(crate) dst_port: Option<u16>,
    /// Whether it is known by who sends it: then only packets of the incident's culprits are of it.
    pub(crate) by_culprit: bool,
}

/// An attack.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) key: TargetKey,
    /// Prefixes that belong to it; more than one when a carpet spreads.
    pub(crate) areas: Vec<Prefix>,
    pub(crate) severity: Severity,
    pub(crate) started: Timestamp,
    pub(crate) detected: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) last: Timestamp,
    pub(crate) vectors: Vec<VectorState>,
    /// Packets by source, and whether it also holds open connections.
    pub(crate) sources: Map<u128, SourceState>,
    pub(crate) sources_beyond: u64,
    /// Packets by host, for carpets.
    pub(crate) victims: Map<u128, u64>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) peak: SlidingSecond,
    /// Examples with their hash, the smallest first.
    pub(crate) samples: Vec<(u64, Sample)>,
    pub(crate) rules: Vec<RuleReport>,
    /// Lines about the rules.
    pub(crate) rules_explain: Vec<String>,
    pub(crate) derive_at: Option<Timestamp>,
    pub(crate) derived: u32,
    /// Share of bootstrap runs that agreed, when last asked.
    pub(crate) stability: Option<f64>,
    /// Packets by exporter and interface of entry, from the examples.
    pub(crate) entries: std::collections::BTreeMap<(u32, Option<u32>), u64>,
    /// Examples counted, kept or not.
    pub(crate) samples_seen: u64,
    /// Hash above which an example does not stay.
    samples_limit: u64,
    /// Of its packets, those told by exporters whose numbers are doubtful.
    pub(crate) doubtful: u64,
    /// Whether they are most, as last looked at.
    pub(crate) is_doubtful: bool,
    /// Whether its end could be seen.
    pub(crate) sight: Sight,
    /// Whether something happened that the outside has not been told.
    pub(crate) changed: bool,
    /// When it was last told, and with how many packets.
    pub(crate) told: (Timestamp, u64),
    /// Who behaves in the way of the vectors that are known by behaviour.
    pub(crate) culprits: Map<u128, ()>,
    /// Packets in open connections and ends of connections that the targets got meanwhile.
    pub(crate) connections: (u64, u64),
    /// Whether it is known by own hosts that send more than their fixed limits: these are its culprits while they do.
    pub(crate) by_limit: bool,
    absorbed: Timestamp,
}

/// What one source did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SourceState {
    pub(crate) packets: u32,
    pub(crate) established: u32,
}

/// The busiest second, in steps of a fifth of a tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlidingSecond {
    parts: VecDeque<(u64, u64, u64)>,
    packets: u64,
    bytes: u64,
    pub(crate) packets_max: u64,
    pub(crate) bytes_max: u64,
}

impl SlidingSecond {
    /// Adds counts at `part`, a running number of which `per_second` make a second. Parts come in order.
    fn add(&mut self, part: u64, per_second: u64, packets: u64, bytes: u64) {
        if packets == 0 && bytes == 0 {
            return;
        }
        match self.parts.back_mut() {
            Some(last) if last.0 == part => {
                last.1 += packets;
                last.2 += bytes;
            }
            _ => self.parts.push_back((part, packets, bytes)),
        }
        self.packets += packets;
        self.bytes += bytes;
        while let Some(&(old, p, b)) = self.parts.front() {
            if part.saturating_sub(old) < per_second {
                break;
            }
            self.packets -= p;
            self.bytes -= b;
            self.parts.pop_front();
        }
        self.packets_max = self.packets_max.max(self.packets);
        self.bytes_max = self.bytes_max.max(self.bytes);
    }
}

/// The first 16 hex digits of SHA-256 over target, direction and start.
pub(crate) fn id(target: &Prefix, direction: Direction, started: Timestamp) -> String {
    let digest = Sha256::digest(format!("{target} {} {started}", direction.name()));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl VectorState {
    const fn new(class: Class, name: String, terms: Vec<Term>) -> Self {
        let (src_port, dst_port) = (None, None);
        Self { class, name, packets: 0, bytes: 0, terms, src_port, dst_port, by_culprit: false }
    }
}

impl Incident {
    pub(crate) fn open(
        key: TargetKey,
        severity: Severity,
        started: Timestamp,
        detected: Timestamp,
        seed: &Seed,
    ) -> Self {
        let target = prefix(&key);
        Self {
            id: id(&target, key.direction, started),
            key,
            areas: vec![target],
            severity,
            started,
            detected,
            ended: None,
            last: started,
            vectors: Vec::new(),
            sources: Map::new(seed.clone()),
            sources_beyond: 0,
            victims: Map::new(seed.clone()),
            packets: 0,
            bytes: 0,
            peak: SlidingSecond::default(),
            samples: Vec::new(),
            rules: Vec::new(),
            rules_explain: Vec::new(),
            derive_at: None,
            derived: 0,
            stability: None,
            entries: std::collections::BTreeMap::new(),
            samples_seen: 0,
            samples_limit: u64::MAX,
            doubtful: 0,
            is_doubtful: false,
            sight: Sight::default(),
            changed: true,
            told: (Timestamp::ZERO, 0),
            culprits: Map::new(seed.clone()),
            connections: (0, 0),
            by_limit: false,
            absorbed: Timestamp::ZERO,
        }
    }

    /// From when on quiet counts; `None` while its end could not be seen.
    pub(crate) fn quiet_from(&self) -> Option<Timestamp> {
        self.sight.quiet_from(self.last)
    }

    /// Whether this target's packets belong to the attack.
    pub(crate) fn covers(&self, key: &TargetKey) -> bool {
        !self.is_by_sender()
            && self.key.direction == key.direction
            && self.areas.iter().any(|area| area.covers(&prefix(key)))
    }

    /// Whether it is known by the own host that sends it: then what others send to the same place is not of it.
    pub(crate) fn is_by_sender(&self) -> bool {
        self.by_limit || self.is_scan()
    }

    pub(crate) fn is_scan(&self) -> bool {
        self.vectors.iter().any(|v| v.by_culprit && v.name == scan::NAME)
    }

    /// The area grows with what a scanner asks.
    pub(crate) fn widen(&mut self, target: Prefix) {
        let joint = self.areas.first().and_then(|area| area.join(&target)).unwrap_or(target);
        self.changed |= self.areas != [joint];
        self.areas = vec![joint];
    }

    pub(crate) fn vector(&self, class: Class) -> Option<&VectorState> {
        self.vectors.iter().find(|v| v.class == class)
    }

    /// Adds a class, or what is now known of one.
    pub(crate) fn put_vector(&mut self, class: Class, name: String, terms: Vec<Term>) {
        match self.vectors.iter_mut().find(|v| v.class == class) {
            // What clients do says more than how many packets they send.
            Some(vector) if vector.by_culprit => {}
            Some(vector) => {
                self.changed |= vector.name != name;
                vector.name = name;
                vector.terms = terms;
            }
            None => {
                self.vectors.push(VectorState::new(class, name, terms));
                self.vectors.sort_by_key(|v| v.class);
                self.changed = true;
            }
        }
    }

    /// Adds a class of which only the culprits' packets count, or what is now known of it; tells whether it is new. A class
    /// that is part of a flood already stays what it is.
    pub(crate) fn put_behaviour(&mut self, class: Class, name: &str, terms: Vec<Term>) -> bool {
        match self.vectors.iter_mut().find(|v| v.class == class) {
            Some(vector) => {
                if vector.by_culprit {
                    self.changed |= vector.name != name;
                    vector.name = name.to_string();
                    vector.terms = terms;
                }
                false
            }
            None => {
                let vector = VectorState::new(class, name.to_string(), terms);
                self.vectors.push(VectorState { by_culprit: true, ..vector });
                self.vectors.sort_by_key(|v| v.class);
                self.changed = true;
                true
            }
        }
    }

    /// Adds to those whose packets count.
    pub(crate) fn add_culprits(&mut self, sources: impl Iterator<Item = u128>) {
        for source in sources {
            if self.culprits.len() >= CULPRITS_MAX {
                return;
            }
            self.culprits.insert(source, ());
        }
    }

    /// Whether this example is of the attack, by its class and its sender.
    pub(crate) fn claims(&self, sample: &Sample, exact: bool) -> bool {
        self.vector(sample.class).is_some_and(|vector| {
            if vector.by_culprit {
                self.culprits.contains_key(&wide(sample.headers.src))
            } else {
                !exact || !by_pairs(sample.class) || sample.unsolicited
            }
        })
    }

    /// Adds what one tick holds of the attack, for the classes of `only` (none: all its vectors).
    pub(crate) fn absorb(&mut self, tick: &Tick, settings: &Settings, only: Option<&[Class]>) {
        let tick_nanos = settings.tick.nanos().max(1);
        let fine_len = (tick_nanos / FINE as u64).max(1);
        let per_second = (1_000_000_000 / fine_len).max(1);
        let first_part = (tick.until.nanos() / tick_nanos).saturating_sub(1) * FINE as u64;
        let side = received(self.key.direction);
        let mut fine = [(0u64, 0u64); FINE];
        for area in self.areas.clone() {
            if self.by_limit {
                self.absorb_sources(tick, &area, settings, only);
                continue;
            }
            for (key, cell) in tick.cells(self.key.direction, hosts(&area)) {
                if key.side != side {
                    continue;
                }
                if only.is_none_or(|classes| classes.contains(&Class::TCP_SYN)) {
                    match key.class {
                        Class::TCP_ACK | Class::TCP_DATA => self.connections.0 += cell.packets,
                        Class::TCP_RST_FIN => self.connections.1 += cell.packets,
                        _ => {}
                    }
                }
                if only.is_some_and(|classes| !classes.contains(&key.class)) {
                    continue;
                }
                let Some(vector) = self.vectors.iter_mut().find(|v| v.class == key.class) else { continue };
                let part = if vector.by_culprit {
                    Part { some: by_culprits(tick, key, &self.culprits), all: cell.packets }
                } else {
                    attack_part(key.class, cell, settings)
                };
                let packets = part.of(cell.packets);
                if packets == 0 {
                    continue;
                }
                let bytes = part.of(cell.bytes);
                vector.packets += packets;
                vector.bytes += bytes;
                self.packets += packets;
                self.doubtful += part_of(packets, cell.doubtful.into(), cell.samples.into());
                self.bytes += bytes;
                self.last = self.last.max(cell.last);
                part.add_fine(cell, &mut fine);
                if !self.key_is_host()
                    && (self.victims.len() < HOSTS_MAX || self.victims.contains_key(&key.host))
                {
                    *self.victims.get_or_insert_with(key.host, || 0) += packets;
                }
            }
            self.absorb_sources(tick, &area, settings, only);
        }
        for (offset, (packets, bytes)) in (0..).zip(fine) {
            self.peak.add(first_part + offset, per_second, packets, bytes);
        }
        self.absorb_samples(tick, settings, only);
        self.absorbed = self.absorbed.max(tick.until);
        let doubtful = self.doubtful > self.packets / 2;
        self.changed |= std::mem::replace(&mut self.is_doubtful, doubtful) != doubtful;
    }

    /// Adds what a sender above its limits sends in a tick, and whom it belongs to while it is.
    pub(crate) fn absorb_sent(&mut self, until: Timestamp, host: u128, cells: &[(Class, Cell)], tick: Span) {
        let per_second = (1_000_000_000 / (tick.nanos().max(1) / FINE as u64).max(1)).max(1);
        let first_part = (until.nanos() / tick.nanos().max(1)).saturating_sub(1) * FINE as u64;
        let mut fine = [(0u64, 0u64); FINE];
        for (class, cell) in cells {
            let Some(vector) = self.vectors.iter_mut().find(|v| v.class == *class) else { continue };
            vector.packets += cell.packets;
            vector.bytes += cell.bytes;
            self.packets += cell.packets;
            self.bytes += cell.bytes;
            self.doubtful += part_of(cell.packets, cell.doubtful.into(), cell.samples.into());
            self.last = self.last.max(cell.last);
            Part { some: 1, all: 1 }.add_fine(cell, &mut fine);
        }
        self.last = self.last.max(until.minus(tick));
        for (offset, (packets, bytes)) in (0..).zip(fine) {
            self.peak.add(first_part + offset, per_second, packets, bytes);
        }
        self.add_culprits(std::iter::once(host));
    }

    /// Adds what culprits sent before it was known that they are: packets and octets by source, over the time since the start.
    pub(crate) fn absorb_past(&mut self, class: Class, past: &[(u128, u64, u64)], now: Timestamp) {
        let Some(vector) = self.vectors.iter_mut().find(|v| v.class == class) else { return };
        let (mut packets, mut bytes) = (0, 0);
        for (_, p, b) in past {
            packets += p;
            bytes += b;
        }
        vector.packets += packets;
        vector.bytes += bytes;
        self.packets += packets;
        self.bytes += bytes;
        self.last = self.last.max(now);
        // Nothing is known of its busiest second, only of its mean one.
        let secs = now.since(self.started).secs().max(1);
        self.peak.packets_max = self.peak.packets_max.max(packets.div_ceil(secs));
        self.peak.bytes_max = self.peak.bytes_max.max(bytes.div_ceil(secs));
        for (source, packets, _) in past {
            self.add_source(*source, *packets);
        }
    }

    /// Chooses the ports that dominate each vector, from the examples.
    pub(crate) fn name_ports(&mut self) {
        for vector in &mut self.vectors {
            let of_class = self.samples.iter().map(|(_, s)| s).filter(|s| s.class == vector.class);
            (vector.src_port, vector.dst_port) = dominant_ports(of_class);
        }
    }

    fn key_is_host(&self) -> bool {
        prefix(&self.key).is_host()
    }

    fn absorb_sources(&mut self, tick: &Tick, area: &Prefix, settings: &Settings, only: Option<&[Class]>) {
        let side = received(self.key.direction);
        for (key, count) in tick.sources(hosts(area)) {
            if key.side != side {
                continue;
            }
            if matches!(key.class, Class::TCP_ACK | Class::TCP_DATA) && self.vector(key.class).is_none() {
                // Only those that are known already: an honest client's SYN comes before its data.
                if only.is_none_or(|classes| classes.contains(&Class::TCP_SYN))
                    && let Some(state) = self.sources.get_mut(&key.source)
                {
                    state.established = state.established.saturating_add(small(count.packets));
                }
                continue;
            }
            let Some(vector) =
                self.vector(key.class).filter(|_| only.is_none_or(|classes| classes.contains(&key.class)))
            else {
                continue;
            };
            let counted = if vector.by_culprit {
                if self.culprits.contains_key(&key.source) { count.packets } else { 0 }
            } else if by_pairs(key.class) && settings.profile.is_exact() && count.unsolicited == 0 {
                // A sender whom the victim happened to answer stays a sender.
                if self.sources.contains_key(&key.source) { count.packets } else { 0 }
            } else {
                count.packets
            };
            self.add_source(key.source, counted);
        }
    }

    fn add_source(&mut self, source: u128, packets: u64) {
        if packets == 0 {
            return;
        }
        if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) {
            let state = self.sources.get_or_insert_with(source, SourceState::default);
            state.packets = state.packets.saturating_add(small(packets));
        } else {
            self.sources_beyond += 1;
        }
    }

    fn absorb_samples(&mut self, tick: &Tick, settings: &Settings, only: Option<&[Class]>) {
        let mut fresh: Vec<(u64, Sample)> = Vec::new();
        let mut seen = 0u64;
        let exact = settings.profile.is_exact();
        for (hash, sample) in self.areas.iter().flat_map(|area| tick.samples(hosts(area))) {
            if only.is_none_or(|classes| classes.contains(&sample.class)) && self.claims(sample, exact) {
                seen += 1;
                if !exact || *hash <= self.samples_limit {
                    fresh.push((*hash, *sample));
                }
            }
        }
        if !exact {
            for (_, sample) in &fresh {
                self.add_source(wide(sample.headers.src), sample.packets);
            }
        }
        if !exact {
            for (_, sample) in &fresh {
                if self.entries.len() < ENTRIES_MAX || self.entries.contains_key(&sample.entry) {
                    *self.entries.entry(sample.entry).or_default() += sample.packets;
                }
            }
        }
        self.samples_seen += seen;
        self.samples.append(&mut fresh);
        if self.samples.len() > 2 * SAMPLES_MAX {
            self.trim_samples();
        }
    }

    pub(crate) fn trim_samples(&mut self) {
        if self.samples.len() <= SAMPLES_MAX {
            return;
        }
        let first = |a: &(u64, Sample), b: &(u64, Sample)| a.0.cmp(&b.0).then(a.1.at.cmp(&b.1.at));
        let (_, last, _) = self.samples.select_nth_unstable_by(SAMPLES_MAX - 1, first);
        self.samples_limit = last.0;
        self.samples.truncate(SAMPLES_MAX);
    }

    /// The smallest set of prefixes that holds the attacked hosts.
    pub(crate) fn targets(&self) -> Vec<Prefix> {
        if self.key_is_host() && self.areas.len() == 1 {
            return self.areas.clone();
        }
        let victims: Vec<u128> = self.victims.sorted().into_iter().map(|(host, _)| *host).collect();
        let mut out = Vec::new();
        for area in &self.areas {
            let range = hosts(area);
            let from = victims.partition_point(|v| v < range.start());
            let to = victims.partition_point(|v| v <= range.end());
            dense(*area, victims.get(from..to).unwrap_or(&[]), &mut out);
        }
        if out.is_empty() {
            out.clone_from(&self.areas);
        }
        base::prefix::aggregate(out)
    }
}

/// Splits `block` until what is left is well filled with victims.
fn dense(block: Prefix, victims: &[u128], out: &mut Vec<Prefix>) {
    let Some(first) = victims.first() else { return };
    if victims.len() == 1 || block.is_host() {
        out.push(Prefix::host(narrow(*first)));
        return;
    }
    let free = if block.is_ipv4() { 32 - block.bits() } else { 128 - block.bits() };
    let size = if free >= 64 { u64::MAX } else { 1u64 << free };
    let filled = u64::try_from(victims.len()).unwrap_or(u64::MAX);
    let half_bits = block.bits() + 1;
    let lower = Prefix::of(block.addr(), half_bits);
    let split = victims.partition_point(|v| v <= hosts(&lower).end());
    let (a, b) = victims.split_at_checked(split).unwrap_or((victims, &[]));
    // In large blocks a random carpet leaves gaps: both halves busy alike will do.
    let even = filled >= 12 && a.len().min(b.len()) * 3 >= victims.len();
    if filled.saturating_mul(2) >= size || even {
        out.push(block);
        return;
    }
    dense(lower, a, out);
    if let Some(next) = b.first() {
        dense(Prefix::of(narrow(*next), half_bits), b, out);
    }
}

/// A source's count is capped at four thousand million packets.
fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How much of a cell belongs to the attack.
struct Part {
    some: u64,
    all: u64,
}

impl Part {
    fn of(&self, count: u64) -> u64 {
        if self.some >= self.all {
            return count;
        }
        part_of(count, self.some, self.all)
    }

    /// Adds a cell's packets and octets by part of the tick.
    fn add_fine(&self, cell: &Cell, fine: &mut [(u64, u64); FINE]) {
        let mut so_far = 0;
        for ((packets, bytes), in_part) in fine.iter_mut().zip(cell.fine_packets) {
            *packets += self.of(u64::from(in_part));
            // Octets by their share of the packets so far, so that the parts add up to the whole.
            let before = part_of(cell.bytes, so_far, cell.packets);
            so_far += u64::from(in_part);
            *bytes += self.of(part_of(cell.bytes, so_far, cell.packets) - before);
        }
    }
}

/// `count` times `some` of `all`.
fn part_of(count: u64, some: u64, all: u64) -> u64 {
    let part = u128::from(count) * u128::from(some) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Classes in which honest packets follow packets of the receiver.
pub(crate) fn by_pairs(class: Class) -> bool {
    !matches!(class, Class::TCP_SYN | Class::TCP_ODD | Class::ICMP_ECHO | Class::DNS_QUERY)
        && !std::ptr::eq(vector::family(class), vector::family(Class::TCP_SYN))
}

/// Packets of a cell that the culprits sent.
fn by_culprits(tick: &Tick, key: &CellKey, culprits: &Map<u128, ()>) -> u64 {
    let host = key.host..=key.host;
    if tick.counts.sources.is_empty() {
        let of_class = tick.samples(host).iter().map(|(_, s)| s).filter(|s| s.class == key.class);
        return of_class.filter(|s| culprits.contains_key(&wide(s.headers.src))).map(|s| s.packets).sum();
    }
    let of_cell = tick.sources(host).iter().filter(|(k, _)| k.side == key.side && k.class == key.class);
    of_cell.filter(|(k, _)| culprits.contains_key(&k.source)).map(|(_, count)| count.packets).sum()
}

fn attack_part(class: Class, cell: &Cell, settings: &Settings) -> Part {
    if settings.profile.is_exact() && by_pairs(class) && cell.unsolicited * 10 < cell.packets * 9 {
        Part { some: cell.unsolicited, all: cell.packets }
    } else {
        Part { some: 1, all: 1 }
    }
}
