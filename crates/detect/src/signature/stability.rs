//! How much the answer hangs on the luck of the sample: the same search on resampled windows.

use alloc::vec::Vec;

use base::hash::Mixer;

use super::Request;
use super::arena::Arena;
use super::bits::Bits;
use super::cover::{self, Drop};
use super::row::{Row, Unknown, holds};
use super::work::{self, Work};

/// Resampled windows.
const RUNS: usize = 20;
/// Rows drawn of either kind: enough to see a rule, few enough for twenty searches in the time of one.
const DRAWN: usize = 128;
/// Two rule sets are the same when they drop nearly the same samples (intersection over union).
const ALIKE: f64 = 0.95;

/// Share of bootstrap runs whose rules drop the same samples as those found, of as many runs as the work lasts.
pub(crate) fn bootstrap(request: &Request<'_>, arena: &Arena, found: &[Drop]) -> f64 {
    if arena.attack.is_empty() {
        return 0.0;
    }
    let judges = draw(&arena.attack, RUNS);
    let reference = dropped(found, &judges);
    let (mut ran, mut alike) = (0u32, 0u32);
    for run in 0..RUNS {
        let mut attack = draw(&arena.attack, run);
        attack.sort_by_key(|r| (r.at, r.sample));
        let mut small = Arena::new(
            attack,
            (draw(&arena.benign, run), Vec::new()),
            request.collateral_max,
            arena.attack_share,
            Work::of(arena.work.left()),
        );
        small.flowspec = arena.flowspec;
        let found = cover::solve(request, &small).into_drops(request, &small);
        arena.work.set_left(small.work.left());
        // What was cut short is compared with nothing.
        if small.work.is_cut() {
            break;
        }
        arena.work.spend(judges.len() * found.len(), work::HOLDS);
        let again = dropped(&found, &judges);
        let union = again.or(&reference).count();
        ran += 1;
        alike += u32::from(union == 0 || again.count_and(&reference) as f64 >= ALIKE * union as f64);
    }
    f64::from(alike) / f64::from(ran.max(1))
}

fn dropped(found: &[Drop], rows: &[Row]) -> Bits {
    Bits::of(rows.len(), |i| {
        rows.get(i).is_some_and(|r| found.iter().any(|drop| holds(&drop.matches, r, Unknown::Misses)))
    })
}

/// Rows drawn with replacement, the same for the same run.
fn draw(rows: &[Row], run: usize) -> Vec<Row> {
    if rows.is_empty() {
        return Vec::new();
    }
    (0..DRAWN.min(rows.len()))
        .filter_map(|i| {
            let at = Mixer::new(run as u64).with(i as u64).finish() % rows.len() as u64;
            rows.get(usize::try_from(at).ok()?).copied()
        })
        .collect()
}
