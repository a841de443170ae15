//! A bound for documents so large that prices for each absorber cannot be found in time: all absorbers as one.
//!
//! Whatever goes to absorbers one by one goes to a pool with the room of all of them, at the least of their costs, from every
//! entry that reaches any. So no plan of the document has more profit than the pool's bound (Lagrange over less), and what the
//! pool's room is worth is where the search for each absorber's price begins.

use super::dual::Dual;
use super::model::Model;
use super::room::{Room, at};
use super::work::Work;

/// Looks at all ways of a document; fewer of them than this within the work for prices, and the pool comes first.
const LOOKS_MIN: usize = 160;
/// Hundredths of the work for prices that the pool's get.
const SHARE: usize = 80;
/// Beginnings that are tried, each half as high as the last, and which part of the first bound the highest is: there are many limits.
const BEGINNINGS: usize = 4;
const HIGHEST: f64 = 8.0;
/// The first rounds, which move prices by factors.
const BARGAINS: usize = 24;
/// Rounds at most.
const ROUNDS_MAX: usize = 200;

/// The pool's bound, and prices for the document to begin with; `None`: the document is small enough to do without.
pub(super) fn pooled(model: &Model, known: f64, work: &mut Work) -> Option<(f64, Room)> {
    let few = model.room.bps.len() < 2;
    if few || work.left() / size(model).max(1) >= LOOKS_MIN {
        return None;
    }
    let pool = pool(model);
    let dual = work.part(SHARE, |work| {
        let mut dual = Dual::new(&pool, work);
        dual.begin_below(&pool, HIGHEST, BEGINNINGS, work);
        for round in 0..ROUNDS_MAX {
            if work.is_spent() {
                break;
            }
            if round < BARGAINS {
                dual.bargain(&pool, round, work);
            } else {
                if round == BARGAINS {
                    dual.go_back();
                }
                dual.improve(&pool, known, work);
            }
        }
        dual
    });
    let all = model.room.bps.len();
    let each = |of: &[f64]| vec![of.first().copied().unwrap_or_default(); all];
    let Room { link, slots, bps, pps } = &dual.prices;
    let prices = Room { link: link.clone(), slots: slots.clone(), bps: each(bps), pps: each(pps) };
    Some((dual.bound, prices))
}

/// Looks at single ways that one look at all targets takes.
fn size(model: &Model) -> usize {
    let parts = model.goals.iter().flat_map(|goal| &goal.parts);
    parts.map(|part| part.open.len() + part.diverted.len() * part.reach.len()).sum()
}

fn pool(model: &Model) -> Model {
    let mut pool = model.clone();
    for part in pool.goals.iter_mut().flat_map(|goal| &mut goal.parts) {
        // What no absorber takes by itself the pool does not take either.
        let reach = &part.reach;
        part.diverted.retain(|one| {
            let takes =
                |k: &usize| one.received <= at(&model.room.bps, *k) && one.pps <= at(&model.room.pps, *k);
            reach.iter().any(takes)
        });
        part.reach.truncate(1);
        part.reach.iter_mut().for_each(|absorber| *absorber = 0);
    }
    pool.room.bps = vec![model.room.bps.iter().sum()];
    pool.room.pps = vec![model.room.pps.iter().sum()];
    pool.limits = Room::default();
    pool.costs = vec![model.costs.iter().copied().fold(f64::INFINITY, f64::min)];
    pool
}
