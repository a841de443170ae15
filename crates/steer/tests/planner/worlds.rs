//! Documents of many shapes, each from its seed.

use sim::rng::Rng;
use steer::planner::{Absorber, Attack, Document, Entry, Filter, Target};

fn log_uniform(rng: &mut Rng, lo: f64, hi: f64) -> f64 {
    lo * (hi / lo).powf(rng.unit())
}

fn between(rng: &mut Rng, lo: u32, hi: u32) -> usize {
    rng.range(lo, hi) as usize
}

/// A maximum: none, zero, or about so much.
fn maximum(rng: &mut Rng, about: f64) -> Option<f64> {
    match rng.below(8) {
        0 => None,
        1 => Some(0.0),
        _ => Some(about * rng.unit() * 1.5),
    }
}

/// A share: often a plain one, also none and all.
fn share(rng: &mut Rng) -> f64 {
    match rng.below(6) {
        0 => 0.0,
        1 => 1.0,
        2 => 0.5,
        3 => 0.9,
        _ => rng.unit(),
    }
}

/// A document with so many targets, entries, absorbers and rules at most.
pub(crate) fn world(rng: &mut Rng, targets: u32, entries: u32, absorbers: u32, rules: u32) -> Document {
    let (n, e, k) = (between(rng, 1, targets), between(rng, 1, entries), between(rng, 0, absorbers));
    let unit = if rng.chance(0.1) { log_uniform(rng, 1e-6, 1e18) } else { 1e9 };
    let (equal_values, tight, pps_only) = (rng.chance(0.2), rng.chance(0.5), rng.chance(0.1));
    let scale = if tight { 0.4 } else { 1.2 };
    let mut document = Document::default();
    let mut total = 0.0;
    for i in 0..n {
        let text =
            if rng.chance(0.5) { format!("198.51.100.{i}/32") } else { format!("2001:db8::{i:x}/128") };
        let prefix = if n > 200 { format!("10.0.{}.{}/32", i / 256, i % 256) } else { text };
        let prefix = prefix.parse().unwrap();
        let value = match rng.below(8) {
            0 => 0.0,
            1 => log_uniform(rng, 1e-9, 1e9),
            _ if equal_values => 1.0,
            _ => log_uniform(rng, 1.0, 100.0),
        };
        let mut target = Target { prefix, value, max_bps: None, max_pps: None };
        let attacked = if rng.chance(0.1) { 0 } else { between(rng, 1, entries.min(3)) };
        let mut names: Vec<usize> = (0..e).collect();
        let mut sum = 0.0;
        for _ in 0..attacked.min(e) {
            let entry = names.remove(rng.below(names.len() as u64) as usize);
            let bps = if rng.chance(0.1) { 0.0 } else { unit * log_uniform(rng, 0.1, 20.0) };
            let legit_bps = if rng.chance(0.3) { 0.0 } else { unit * rng.unit() };
            let rules = (0..between(rng, 0, rules))
                .map(|j| Filter {
                    id: format!("r{j}"),
                    removes: share(rng),
                    collateral: share(rng) * rng.unit(),
                })
                .collect();
            let pps = bps / 8.0 / log_uniform(rng, 60.0, 1500.0);
            sum += bps + legit_bps;
            document.attacks.push(Attack {
                target: prefix,
                entry: format!("e{entry}"),
                bps,
                pps,
                legit_bps,
                rules,
                absorbers: None,
            });
        }
        if !pps_only && rng.chance(0.5) {
            target.max_bps = maximum(rng, sum);
        }
        if rng.chance(0.3) {
            target.max_pps = maximum(rng, sum / 8.0 / 300.0);
        }
        total += sum;
        document.targets.push(target);
    }
    for i in 0..e {
        document.entries.push(Entry {
            name: format!("e{i}"),
            link_bps: if pps_only { None } else { maximum(rng, scale * total / e as f64) },
            flowspec_slots: maximum(rng, 2.0 * n as f64 / e as f64).map(f64::floor),
        });
    }
    for i in 0..k {
        let pps = maximum(rng, scale * total / 8.0 / 300.0 / k as f64);
        let reaches = (0..e).filter(|_| rng.chance(0.7)).map(|j| format!("e{j}")).collect();
        document.absorbers.push(Absorber {
            name: format!("a{i}"),
            capacity_bps: if pps_only { None } else { maximum(rng, scale * total / k as f64) },
            capacity_pps: pps,
            cost_per_gbps: if rng.chance(0.4) { 0.0 } else { rng.unit() * 10.0 },
            reaches,
        });
    }
    document
}

/// The same document in another order.
pub(crate) fn shuffled(document: &Document, rng: &mut Rng) -> Document {
    fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
        for i in (1..list.len()).rev() {
            list.swap(i, rng.below(i as u64 + 1) as usize);
        }
    }
    let mut other = document.clone();
    shuffle(&mut other.targets, rng);
    shuffle(&mut other.entries, rng);
    shuffle(&mut other.absorbers, rng);
    shuffle(&mut other.attacks, rng);
    other.attacks.iter_mut().for_each(|attack| shuffle(&mut attack.rules, rng));
    other.absorbers.iter_mut().for_each(|absorber| shuffle(&mut absorber.reaches, rng));
    other
}
