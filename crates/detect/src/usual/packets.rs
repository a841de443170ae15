//! What a target's packets of one class usually look like.
//!
//! Four histograms (length, time to live, source port, payload) of 30 counts together. Packets are held against them by the
//! relative entropy of each, less what chance makes of so few: G = 2n Σ p ln(p/q), told per source.

use alloc::format;
use alloc::string::{String, ToString};

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Once, SOURCES_MIN, by_sender, sure};
use crate::evidence::source_key;
use crate::sample::Sample;

/// Longest IPv4 packets of the bins of length; the last has no end. IPv6 packets are 20 octets longer.
const LENGTHS: [u32; 15] = [40, 44, 48, 52, 60, 64, 80, 100, 128, 200, 300, 468, 600, 1000, 1400];
/// First source ports behind the lowest bin of ports: those of services, registered ones, and two halves of what systems choose.
const PORTS: [u16; 3] = [1024, 32_768, 49_152];
const BINS: usize = 30;
/// First bin, and number of bins, of each property.
const LENGTH: (usize, usize) = (0, 16);
const LIFE: (usize, usize) = (16, 8);
const PORT: (usize, usize) = (24, 4);
const PAYLOAD: (usize, usize) = (28, 2);
/// Sources that have to be learned before anything is compared with them.
const LEARNED_MIN: u32 = 50;
/// Counts are halved when there are so many, so that later ones weigh more: a good hour of a busy target.
const LEARNED_MAX: u32 = 1 << 14;
/// What a bin in which nothing was counted has.
const UNSEEN: f64 = 0.5;

/// What packets of a class towards a target usually look like.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Packets {
    counts: [u16; BINS],
    #[serde(skip)]
    once: Once,
}

/// How much packets look like the usual ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Distinct sources looked at, a packet each.
    pub sources: usize,
    /// Relative entropy of the property that differs most, in nats a source; 0: as like as chance permits.
    pub distance: f64,
    /// How much so many sources count, up to 1.
    pub sure: f64,
    /// What they have more of than is usual, by the property that differs most.
    pub most: String,
    /// How many of them have it, and how many usually do.
    pub share: (f64, f64),
}

impl Packets {
    /// Takes an example of peaceful traffic.
    pub fn learn(&mut self, now: Timestamp, sample: &Sample) {
        if !self.once.is_first(now, source_key(sample.headers.src)) {
            return;
        }
        count(&mut self.counts, sample);
        if total(&self.counts, LENGTH) >= LEARNED_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// Holds examples against what was learned; `None` while that is little, or there are few sources.
    pub fn compare<'s>(&self, samples: impl Iterator<Item = &'s Sample>) -> Option<Likeness> {
        if total(&self.counts, LENGTH) < LEARNED_MIN {
            return None;
        }
        let (mut now, mut sources, mut v4) = ([0u16; BINS], 0, true);
        for sample in by_sender(samples) {
            count(&mut now, sample);
            sources += 1;
            v4 = sample.headers.src.is_ipv4();
        }
        if sources < SOURCES_MIN {
            return None;
        }
        let properties = [LENGTH, LIFE, PORT, PAYLOAD];
        let told = properties.into_iter().filter_map(|property| Difference::of(&self.counts, &now, property));
        let most = told.reduce(|a, b| if b.distance > a.distance { b } else { a })?;
        #[expect(clippy::cast_precision_loss, reason = "at most thousands")]
        let sure = sure(sources as f64);
        Some(Likeness {
            sources,
            distance: most.distance,
            sure,
            most: words(most.bin, v4),
            share: most.share,
        })
    }
}

/// How one property differs.
struct Difference {
    distance: f64,
    /// What there is more of than usual.
    bin: usize,
    share: (f64, f64),
}

impl Difference {
    /// `None` where the property is not told, or was not.
    fn of(usual: &[u16; BINS], now: &[u16; BINS], property: (usize, usize)) -> Option<Self> {
        let (learned, seen) = (total(usual, property), total(now, property));
        if learned < LEARNED_MIN || usize::try_from(seen).is_ok_and(|seen| seen < SOURCES_MIN) {
            return None;
        }
        let (all, n) = (f64::from(learned), f64::from(seen));
        let pairs = || {
            let of = |counts: &[u16; BINS], at: usize| counts.get(at).copied().map_or(0.0, f64::from);
            (property.0..property.0 + property.1).map(move |at| (at, of(usual, at), of(now, at)))
        };
        let kinds = f64::from(u32::try_from(pairs().filter(|(_, q, p)| q + p > 0.0).count()).unwrap_or(1));
        let share = |q: f64| (q + UNSEEN) / (all + UNSEEN * kinds);
        let (mut distance, mut most) = (0.0, (0.0, property.0, (0.0, 0.0)));
        for (at, q, p) in pairs().filter(|(_, _, p)| *p > 0.0) {
            let (p, q) = (p / n, share(q));
            distance += p * libm::log(p / q);
            if p - q > most.0 {
                most = (p - q, at, (p, q));
            }
        }
        // What chance makes of two samples of the same.
        let chance = (kinds - 1.0) / 2.0 * (1.0 / n + 1.0 / all);
        Some(Self { distance: (distance - chance).max(0.0), bin: most.1, share: most.2 })
    }
}

fn total(counts: &[u16; BINS], (first, bins): (usize, usize)) -> u32 {
    counts.iter().skip(first).take(bins).map(|count| u32::from(*count)).sum()
}

