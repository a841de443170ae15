//! One class of one target takes its tick: is more suspect than is normal, for longer than chance allows?

use base::{Span, Timestamp};
use detect::cell::Cell;
use detect::measure::{Measure, OCTETS_PHI, OCTETS_UNIT};
use detect::vector;

use super::{Candidate, Watch, told};
use crate::areas::Others;
use crate::frozen::Frozen;
use crate::incident::by_pairs;
use crate::settings::Settings;
use crate::sketch::Sketch;
use crate::target::{Stream, TargetKey, TickCounts};
use crate::tick::{Tick, hosts, prefix};

/// Suspect packets further apart than this do not belong to one run.
const RUN_GAP: Span = Span::from_secs(1);
/// Packets of a run that may have come before its test rose.
const RUN_HEAD: f64 = 10.0;
/// Bursts make a stream at most so many times noisier than chance, lest an attacker teach it.
const BURSTS_MAX: f64 = 15.0;
/// Samples of a stream that are believed to be of a dialogue until it has shown more, and the packets that one sent excuses
/// in one.
const DIALOGUE: (f64, f64) = (1.0, 4.0);

/// What holds for all targets of a tick.
pub(super) struct Now<'a> {
    pub(super) settings: &'a Settings,
    pub(super) until: Timestamp,
    /// Length of the tick.
    pub(super) secs: f64,
    pub(super) live: bool,
    /// Whether everything is new yet.
    pub(super) settling: bool,
    pub(super) exact: bool,
    pub(super) threshold: f64,
    pub(super) frozen: &'a Frozen,
    pub(super) tick: &'a Tick,
}

/// One class of one target takes its tick.
#[expect(clippy::cast_possible_truncation, reason = "a stream keeps single precision")]
pub(super) fn step(
    now: &Now<'_>,
    key: TargetKey,
    (c, share): (&TickCounts, f64),
    others: &Others,
    (frozen, learning): (bool, bool),
    stream: &mut Stream,
) -> Option<Candidate> {
    let seen = others.counts(now.exact, c);
    stream.fade(now.until);
    stream.lately.received += seen.received as f32;
    stream.lately.unsolicited += seen.unsolicited as f32;
    stream.lately.sent += seen.sent as f32;
    if c.received.packets == 0 {
        return None;
    }
    let family = vector::family(c.class);
    let suspect = (family.suspect)(&seen);
    let suspect = if suspect > 0.0 { share * suspect } else { suspect };
    let known = now.exact && c.received.unsolicited > 0 && seen.unsolicited < seen.received;
    let first = if known { c.received.first_unsolicited } else { c.received.first };
    if suspect > 0.0 {
        if first.since(stream.last) > RUN_GAP {
            (stream.run_begun, stream.run) = (first, 0.0);
        }
        stream.run += suspect as f32;
        stream.last = c.received.last;
    }
    let length = length(&c.received);
    let amounts = [suspect, suspect * length];
    let mut normal = Watch::normal(now.settings, &key, stream);
    if now.live && !prefix(&key).is_host() {
        // Many hosts together are never as steady as their mean: what is harmless grows with what is usual.
        let usual = [stream.usual.expected(), stream.usual_octets()];
        normal.iter_mut().zip(usual).for_each(|(normal, usual)| *normal = normal.max(0.5 * usual));
    }
    let scale = scale(&c.received);
    (stream.scale, stream.length) = (scale as f32, length as f32);
    let was_calm = stream.is_calm();
    stream.excused.0 += seen.received as f32;
    stream.excused.1 += (seen.received - suspect).clamp(0.0, seen.received) as f32;
    let phis = if now.exact { [1.0; 2] } else { phis(family.excuses, stream, scale, length) };
    let examples = || now.tick.samples(hosts(&prefix(&key))).iter().map(|(_, sample)| sample);
    let spread = if now.live { told::seconds(c.class, &c.received, examples) } else { None };
    // Whether the tick is tested as itself, or as the seconds that it tells of.
    let itself = [1.0];
    let (shares, secs) = spread.as_deref().map_or((itself.as_slice(), now.secs), |shares| (shares, 1.0));
    for share in shares {
        for (((test, amount), normal), phi) in stream.tests.iter_mut().zip(amounts).zip(normal).zip(phis) {
            test.update(share * amount / scale, normal * secs / scale, phi, 4.0 * now.threshold);
        }
    }
    let [of_packets, of_octets] = stream.tests.each_ref().map(|test| test.value() / now.threshold);
    let freeze = spread.is_some() || !learning && (frozen || of_packets.max(of_octets) > 0.5);
    stream.learn(now.until, now.settings.tick, (amounts, seen.received), freeze);
    if learning {
        stream.tests = Default::default();
    }
    if stream.is_calm() {
        stream.suspect = [0.0; 2];
        stream.rates_max = [0.0; 2];
        return None;
    }
    if was_calm {
        if now.live {
            (stream.suspect, stream.rates_max) = ([0.0; 2], [0.0; 2]);
            stream.senders = Sketch::default();
        }
        // The first few packets of a flood may not move the test yet; a steady trickle before it is not of it.
        let fresh = (now.exact && by_pairs(c.class)) || f64::from(stream.run) <= suspect + RUN_HEAD;
        stream.onset = if fresh { stream.run_begun } else { first };
        stream.risen = first;
    }
    // Over the time since the onset, but no less than a tenth of a second: a burst is judged as a burst. A flow cache tells late:
    // what counts is when the packets were.
    let newest = stream.last.max(c.received.last).min(now.until);
    let elapsed = newest.since(stream.onset).as_secs_f64().max(0.1);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let counted = most * suspect / scale;
    for ((sum, rate_max), amount) in stream.suspect.iter_mut().zip(&mut stream.rates_max).zip(amounts) {
        *sum += amount.max(0.0) as f32;
        let burst = if counted >= 20.0 { most * amount / secs } else { 0.0 };
        *rate_max = rate_max.max(burst as f32).max((f64::from(*sum) / elapsed) as f32);
    }
    let [packets, _] = stream.suspect;
    #[expect(clippy::cast_precision_loss, reason = "compared with twenty")]
    let enough = now.live || packets >= now.settings.profile.packets_min() as f32;
    let tests = [of_packets, of_octets];
    let (measure, test, rate, normal) = stronger(tests, stream.rates_max.map(f64::from), normal);
    // Volume of unknown scale never triggers.
    (test > 1.0 && enough && c.received.unscaled == 0).then(|| Candidate {
        key,
        class: c.class,
        test,
        measure,
        rate,
        normal,
        onset: stream.onset,
        risen: stream.risen,
        suspect: packets.into(),
        limit: None,
    })
}

