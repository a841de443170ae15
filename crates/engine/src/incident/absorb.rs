//! What ticks hold of an attack: its packets, its senders and its examples.

use base::map::Map;
use base::prefix::wide;
use base::{Prefix, Span, Timestamp};
use detect::cell::{Cell, CellKey, FINE};
use detect::class::Class;
use detect::sample::Sample;

use super::{Incident, SAMPLES_MAX, SourceState, by_pairs};
use crate::settings::Settings;
use crate::tick::{Tick, hosts, received};

/// Sources counted one by one; more are only counted as "more" in `sources_beyond`.
const SOURCES_MAX: usize = 1_200_000;
/// Hosts of a carpet told apart.
const HOSTS_MAX: usize = 1 << 16;
/// Ways into the network told apart.
const ENTRIES_MAX: usize = 256;

impl Incident {
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
                self.fed = self.fed.max(tick.until);
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
