//! Minutes that are not written yet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use base::Timestamp;
use base::map::Seed;
use base::prefix::wide;
use hashbrown::HashMap;

use super::{HOST, MINUTE};
use crate::query::Sum;
use crate::sample::Direction;

/// Lines of a minute while it goes on: beyond it new hosts are summed up as their networks. Some 8 MB.
const OPEN_MAX: usize = 65_536;
/// Lines of networks beyond those; then all of IPv4 or IPv6 is one.
const OPEN_NETWORKS_MAX: usize = 8_192;
/// Lines of hosts that a minute, or an hour, keeps.
const HOSTS_MAX: usize = 2_048;
/// And of networks.
const NETWORKS_MAX: usize = 256;
/// Minutes that wait for the disk; the oldest goes, and is counted.
const WAITING_MAX: usize = 15;
/// Leading bits of an IPv4 address as [`wide`] writes it.
const IPV4_BITS: u8 = 96;

/// What stands in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Bits of the target that are told apart; [`HOST`]: it is a host.
    pub(super) bits: u8,
    /// As [`wide`] writes it, with nothing behind those bits.
    pub(super) target: u128,
    pub(super) direction: Direction,
    pub(super) protocol: u8,
    pub(super) class: &'static str,
}

impl Key {
    fn cut(mut self, bits: u8) -> Self {
        let mask = u128::MAX.checked_shl(u32::from(HOST.saturating_sub(bits))).unwrap_or(0);
        self.target &= mask;
        self.bits = bits;
        self
    }

    const fn is_ipv4(&self) -> bool {
        self.target >> 32 == 0xffff
    }

    /// Of its network: /24 or /48.
    fn network(self) -> Self {
        let bits = if self.is_ipv4() { IPV4_BITS + 24 } else { 48 };
        self.cut(bits)
    }

    /// Of all of its family.
    fn family(self) -> Self {
        let bits = if self.is_ipv4() { IPV4_BITS } else { 0 };
        self.cut(bits)
    }
}

/// Lines of a minute, in their order.
pub(super) type Lines = Vec<(Key, Sum)>;
type Table = HashMap<Key, Sum, Seed>;

/// Minutes that go on, those that wait to be written, and what was lost.
#[derive(Debug, Default)]
pub struct Minutes {
    open: BTreeMap<u64, Table>,
    waiting: Vec<(u64, Lines)>,
    folded: u64,
    lost: u64,
}