/// Counts a packet in each property that it tells.
fn count(counts: &mut [u16; BINS], sample: &Sample) {
    let h = &sample.headers;
    let length = h.length.saturating_sub(if h.src.is_ipv4() { 0 } else { 20 });
    // Flows seldom tell the time to live: zero is no packet's.
    let life = (h.ttl > 0).then(|| usize::from(h.ttl / 32));
    let bins = [
        Some(LENGTH.0 + LENGTHS.partition_point(|longest| *longest < length)),
        life.map(|life| LIFE.0 + life),
        h.ports.map(|(port, _)| PORT.0 + PORTS.partition_point(|first| *first <= port)),
        h.payload_len.map(|octets| PAYLOAD.0 + usize::from(octets > 0)),
    ];
    for bin in bins.into_iter().flatten() {
        if let Some(count) = counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
    }
}

/// A bin in words.
fn words(bin: usize, v4: bool) -> String {
    if bin < LIFE.0 {
        let more = if v4 { 0 } else { 20 };
        let from =
            bin.checked_sub(1).and_then(|below| LENGTHS.get(below)).map_or(0, |below| below + more + 1);
        return match LENGTHS.get(bin) {
            Some(to) => format!("length {from}–{} octets", to + more),
            None => format!("length {from} octets or more"),
        };
    }
    if bin < PORT.0 {
        let first = 32 * (bin - LIFE.0);
        return format!("TTL {first}–{}", first + 31);
    }
    match bin - PORT.0 {
        0 => "source port below 1024",
        1 => "source port 1024–32767",
        2 => "source port 32768–49151",
        3 => "source port above 49151",
        4 => "no payload",
        _ => "payload",
    }
    .to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use telemetry::record::{Detail, Snip};
    use wire::Headers;

    use super::*;
    use crate::cell::Lasting;
    use crate::class::Class;

    pub(in super::super) const DAY: Timestamp = Timestamp::from_secs(1_795_392_000);

    /// A host of one of many networks.
    pub(in super::super) fn from(network: u32, host: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x2000_0000 + (network << 16) + (host & 0xffff)).into()
    }

    pub(in super::super) fn example(src: IpAddr, length: u32, ttl: u8) -> Sample {
        let headers = Headers {
            src,
            dst: Ipv4Addr::new(192, 0, 2, 1).into(),
            length,
            ttl,
            ports: Some((50_000, 443)),
            payload_len: Some(0),
            ..Headers::NOTHING
        };
        Sample {
            at: DAY,
            last: DAY,
            headers,
            class: Class::TCP_SYN,
            detail: Detail::Packet,
            several: false,
            snip: Snip::EMPTY,
            packets: 1000,
            bytes: 60_000,
            entry: (0, None),
            outgoing: false,
            unsolicited: false,
            lasting: Lasting::default(),
            unscaled: false,
            doubtful: false,
        }
    }

    /// Customers with three systems and lengths.
    fn customer(n: u32) -> Sample {
        let (length, ttl) = [(60, 52), (52, 116), (64, 50)][n as usize % 3];
        example(from(n % 20, n), length, ttl)
    }

    fn learned(count: u32) -> Packets {
        let mut packets = Packets::default();
        (0..count).for_each(|n| packets.learn(DAY.plus(base::Span::from_secs(n.into())), &customer(n)));
        packets
    }

    #[test]
    fn one_shape_is_told_from_the_usual_mix_and_a_crowd_is_not() {
        let usual = learned(300);
        let flood: alloc::vec::Vec<_> = (0..100).map(|n| example(from(n, n), 40, 52)).collect();
        let flood = usual.compare(flood.iter()).unwrap();
        assert!(
            flood.distance > 3.0 && flood.most == "length 0–40 octets" && flood.share.0 == 1.0,
            "{flood:?}"
        );
        let crowd: alloc::vec::Vec<_> = (0..100).map(|n| customer(7000 + n)).collect();
        assert!(usual.compare(crowd.iter()).unwrap().distance < 0.05);
    }

    #[test]
    fn one_sender_is_one_observation() {
        let usual = learned(300);
        let one: alloc::vec::Vec<_> = (0..100).map(|_| example(from(1, 1), 40, 250)).collect();
        assert_eq!(usual.compare(one.iter()), None);
        let mut packets = Packets::default();
        (0..1000).for_each(|_| packets.learn(DAY, &example(from(1, 1), 1500, 60)));
        assert_eq!(total(&packets.counts, LENGTH), 1);
    }

    #[test]
    fn counts_stay_bounded_and_later_ones_weigh_more() {
        let mut packets = learned(20_000);
        assert!(total(&packets.counts, LENGTH) < LEARNED_MAX);
        for n in 20_000..60_000 {
            packets.learn(DAY.plus(base::Span::from_secs(n.into())), &example(from(n % 20, n), 1500, 60));
        }
        let long: alloc::vec::Vec<_> = (0..100).map(|n| example(from(n, n), 1500, 60)).collect();
        assert!(packets.compare(long.iter()).unwrap().distance < 0.3);
    }

    #[test]
    fn what_flows_do_not_tell_is_not_compared() {
        let mut packets = Packets::default();
        let flow = |n: u32| {
            let mut flow = customer(n);
            (flow.headers.ttl, flow.headers.payload_len) = (0, None);
            flow
        };
        (0..300).for_each(|n| packets.learn(DAY.plus(base::Span::from_secs(n.into())), &flow(n)));
        let now: alloc::vec::Vec<_> = (0..100).map(|n| example(from(n, n), 60, 250)).collect();
        let told = packets.compare(now.iter()).unwrap();
        assert!(told.most.starts_with("length"), "{told:?}");
    }
}