/// The test that stands higher, of packets or of octets, with its rate and what is normal.
pub(crate) fn stronger(tests: [f64; 2], rates: [f64; 2], normal: [f64; 2]) -> (Measure, f64, f64, f64) {
    let ([packets, octets], [of_packets, of_octets], [some, many]) = (tests, rates, normal);
    if octets > packets {
        (Measure::Octets, octets, of_octets, many)
    } else {
        (Measure::Packets, packets, of_packets, some)
    }
}

/// Whether a tick shows enough of a class for a host to be remembered.
pub(super) fn stands_out(settings: &Settings, cell: &Cell) -> bool {
    let least = 0.5 * settings.floor_least() * settings.tick.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    let packets = cell.packets as f64;
    cell.samples >= 2 && packets.max(packets * length(cell)) >= least
}

/// How much noisier than a count of samples the suspect packets of a stream are, and their octets: as differences, by what is
/// subtracted, for one packet of the other direction excuses several; and as bursts, by what was learned.
pub(crate) fn phis(excuses: f64, stream: &Stream, scale: f64, length: f64) -> [f64; 2] {
    let (received, excused) = (f64::from(stream.excused.0), f64::from(stream.excused.1));
    // Who has shown little yet is taken for one that answers.
    let (few, each) = (DIALOGUE.0 * scale, excuses.min(DIALOGUE.1));
    let difference = (excuses * excused + each * few) / (received + few).max(1.0);
    let [packets, octets] = &stream.baselines;
    // The least that chance makes of each sample.
    [(packets, 1.0), (octets, OCTETS_PHI.max(length))].map(|(baseline, least)| {
        let bursts = (baseline.noise() / (scale * least) - 1.0).clamp(0.0, BURSTS_MAX);
        least * (1.0 + difference.max(bursts))
    })
}

/// Packets behind one sample.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
pub(crate) fn scale(cell: &Cell) -> f64 {
    (cell.packets as f64 / f64::from(cell.samples.max(1))).max(1.0)
}

/// Mean length of its packets, in units of octets.
#[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
pub(crate) fn length(cell: &Cell) -> f64 {
    cell.bytes as f64 / cell.packets.max(1) as f64 / OCTETS_UNIT
}
