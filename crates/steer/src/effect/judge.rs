//! From what places showed to a verdict.

use base::Timestamp;
use base::units::PacketRate;

use super::{Counted, Judgement, Measure, Place, Verdict, View};

/// Sampled packets without which nothing is said.
pub(super) const SEEN_MIN: u64 = 30;
/// Of what is expected: stopping surely more than this is effective, surely less than `LITTLE` is not.
pub(super) const MUCH: f64 = 0.8;
/// See [`MUCH`].
pub(super) const LITTLE: f64 = 0.2;
/// Bounds further apart than this say nothing between the two.
const VAGUE: f64 = 0.5;
/// An attack that has shrunk to less than this before the measure leaves too little to judge by.
const SHRUNK: f64 = 0.25;
/// Flows that do not say what became of them may be this part of all.
const UNSAID_MAX: f64 = 0.2;
/// Standard deviations of 95 %.
pub(super) const Z: f64 = 1.96;

/// What a measure does, by what was seen at these places.
pub fn judge(now: Timestamp, measure: &Measure, views: &[(Place, View)]) -> Judgement {
    let acts_from = measure.announced.plus(measure.settle);
    if now < acts_from {
        return said(
            Verdict::Pending,
            None,
            format!("it was announced {} ago", now.since(measure.announced)),
        );
    }
    let sum = |place: Place| {
        let mut of = views.iter().filter(|(at, _)| *at == place).map(|(_, view)| view).peekable();
        of.peek().is_some().then(|| of.fold(View::default(), |sum, view| sum.with(view)))
    };
    let growth = match sum(Place::Before).map(|view| growth(&view)) {
        Some(Growth::Known(factor)) if factor < SHRUNK => {
            let reason = format!(
                "before the measure the attack has shrunk to {:.0} % by itself: what is missing behind proves nothing",
                factor * 100.0
            );
            return said(Verdict::NotMeasurable, None, reason);
        }
        Some(Growth::Known(factor)) => factor,
        Some(Growth::Unknown) | None => 1.0,
    };
    let mut unsaid = Vec::new();
    for place in [Place::Behind, Place::Port, Place::At] {
        let Some(view) = sum(place) else { continue };
        let shares = if place == Place::At { at(&view) } else { behind(&view, growth) };
        match shares {
            Ok(bounds) => match graded(bounds, measure.expected) {
                Some(verdict) => return said(verdict, Some(bounds), worded(place, bounds, measure.expected)),
                None => unsaid.push(format!("what was seen {} is too little to tell", place.as_str())),
            },
            Err(why) => unsaid.push(format!("{}: {why}", place.as_str())),
        }
    }
    if views.iter().all(|(place, _)| *place == Place::Before) {
        unsaid
            .push("nobody looks where it could show: behind it, at the router that acts, at the port".into());
    }
    let late = now >= acts_from.plus(measure.patience);
    let verdict = if late { Verdict::NotMeasurable } else { Verdict::Pending };
    said(verdict, None, unsaid.join("; "))
}

impl View {
    fn with(self, other: &Self) -> Self {
        Self {
            before: self.before.with(other.before),
            after: self.after.with(other.after),
            usual: PacketRate(self.usual.0 + other.usual.0),
            forwarded: self.forwarded.with(other.forwarded),
            dropped: self.dropped.with(other.dropped),
            notified: self.notified.with(other.notified),
            spans: (self.spans.0.max(other.spans.0), self.spans.1.max(other.spans.1)),
        }
    }
}

impl Counted {
    const fn with(self, other: Self) -> Self {
        Self { rate: PacketRate(self.rate.0 + other.rate.0), seen: self.seen.saturating_add(other.seen) }
    }

    /// The rate as it may be, with 95 % confidence, where one sampled packet stands for `each` a second.
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    fn bounds(self, each: f64) -> (f64, f64) {
        match self.seen {
            u64::MAX => (self.rate.0, self.rate.0),
            // The Poisson bound for none seen.
            0 => (0.0, 3.7 * each),
            seen => {
                let noise = Z / (seen as f64).sqrt();
                (self.rate.0 * (1.0 - noise).max(0.0), self.rate.0 * (1.0 + noise + 2.0 / seen as f64))
            }
        }
    }
}

enum Growth {
    Known(f64),
    Unknown,
}

