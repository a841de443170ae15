//! Each signal by itself, and which one decides.

use super::{Against, Health, Judgement, Outcome};
use crate::effect::wilson;

/// Differences smaller than this part are nobody's doing.
const NOTABLE: f64 = 0.2;
/// Counts on the larger side without which a signal says nothing.
const COUNT_MIN: u64 = 20;
/// Probes on each side without which they say nothing.
const PROBES_MIN: u64 = 3;
/// An attack that grew by more than this may be the reason itself.
const GREW: f64 = 1.5;
/// Standard deviations of 95 %.
const Z: f64 = 1.96;

/// How a service does, by what was counted before and after.
pub fn judge(before: &Health, after: &Health, against: Against) -> Judgement {
    let ratio = |part: fn(&Health) -> u64, of: fn(&Health) -> u64| {
        ratios((part(before), of(before)), (part(after), of(after)), COUNT_MIN)
    };
    let rate = |count: fn(&Health) -> u64| {
        rates((count(before), before.span.as_secs_f64()), (count(after), after.span.as_secs_f64()))
    };
    let known = before.known_served.and(after.known_served).map(|_| rate(|h| h.known_served.unwrap_or(0)));
    let signals = [
        ("answers to the probe", Some(probes(before, after))),
        ("known peers that are served a second", known),
        ("connections with data a second", (!against.completes).then(|| rate(|h| h.data))),
        ("connections with data of those accepted", Some(ratio(|h| h.data, |h| h.syn_ack))),
        ("answers of requests", Some(ratio(|h| h.answers, |h| h.requests))),
        ("SYN-ACK of SYN", Some(ratio(|h| h.syn_ack, |h| h.syn))),
    ];
    let mut said = Judgement { outcome: Outcome::Unknown, reason: "too little was counted".to_owned() };
    for (name, signal) in signals.into_iter().filter_map(|(name, signal)| Some((name, signal??))) {
        let (outcome, was, is) = signal;
        let decides = matches!(outcome, Outcome::Better | Outcome::Worse);
        if decides || said.outcome == Outcome::Unknown {
            said = Judgement { outcome, reason: format!("{name}: {was:.2} before, {is:.2} now") };
        }
        if decides {
            break;
        }
    }
    if said.outcome == Outcome::Worse && against.growth > GREW {
        return Judgement {
            outcome: Outcome::Unknown,
            reason: format!("{}, but the attack has grown {:.1}-fold meanwhile", said.reason, against.growth),
        };
    }
    said
}

/// An outcome, and the figure before and now.
type Signal = (Outcome, f64, f64);

fn probes(before: &Health, after: &Health) -> Option<Signal> {
    let of = |h: &Health| (h.probe_ok, h.probe_ok + h.probe_failed);
    let (was, is) = (of(before), of(after));
    if was.1 < PROBES_MIN || is.1 < PROBES_MIN {
        return None;
    }
    // So few are sure only where all of them agree.
    let all = |(ok, of): (u64, u64)| {
        if ok == of {
            Some(true)
        } else if ok == 0 {
            Some(false)
        } else {
            None
        }
    };
    let outcome = match (all(was), all(is)) {
        (Some(true), Some(false)) => Outcome::Worse,
        (Some(false), Some(true)) => Outcome::Better,
        (Some(a), Some(b)) if a == b => Outcome::Same,
        _ => return ratios(was, is, PROBES_MIN),
    };
    Some((outcome, share(was), share(is)))
}

fn ratios(was: (u64, u64), is: (u64, u64), least: u64) -> Option<Signal> {
    if was.1 < least || is.1 < least {
        return None;
    }
    let (a, b) = (share(was), share(is));
    let ((a_low, a_high), (b_low, b_high)) = (wilson(a, was.1), wilson(b, is.1));
    let notable = |large: f64, small: f64| large - small > NOTABLE * large;
    let outcome = if b_high < a_low && notable(a, b) {
        Outcome::Worse
    } else if a_high < b_low && notable(b, a) {
        Outcome::Better
    } else {
        Outcome::Same
    };
    Some((outcome, a, b))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a window")]
fn rates(was: (u64, f64), is: (u64, f64)) -> Option<Signal> {
    if was.0.max(is.0) < COUNT_MIN || was.1 <= 0.0 || is.1 <= 0.0 {
        return None;
    }
    let bounds = |(count, secs): (u64, f64)| {
        let n = count as f64;
        // A Poisson count; where none is seen, three are possible.
        let high = n + Z * n.sqrt() + 3.0;
        ((n - Z * n.sqrt()).max(0.0) / secs, n / secs, high / secs)
    };
    let ((a_low, a, a_high), (b_low, b, b_high)) = (bounds(was), bounds(is));
    let outcome = if b_high < a_low * (1.0 - NOTABLE) {
        Outcome::Worse
    } else if a_high < b_low * (1.0 - NOTABLE) {
        Outcome::Better
    } else {
        Outcome::Same
    };
    Some((outcome, a, b))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a window")]
fn share((part, of): (u64, u64)) -> f64 {
    // More answers than requests happens where one was seen and the other not.
    (part as f64 / of.max(1) as f64).min(1.0)
}