impl Minutes {
    /// Adds what a record tells of an own host. `class` is one of few names.
    pub fn add(
        &mut self,
        (at, target, direction): (Timestamp, IpAddr, Direction),
        (protocol, class): (u8, &'static str),
        (packets, bytes): (u64, u64),
    ) {
        let minute = at.tick(MINUTE);
        let table = self.open.entry(minute).or_insert_with(|| HashMap::with_hasher(Seed::default()));
        let sum = Sum { bytes, packets, samples: 1 };
        let key = Key { bits: HOST, target: wide(target), direction, protocol, class };
        if let Some(known) = table.get_mut(&key) {
            known.add(sum);
            return;
        }
        let key = if table.len() < OPEN_MAX {
            key
        } else {
            self.folded += 1;
            let network = key.network();
            let room = table.len() < OPEN_MAX + OPEN_NETWORKS_MAX || table.contains_key(&network);
            if room { network } else { key.family() }
        };
        table.entry(key).or_default().add(sum);
        if self.open.len() > WAITING_MAX {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let lost = if self.waiting.is_empty() {
            self.open.pop_first().map_or(0, |(_, table)| table.values().map(|sum| sum.samples).sum())
        } else {
            self.waiting.remove(0).1.iter().map(|(_, sum)| sum.samples).sum()
        };
        self.lost += lost;
    }

    /// Minutes that were over at `now` wait to be written from now on.
    pub fn close(&mut self, now: Timestamp) {
        while let Some(first) = self.open.first_entry() {
            if *first.key() >= now.tick(MINUTE) {
                break;
            }
            let (minute, table) = first.remove_entry();
            let (lines, folded) = folded(table);
            self.folded += folded;
            self.waiting.push((minute, lines));
            if self.waiting.len() > WAITING_MAX {
                self.drop_oldest();
            }
        }
    }

    /// Records that stand under a network or a family instead of their host, and such that were lost.
    pub const fn counts(&self) -> (u64, u64) {
        (self.folded, self.lost)
    }

    /// All lines that are not written, by minute.
    pub(super) fn lines(&self) -> Vec<(u64, Lines)> {
        let open = self.open.iter().map(|(minute, table)| {
            let lines = table.iter().map(|(key, sum)| (*key, *sum)).collect();
            (*minute, lines)
        });
        self.waiting.iter().cloned().chain(open).collect()
    }

    pub(super) fn waiting(&self) -> Vec<(u64, Lines)> {
        self.waiting.clone()
    }

    /// The first `count` of those that waited are written.
    pub(super) fn written(&mut self, minutes: &[(u64, Lines)]) {
        // One that was dropped meanwhile is written all the same.
        self.waiting.retain(|one| !minutes.contains(one));
    }
}

/// The greatest hosts, the greatest of the other networks, and the rest; and how many records left their host for that.
fn folded(table: Table) -> (Lines, u64) {
    let (hosts, wide): (Lines, Lines) = table.into_iter().partition(|(key, _)| key.bits == HOST);
    let (mut lines, rest) = greatest(hosts, HOSTS_MAX);
    let count = rest.iter().map(|(_, sum)| sum.samples).sum();
    let (networks, families): (Lines, Lines) =
        wide.into_iter().partition(|(key, _)| key.bits != IPV4_BITS && key.bits != 0);
    let networks =
        merged(networks.into_iter().chain(rest.into_iter().map(|(key, sum)| (key.network(), sum))));
    let (networks, rest) = greatest(networks, NETWORKS_MAX);
    lines.extend(networks);
    lines.extend(merged(families.into_iter().chain(rest.into_iter().map(|(key, sum)| (key.family(), sum)))));
    lines.sort_unstable_by_key(|(key, _)| *key);
    (lines, count)
}

/// The most octets, and the rest; equal ones in their order.
fn greatest(mut lines: Lines, max: usize) -> (Lines, Lines) {
    if lines.len() <= max {
        return (lines, Lines::new());
    }
    lines.sort_unstable_by(|(a, x), (b, y)| y.bytes.cmp(&x.bytes).then(a.cmp(b)));
    let rest = lines.split_off(max);
    (lines, rest)
}

fn merged(lines: impl Iterator<Item = (Key, Sum)>) -> Lines {
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    for (key, sum) in lines {
        sums.entry(key).or_default().add(sum);
    }
    sums.into_iter().collect()
}

/// Minutes in memory, for who adds, who writes and who asks.
#[derive(Debug, Default)]
pub struct Shelf {
    minutes: Mutex<Minutes>,
    /// Held by the writer while lines go from memory into the file: a look at both sees each line once.
    pub(super) moving: RwLock<()>,
}

impl Shelf {
    /// The minutes. To be held for a moment.
    pub fn minutes(&self) -> MutexGuard<'_, Minutes> {
        // Poisoned, it holds whole lines all the same.
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn still(&self) -> RwLockReadGuard<'_, ()> {
        self.moving.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(minutes: &mut Minutes, secs: u64, target: &str, bytes: u64) {
        let at = (Timestamp::from_secs(secs), target.parse().unwrap(), Direction::In);
        minutes.add(at, (17, "udp"), (1, bytes));
    }

    #[test]
    fn the_greatest_hosts_keep_their_lines_and_no_octet_is_lost() {
        let mut minutes = Minutes::default();
        let mut whole = 0;
        for number in 0..6_000u64 {
            let (a, b) = (number / 250, number % 250);
            add(&mut minutes, 60, &format!("198.18.{a}.{b}"), number + 1);
            add(&mut minutes, 61, &format!("2001:db8:{a:x}::{b:x}"), 1);
            whole += number + 2;
        }
        minutes.close(Timestamp::from_secs(119));
        assert!(minutes.waiting.is_empty());
        minutes.close(Timestamp::from_secs(120));
        let (minute, lines) = minutes.waiting.pop().unwrap();
        assert_eq!(minute, 1);
        assert_eq!(lines.iter().map(|(_, sum)| sum.bytes).sum::<u64>(), whole);
        assert_eq!(lines.iter().map(|(_, sum)| sum.samples).sum::<u64>(), 12_000);
        let of = |bits: u8| lines.iter().filter(|(key, _)| key.bits == bits).count();
        // 24 networks of either family have room.
        assert_eq!((of(HOST), of(120) + of(48), of(96) + of(0)), (HOSTS_MAX, 16 + 24, 0), "{lines:?}");
        let greatest = lines.iter().filter(|(key, _)| key.bits == HOST).map(|(_, sum)| sum.bytes).min();
        assert_eq!(greatest, Some(6_000 - 2_047));
        assert_eq!(minutes.counts(), (12_000 - 2_048, 0));
        assert!(lines.is_sorted_by_key(|(key, _)| *key));
    }

    #[test]
    fn a_scan_of_everything_takes_bounded_room() {
        let mut minutes = Minutes::default();
        for number in 0..200_000u32 {
            let target = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
            add(&mut minutes, 0, &target, 10);
        }
        for number in 0..20_000u32 {
            add(&mut minutes, 0, &format!("2001:db8:{number:x}::1"), 10);
        }
        let table = &minutes.open[&0];
        assert!(table.len() <= OPEN_MAX + OPEN_NETWORKS_MAX + 2, "{}", table.len());
        minutes.close(Timestamp::from_secs(60));
        let lines = &minutes.waiting[0].1;
        assert!(lines.len() <= HOSTS_MAX + NETWORKS_MAX + 2, "{}", lines.len());
        assert_eq!(lines.iter().map(|(_, sum)| sum.bytes).sum::<u64>(), 2_200_000);
    }

    #[test]
    fn minutes_that_nobody_writes_make_room_and_are_counted() {
        let mut minutes = Minutes::default();
        for minute in 0..20 {
            add(&mut minutes, minute * 60, "198.18.0.1", 1);
            minutes.close(Timestamp::from_secs(minute * 60 + 60));
        }
        assert_eq!((minutes.waiting.len(), minutes.counts()), (WAITING_MAX, (0, 5)));
        // Nor do times that nobody closes.
        for minute in 100..140 {
            add(&mut minutes, minute * 60, "198.18.0.1", 1);
        }
        assert!(minutes.open.len() + minutes.waiting.len() <= 2 * WAITING_MAX);
    }
}
