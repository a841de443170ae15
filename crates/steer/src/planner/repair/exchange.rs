//! Two parts change absorbers: where all of them are nearly full, none can move by itself.

use super::{Move, Trial};
use crate::planner::model::{Load, Part, Way};
use crate::planner::work::Work;

/// A part that goes to an absorber.
struct Diverted<'a> {
    goal: usize,
    part: usize,
    is: &'a Part,
    /// Its set of rules, and the absorber.
    rules: usize,
    absorber: usize,
    load: &'a Load,
}

impl Diverted<'_> {
    fn to(&self, absorber: usize) -> (usize, usize, Way) {
        (self.goal, self.part, Way::Diverted(self.rules, absorber))
    }
}

impl Trial<'_> {
    /// Offers all pairs of which one is where this limit is exceeded; what that changes, and the move.
    pub(super) fn exchange(
        &self,
        limit: usize,
        step: usize,
        work: &mut Work,
        offer: &mut dyn FnMut(f64, Move),
    ) {
        if limit < 2 * self.draft.room.link.len() {
            return;
        }
        let spare = self.draft.profit - self.known;
        let all = self.diverted(step);
        let (here, there): (Vec<&Diverted<'_>>, Vec<_>) =
            all.iter().partition(|one| self.loads_limit(one.load, limit));
        work.spend(self.size + here.len() * there.len());
        for one in here {
            for other in &there {
                let (from, to) = (one.absorber, other.absorber);
                if from == to || !one.is.reach.contains(&to) || !other.is.reach.contains(&from) {
                    continue;
                }
                let (bps, pps) = (one.load.received - other.load.received, one.load.pps - other.load.pps);
                let change = self.absorbs(from, -bps, -pps) + self.absorbs(to, bps, pps);
                let cost = |k: usize| self.model.costs.get(k).copied().unwrap_or_default();
                let lost = bps * (cost(to) - cost(from));
                if lost < spare {
                    offer(change + self.loss(lost), Move::Exchange(one.to(to), other.to(from)));
                }
            }
        }
    }

    /// All that may move at this step.
    fn diverted(&self, step: usize) -> Vec<Diverted<'_>> {
        let mut all = Vec::new();
        let each = self.model.goals.iter().zip(&self.draft.kept).zip(self.loads.iter().zip(&self.stays));
        for (goal, ((target, ways), (loads, stays))) in each.enumerate() {
            let parts = target.parts.iter().zip(ways.iter().flatten()).zip(loads.iter().zip(stays));
            for (part, ((is, way), (load, until))) in parts.enumerate() {
                if let Way::Diverted(rules, absorber) = *way
                    && *until <= step
                {
                    all.push(Diverted { goal, part, is, rules, absorber, load });
                }
            }
        }
        all
    }
}
