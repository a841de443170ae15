//! The price where few honest packets of the victim itself were seen: what hosts like it receive speaks for it.
//!
//! An empirical Bayes estimate (Robbins 1956). Each kind of host gives a beta distribution of the share that is hit, no surer
//! than [`SURE_MAX`] observations make it; the kinds' weights say how likely the victim is of each. What was seen of the victim
//! itself then moves both: kinds that do not agree with it lose their weight, and one that is like no other gains it, so that a
//! victim unlike its kin is priced by its own packets alone. The bound is that of the mixture.

use alloc::vec::Vec;

use super::{Collateral, Crowd, Share, Trials, beta};

/// A kind of host that the victim may be of.
#[derive(Clone, Debug)]
pub struct Kin {
    /// How likely the victim is of this kind, in any unit.
    pub weight: f64,
    /// What such hosts receive.
    pub crowd: Crowd,
}

/// Hosts of a kind are alike, but not the same: no more observations of others than this are believed.
const SURE_MAX: f64 = 2000.0;
/// Observations that a kind borrows from all kinds together, where they do not differ.
const LENT: f64 = 450.0;
/// How likely it is from the outset that a victim is like no other.
const UNLIKE: f64 = 0.005;

/// The price of what hit these; `None` when nothing was counted at all. Without kin it is [`Crowd::collateral`].
pub fn pooled(own: &Crowd, kin: &[Kin]) -> Option<Collateral> {
    let kin: Vec<(f64, [Trials; 3])> =
        kin.iter().filter(|k| k.weight > 0.0).filter_map(|k| Some((k.weight, k.crowd.trials()?))).collect();
    if kin.is_empty() {
        return own.collateral();
    }
    let own = own.trials().unwrap_or_default();
    let [packets, bytes, peers] = own;
    let of = |own: Trials, part: usize| {
        let kin: Vec<(f64, Trials)> =
            kin.iter().filter_map(|(weight, parts)| Some((*weight, *parts.get(part)?))).collect();
        share(own, &kin)
    };
    Some(Collateral { packets: of(packets, 0), bytes: of(bytes, 1), peers: of(peers, 2) })
}

/// One kind's distribution, and its part in the mixture, at first as a logarithm.
#[derive(Clone, Copy, Debug)]
struct Part {
    weight: f64,
    a: f64,
    b: f64,
    estimate: f64,
}

fn share(own: Trials, kin: &[(f64, Trials)]) -> Share {
    let mut all = Trials::default();
    for (_, of_kin) in kin {
        all.hit += of_kin.hit;
        all.all += of_kin.all;
    }
    let total: f64 = kin.iter().map(|(weight, _)| weight).sum();
    let mut parts: Vec<Part> = kin
        .iter()
        .map(|(weight, of_kin)| {
            let known = surest(lent(*of_kin, all));
            part((1.0 - UNLIKE) * weight / total, (known.hit + 1.0, known.all - known.hit), known, own)
        })
        .collect();
    parts.push(part(UNLIKE, (1.0, 1.0), Trials::default(), own));
    // The likelihoods of many packets are too small for a number, but not their ratios.
    let best = parts.iter().map(|part| part.weight).fold(f64::NEG_INFINITY, f64::max);
    parts.iter_mut().for_each(|part| part.weight = libm::exp(part.weight - best));
    let sum: f64 = parts.iter().map(|part| part.weight).sum();
    let estimate = parts.iter().map(|part| part.weight * part.estimate).sum::<f64>() / sum;
    let beyond = |x: f64| parts.iter().map(|p| p.weight * beta::beyond(x, p.a, p.b)).sum::<f64>() / sum;
    let (mut low, mut high) = (0.0, 1.0);
    // To a millionth: a bound needs no more.
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        if beyond(middle) > beta::DOUBT {
            low = middle;
        } else {
            high = middle;
        }
    }
    Share { estimate: estimate.min(high), upper95: high }
}

/// What was seen of the victim itself moves a distribution and its weight.
fn part(weight: f64, (a, b): (f64, f64), known: Trials, own: Trials) -> Part {
    let b = b.max(0.5);
    let missed = own.all - own.hit;
    let agrees = beta::ln(a + own.hit, b + missed) - beta::ln(a, b);
    let both = Trials { hit: known.hit + own.hit, all: known.all + own.all };
    Part { weight: libm::log(weight) + agrees, a: a + own.hit, b: b + missed, estimate: both.estimate() }
}