/// By what factor the attack itself has grown since.
fn growth(view: &View) -> Growth {
    if view.before.seen < SEEN_MIN || view.before.rate.0 <= 0.0 {
        return Growth::Unknown;
    }
    Growth::Known(view.after.rate.0 / view.before.rate.0)
}

/// The share that is missing behind a measure, of an attack that grew by a factor.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
fn behind(view: &View, growth: f64) -> Result<(f64, f64), &'static str> {
    if view.before.seen < SEEN_MIN {
        return Err("too few packets of it were seen before the measure");
    }
    let attack = view.before.rate.0 - view.usual.0;
    if attack <= 0.0 {
        return Err("the attack did not show there before the measure");
    }
    let expected = attack * growth;
    let (earlier, since) = (view.spans.0.as_secs_f64(), view.spans.1.as_secs_f64());
    let longer = if earlier > 0.0 && since > 0.0 { earlier / since } else { 1.0 };
    let each = view.before.rate.0 / view.before.seen as f64 * longer;
    let (least, most) = view.after.bounds(each);
    let left = |rate: f64| ((rate - view.usual.0) / expected).clamp(0.0, 1.0);
    // A port's usual traffic is not known better than its noise allows; where the attack drowns in it, nothing is said.
    if view.before.seen == u64::MAX && attack < view.usual.0 * 0.5 {
        return Err("the attack is small beside what else passes there");
    }
    Ok((1.0 - left(most), 1.0 - left(least)))
}

/// The share that the router that acts tells as dropped; where it does not tell fates, traffic that is gone proves the
/// effect, and traffic that is there proves nothing.
fn at(view: &View) -> Result<(f64, f64), &'static str> {
    let said = view.forwarded.rate.0 + view.dropped.rate.0;
    let all = said.max(view.after.rate.0);
    let seen = view.forwarded.seen.saturating_add(view.dropped.seen);
    if let Some(stopped) = notified(view) {
        return Ok(stopped);
    }
    // Who tells of drops one by one does not tell of them in samples.
    if seen >= SEEN_MIN && said >= all * (1.0 - UNSAID_MAX) && view.notified.seen == 0 {
        return Ok(wilson(view.dropped.rate.0 / said, seen));
    }
    let gone = behind(view, 1.0)?;
    if gone.0 >= MUCH {
        return Ok(gone);
    }
    match seen < SEEN_MIN && said > 0.0 {
        true => Err("too few of its packets were seen since"),
        false => Err(
            "its flows do not say whether they were forwarded, and a router that filters may export them all the same",
        ),
    }
}

/// What a router tells to have dropped, packet by packet, is at least so much: it can prove that a measure stops nearly all, and never
/// that it stops little.
fn notified(view: &View) -> Option<(f64, f64)> {
    let passed = (view.after.rate.0 - view.dropped.rate.0).max(0.0);
    let stopped = view.notified.rate.0 + view.dropped.rate.0;
    let seen = view.notified.seen.saturating_add(view.after.seen);
    if view.notified.seen < SEEN_MIN || stopped <= 0.0 {
        return None;
    }
    let (least, _) = wilson(stopped / (stopped + passed), seen);
    (least >= MUCH).then_some((least, 1.0))
}

/// Wilson's interval of a share of so many.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
pub(crate) fn wilson(share: f64, of: u64) -> (f64, f64) {
    let n = of as f64;
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let z2 = Z * Z;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).max(0.0).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

fn graded((least, most): (f64, f64), expected: f64) -> Option<Verdict> {
    let expected = expected.clamp(0.01, 1.0);
    if least >= MUCH * expected {
        Some(Verdict::Effective)
    } else if most <= LITTLE * expected {
        Some(Verdict::Ineffective)
    } else if most - least <= VAGUE {
        Some(Verdict::Partly)
    } else {
        None
    }
}

fn worded(place: Place, (least, most): (f64, f64), expected: f64) -> String {
    format!(
        "{} it stops {:.0} to {:.0} % of the packets that it should, and {:.0} % were expected",
        place.as_str(),
        least * 100.0,
        most * 100.0,
        expected * 100.0
    )
}

const fn said(verdict: Verdict, stopped: Option<(f64, f64)>, reason: String) -> Judgement {
    Judgement { verdict, stopped, reason }
}
