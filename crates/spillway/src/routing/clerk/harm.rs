//! What makes a service worse is withdrawn, whoever asked for it, and the ladder does not begin it again.

use steer::book::Stage;

use super::Clerk;
use crate::routing::auto::Auto;
use crate::routing::lookout::Sight;
use crate::routing::order::{Caller, Order};

impl Clerk {
    /// Looks how services do since measures are in force.
    pub(super) fn end_harm(&mut self, auto: &mut Auto, sight: &Sight) {
        let active = self.book.all().filter(|one| one.stage == Stage::Active);
        let in_force = active.filter_map(|one| Some((one.id, one.started?, &one.wish.what)));
        let checkups = self.wards.follow(in_force, sight);
        auto.lookout.check_up(checkups);
        let stopped = |target: &base::Prefix| auto.is_stopped(target);
        for harm in self.wards.handle(sight.now, &sight.health, stopped) {
            tracing::error!(mitigation = harm.id, why = harm.reason, "withdrawn");
            self.counts.harmful += 1;
            auto.harmed(sight, &harm.what, &harm.reason);
            // What the journal does not have of it, it says by itself; the routers are told all the same.
            let _ = self.take(&Caller::Engine, Order::Withdraw { id: harm.id, reason: harm.reason });
        }
    }
}
