//! Second opinions: are the packets like the usual ones, and do they come from where the usual ones come from?
//!
//! Weak by design. A crowd, or a new service, brings strangers and other packets: both opinions together make no attack of what
//! is not nearly one without them. And whoever floods can send what looks usual from where others come: they do not excuse
//! what is well above an attack without them.

use alloc::format;

use crate::evidence::{Evidence, Terms};
use crate::usual::{Likeness, Novelty};

/// What unlike packets weigh at most, and packets like the usual ones.
const SHAPE: (f64, f64) = (1.5, -1.0);
/// What strangers weigh at most, and visitors from where all come from.
const ORIGIN: (f64, f64) = (1.0, -0.75);
/// Nats a source up to which packets are like the usual ones; from which they are unlike them; and where they are as unlike as
/// counts.
const DISTANCES: (f64, f64, f64) = (0.2, 0.6, 2.0);

/// What both opinions together weigh at most, either way.
pub const OPINIONS: (f64, f64) = (SHAPE.0 + ORIGIN.0, SHAPE.1 + ORIGIN.1);

pub(super) fn judge(e: &Evidence, terms: &mut Terms) {
    if let Some(likeness) = &e.likeness {
        shape(likeness, terms);
    }
    if let Some(novelty) = &e.novelty {
        origin(novelty, terms);
    }
}

fn shape(l: &Likeness, terms: &mut Terms) {
    let (like, unlike, most) = DISTANCES;
    let sources = l.sources;
    if l.distance > unlike {
        let weight = SHAPE.0 * ((l.distance - unlike) / (most - unlike)).min(1.0) * l.sure;
        let (share, usual) = (l.share.0 * 100.0, l.share.1 * 100.0);
        let what = &l.most;
        let text = format!(
            "packets of {sources} sources are unlike what is usual here: {what} {share:.0} %, usually {usual:.0} %"
        );
        terms.say(weight, text);
    } else if l.distance < like {
        let weight = SHAPE.1 * (1.0 - l.distance / like) * l.sure;
        terms.say(weight, format!("packets of {sources} sources are like what is usual here"));
    } else {
        let text = format!("packets of {sources} sources are neither like nor unlike what is usual here");
        terms.say(0.0, text);
    }
}

fn origin(n: &Novelty, terms: &mut Terms) {
    // What is told with one decimal is no more than that.
    let weight = if n.evidence.abs() < 0.05 { 0.0 } else { n.evidence.clamp(ORIGIN.1, ORIGIN.0) };
    let (share, usual) = (n.share * 100.0, n.usual * 100.0);
    terms.say(
        weight,
        format!(
            "{share:.0} % of {} sources come from networks not seen here before; usually {usual:.0} %",
            n.sources
        ),
    );
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::evidence::{self, ATTACK};

    fn terms(distance: f64, evidence: f64) -> f64 {
        let likeness =
            Likeness { sources: 100, distance, sure: 1.0, most: "payload".to_string(), share: (1.0, 0.1) };
        let mut terms = Terms::default();
        shape(&likeness, &mut terms);
        origin(&Novelty { sources: 100, share: 1.0, usual: 0.1, evidence }, &mut terms);
        evidence::sum(&terms.0)
    }

    #[test]
    fn second_opinions_neither_make_an_attack_nor_excuse_one_alone() {
        let (most, least) = (terms(50.0, 50.0), terms(0.0, -50.0));
        assert_eq!((most, least), OPINIONS);
        // Volume and a hundred sources alone, and a flood that nothing answers.
        assert!(most < ATTACK / 3.0 && least > -ATTACK / 5.0);
        assert_eq!(terms(0.4, 0.0), 0.0);
    }
}