/// A kind of which little was seen, with what all kinds together show, unless it differs from them.
fn lent(kind: Trials, all: Trials) -> Trials {
    let others = Trials { hit: all.hit - kind.hit, all: all.all - kind.all };
    let share = others.estimate();
    let noise = libm::sqrt(kind.all * share * (1.0 - share));
    if libm::fabs(kind.hit - kind.all * share) > 2.0 * noise + 1.0 {
        return kind;
    }
    let more = others.all.min(LENT);
    Trials { hit: kind.hit + share * more, all: kind.all + more }
}

fn surest(seen: Trials) -> Trials {
    let factor = (SURE_MAX / seen.all.max(1.0)).min(1.0);
    Trials { hit: factor * seen.hit, all: factor * seen.all }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(hit: u32, all: u32) -> Crowd {
        let mut tally = crate::collateral::Tally::default();
        for i in 0..all {
            tally.add_by(i < hit, u128::from(i), 1000, 500_000);
        }
        tally.crowd()
    }

    fn kin(weight: f64, hit: u32, all: u32) -> Kin {
        Kin { weight, crowd: tally(hit, all) }
    }

    fn bound(own: (u32, u32), kin: &[Kin]) -> f64 {
        pooled(&tally(own.0, own.1), kin).unwrap().packets.upper95
    }

    #[test]
    fn without_kin_it_is_the_bound_of_clopper_and_pearson() {
        assert_eq!(pooled(&tally(1, 20), &[]), tally(1, 20).collateral());
        assert_eq!(pooled(&Crowd::default(), &[]), None);
        assert_eq!(pooled(&Crowd::default(), &[kin(1.0, 0, 0)]), None);
    }

    #[test]
    fn kin_that_agree_make_the_bound_tight() {
        let alone = bound((0, 28), &[]);
        assert!(alone > 0.1, "{alone}");
        let with_kin = bound((0, 28), &[kin(1.0, 0, 900)]);
        assert!(with_kin < 0.005, "{with_kin}");
        let unseen = bound((0, 0), &[kin(1.0, 0, 900)]);
        assert!(unseen > with_kin && unseen < 0.01, "{unseen}");
    }

    #[test]
    fn a_victim_unlike_its_kin_is_priced_by_itself() {
        let found = pooled(&tally(20, 60), &[kin(1.0, 0, 900)]).unwrap().packets;
        let alone = tally(20, 60).collateral().unwrap().packets;
        assert!((found.estimate - alone.estimate).abs() < 0.02, "{found:?}");
        assert!((found.upper95 - alone.upper95).abs() < 0.02, "{found:?} {alone:?}");
        let many = bound((2000, 8000), &[kin(0.5, 0, 900), kin(0.5, 1, 3)]);
        assert!((0.25..0.27).contains(&many), "{many}");
    }

    #[test]
    fn a_victim_of_unknown_kind_is_priced_as_the_dearer_one() {
        let kinds = [kin(0.6, 0, 500), kin(0.4, 200, 500)];
        assert!(bound((0, 0), &kinds) > 0.4);
        // Its own packets tell of which kind it is.
        assert!(bound((0, 30), &kinds) < 0.01);
        assert!(bound((12, 30), &kinds) > 0.4);
    }

    /// Victims drawn from two kinds, each seen a little: the bound holds in nineteen cases of twenty.
    #[test]
    fn the_bound_holds_as_often_as_it_says() {
        let mut state = 7u64;
        let mut draw = move |share: f64, n: u32| {
            (0..n).fold(0, |hit, _| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                hit + u32::from((state >> 11) as f64 / (1u64 << 53) as f64 <= share)
            })
        };
        let mut broken = 0;
        for world in 0..400 {
            let shares = [0.002, 0.03];
            let kinds: Vec<Kin> = shares.iter().map(|s| kin(0.5, draw(*s, 300), 300)).collect();
            let real = shares[world % 2];
            broken += u32::from(bound((draw(real, 5), 5), &kinds) < real);
        }
        assert!(broken <= 20, "{broken} of 400");
    }
}
