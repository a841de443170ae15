//! Documents to plan, each from its seed: attacks of log-uniform sizes over a few entries, absorbers for a part of them.

use sim::rng::Rng;
use steer::planner::{Absorber, Attack, Document, Entry, Filter, Target};

/// How large a document is: targets, entries, absorbers.
pub(crate) type Size = (u32, u32, u32);

/// What values have to do with sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Family {
    /// Nothing; attacks from 30 Mbps to 50 Gbps.
    Free,
    /// Nothing; attacks between 0.1 and 10 Gbps.
    Even,
    /// A target is worth what its attack is large: the hard ones.
    Proportional,
    /// All targets are worth the same.
    Equal,
}

/// All of them, with their names.
pub(crate) const FAMILIES: [(Family, &str); 4] = [
    (Family::Free, "free"),
    (Family::Even, "even sizes"),
    (Family::Proportional, "value as size"),
    (Family::Equal, "equal values"),
];

/// `lo · (hi / lo)^u`.
fn log_uniform(rng: &mut Rng, lo: f64, hi: f64) -> f64 {
    lo * (hi / lo).powf(rng.unit())
}

fn between(rng: &mut Rng, lo: f64, hi: f64) -> f64 {
    lo + (hi - lo) * rng.unit()
}

fn one_of(rng: &mut Rng, choices: [f64; 3]) -> f64 {
    let [a, b, c] = choices;
    match rng.below(3) {
        0 => a,
        1 => b,
        _ => c,
    }
}

fn filter(rng: &mut Rng, at: u32) -> Filter {
    let some = between(rng, 0.3, 0.99);
    let removes = one_of(rng, [some, 0.95, 1.0]);
    let little = 0.3 * rng.unit();
    let collateral = one_of(rng, [0.0, 0.001, little]);
    Filter { id: format!("r{at}"), removes, collateral }
}

/// The document of this seed.
pub(crate) fn world(seed: u64, (targets, entries, absorbers): Size, family: Family) -> Document {
    let mut rng = Rng::part(seed, u64::from(targets));
    let mut document = Document::default();
    let mut total = 0.0;
    for at in 0..targets {
        let text = match at % 2 {
            0 => format!("10.{}.{}.1/32", at >> 8, at & 255),
            _ => format!("2001:db8::{at:x}/128"),
        };
        let prefix = text.parse().expect("a prefix");
        let size = match family {
            Family::Even => between(&mut rng, 1e8, 1e10),
            _ => log_uniform(&mut rng, 3e7, 5e10),
        };
        let value = match family {
            Family::Proportional => size / 1e9 + 1.0,
            Family::Equal => 1.0,
            _ => between(&mut rng, 0.1, 10.0),
        };
        let several = rng.range(1, entries.min(3));
        let count = if rng.chance(0.6) { 1 } else { several };
        let legit = log_uniform(&mut rng, 1e6, 1e9);
        let mut names: Vec<u32> = (0..entries).collect();
        for _ in 0..count {
            let drawn = usize::try_from(rng.below(names.len() as u64)).unwrap_or(0);
            let bps = size * between(&mut rng, 0.3, 1.0) / f64::from(count);
            let octets = one_of(&mut rng, [64.0, 300.0, 1200.0]);
            let most = rng.below(4);
            let rules = if rng.chance(0.2) { 0 } else { u32::try_from(most).unwrap_or(0) };
            total += bps;
            document.attacks.push(Attack {
                target: prefix,
                entry: format!("e{}", names.remove(drawn)),
                bps: bps.round(),
                pps: (bps / 8.0 / octets).round(),
                legit_bps: (legit / f64::from(count)).round(),
                absorbers: None,
                rules: (0..rules).map(|at| filter(&mut rng, at)).collect(),
            });
        }
        let max_bps = rng.chance(0.5).then(|| (legit * between(&mut rng, 1.0, 20.0)).round());
        let max_pps = rng.chance(0.2).then(|| log_uniform(&mut rng, 1e4, 1e7).round());
        document.targets.push(Target { prefix, value, max_bps, max_pps });
    }
    let each = f64::from(entries);
    let slots = (document.attacks.len() as f64 * one_of(&mut rng, [0.1, 0.3, 0.6]) / each).max(1.0).floor();
    let width = one_of(&mut rng, [0.05, 0.2, 0.5]);
    let capacity = between(&mut rng, 0.1, 0.5) * total / f64::from(absorbers);
    for at in 0..entries {
        document.entries.push(Entry {
            name: format!("e{at}"),
            link_bps: Some((total / each * width).round()),
            flowspec_slots: Some(slots),
        });
    }
    for at in 0..absorbers {
        document.absorbers.push(Absorber {
            name: format!("a{at}"),
            capacity_bps: Some((capacity * between(&mut rng, 0.5, 1.5)).round()),
            capacity_pps: Some((capacity / 8.0 / 200.0 * between(&mut rng, 0.5, 2.0)).round()),
            cost_per_gbps: 5.0 * rng.unit(),
            reaches: (0..entries).filter(|_| rng.chance(0.8)).map(|e| format!("e{e}")).collect(),
        });
    }
    document
}
