//! What the last ticks say of a stream that stands out.

use base::prefix::{narrow, wide};
use base::{Span, Timestamp};
use detect::class::Class;
use detect::evidence::{Evidence, Shape};
use detect::measure::Measure;
use detect::sample::Sample;
use detect::vector;

use crate::core::Engine;
use crate::incident::by_pairs;
use crate::settings::Profile;
use crate::target::TargetKey;
use crate::tick::{hosts, prefix, received};
use crate::watch::Candidate;

/// What honest packets bring about shows after so long: the round trip to a distant client.
const PATIENCE: Span = Span::from_millis(300);
/// Examples are looked at this far back.
const EXAMPLES_SPAN: Span = Span::from_secs(1);
/// Examples that are enough to see what they have in common.
const EXAMPLES_MAX: usize = 2048;

impl Engine {
    /// All that is known of a candidate.
    pub(crate) fn evidence(&self, now: Timestamp, candidate: &Candidate) -> Evidence {
        let class = candidate.class;
        let target = prefix(&candidate.key);
        let exact = self.settings.profile.is_exact();
        let from = candidate.onset.max(now.minus(EXAMPLES_SPAN));
        let only_unasked = exact && by_pairs(class);
        let wanted = |s: &&Sample| s.class == class && (!only_unasked || s.unsolicited);
        let examples = || self.ring.latest(from, target, EXAMPLES_MAX).filter(wanted);
        let shape = Shape::of(examples());
        let lately =
            |c: Class| self.watch.target(&candidate.key).map_or_else(Default::default, |t| t.lately(c));
        let (sources, source_top) = self.sources(from, candidate, only_unasked);
        let hosts_hit = self.hosts_hit(now, &target, candidate);
        let own = lately(class);
        let stream = self.watch.target(&candidate.key).and_then(|t| t.stream(class));
        let origins = self.watch.target(&candidate.key).and_then(|t| t.origins.as_ref());
        let senders = stream.map(|s| s.senders).filter(|s| s.seen() > shape.samples).unwrap_or_default();
        let excused = stream.map_or(0.0, |s| f64::from(s.excused.1 / s.excused.0.max(1.0)));
        Evidence {
            class,
            measure: candidate.measure,
            rate: candidate.rate,
            floor: self.settings.thresholds(narrow(candidate.key.addr)).0
                * vector::family(class).floor_factor,
            normal: candidate.normal,
            usual: self.watch.target(&candidate.key).and_then(|t| t.stream(class)).map_or(0.0, |s| {
                match candidate.measure {
                    Measure::Packets => s.usual.expected(),
                    Measure::Octets => s.usual_octets(),
                }
            }),
            test: candidate.test,
            received: own.received.into(),
            unsolicited: own.unsolicited.into(),
            sent: own.sent.into(),
            established: (lately(Class::TCP_ACK).received + lately(Class::TCP_DATA).received).into(),
            data: lately(Class::TCP_DATA).received.into(),
            ends: lately(Class::TCP_RST_FIN).received.into(),
            syns: lately(Class::TCP_SYN).sent.into(),
            icmp_sent: lately(Class::ICMP_OTHER).sent.into(),
            limit: candidate.limit.clone(),
            completes: (class == Class::UDP_FRAGMENT).then(|| self.completed(&candidate.key)).flatten(),
            exact,
            young: exact && !self.last && now.since(candidate.risen) < PATIENCE,
            sources: sources.max(shape.sources).max(senders.distinct()),
            source_top: source_top.min(senders.top_max()),
            simmered: (senders.seen(), senders.distinct()),
            excused,
            hosts: hosts_hit,
            shape,
            likeness: stream.and_then(|s| s.packets.as_ref()?.compare(examples())),
            novelty: origins.and_then(|o| o.compare(examples())),
        }
    }

    /// Distinct hosts of a prefix that lately got packets of the class.
    fn hosts_hit(&self, now: Timestamp, target: &base::Prefix, candidate: &Candidate) -> u64 {
        if target.is_host() {
            return 1;
        }
        let side = received(candidate.key.direction);
        let from = candidate.onset.max(now.minus(EXAMPLES_SPAN));
        let mut hit: Vec<u128> = self
            .ring
            .since(from)
            .flat_map(|tick| tick.cells(candidate.key.direction, hosts(target)))
            .filter(|(key, _)| key.side == side && key.class == candidate.class)
            .map(|(key, _)| key.host)
            .collect();
        hit.sort_unstable();
        hit.dedup();
        u64::try_from(hit.len()).unwrap_or(u64::MAX).max(1)
    }

    /// The reflecting protocol of which the target lately got most unasked answers, if fragments can be theirs.
    fn completed(&self, key: &TargetKey) -> Option<Class> {
        /// First fragments there have to be for later ones, at least.
        const SHARE_MIN: f32 = 0.1;
        let target = self.watch.target(key)?;
        let exact = self.settings.profile.is_exact();
        let unasked = |class: Class| {
            let lately = target.lately(class);
            if exact { lately.unsolicited } else { lately.received - 4.0 * lately.sent }
        };
        let least = SHARE_MIN * target.lately(Class::UDP_FRAGMENT).received;
        let reflectors = target.streams.iter().map(|s| s.class).filter(|c| c.reflector().is_some());
        reflectors
            .map(|class| (unasked(class), class))
            .filter(|(packets, _)| *packets > least.max(1.0))
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, class)| class)
    }

    /// Distinct sources of a stream lately, and the share of the busiest.
    fn sources(&self, from: Timestamp, candidate: &Candidate, only_unasked: bool) -> (u64, f64) {
        /// Enough to tell few from many.
        const LOOK_MAX: usize = 10_000;
        let target = prefix(&candidate.key);
        let side = received(candidate.key.direction);
        let mut seen: Vec<(u128, u64)> = Vec::new();
        if self.settings.profile == Profile::Capture {
            // Whole ticks, the newest first: a part of one would depend on the order in which it was counted.
            for tick in self.ring.since(from).rev() {
                let before = seen.len();
                for (key, count) in tick.sources(hosts(&target)) {
                    let packets = if only_unasked { count.unsolicited } else { count.packets };
                    if key.side == side && key.class == candidate.class && packets > 0 {
                        seen.push((key.source, packets));
                    }
                }
                if before > 0 && seen.len() > LOOK_MAX {
                    seen.truncate(before);
                    break;
                }
            }
        } else {
            let samples = self.ring.samples(from, target, |c| c == candidate.class);
            seen.extend(samples.map(|(_, s)| (wide(s.headers.src), s.packets)));
        }
        seen.sort_unstable();
        let (mut distinct, mut top, mut total, mut run) = (0u64, 0u64, 0u64, 0u64);
        let mut last = None;
        for (source, packets) in seen {
            if last != Some(source) {
                distinct += 1;
                run = 0;
                last = Some(source);
            }
            run += packets;
            total += packets;
            top = top.max(run);
        }
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = if total == 0 { 0.0 } else { top as f64 / total as f64 };
        (distinct, share)
    }
}
