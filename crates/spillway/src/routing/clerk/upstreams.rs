//! Upstreams that discard for us, beside other absorbers: what each has, its bound, and who comes by it.
//!
//! What one discards it tells nobody, so its load is not known, and is shown as that. The ladder takes blackholes as its last step
//! whatever stands here.

use steer::book::{Stage, What};
use steer::rails::Class;

use super::Clerk;
use super::show::Seen;
use crate::config::Router;
use crate::routing::order::{Absorber, AbsorberPrefix};

/// What stands for a load.
const UNKNOWN: &str = "what comes there is not known: it discards, and tells nobody how much";

impl Clerk {
    /// Neighbours of other networks that take blackholes, as absorbers.
    pub(super) fn upstreams(&self) -> Vec<Absorber> {
        let seen = Seen::of(self);
        let own = self.setup.routing.asn;
        let routers = self.setup.routing.routers.iter();
        let discards = |router: &&Router| router.asn != own && router.carries.contains(&Class::Blackhole);
        routers.filter(discards).map(|router| self.upstream(router, &seen)).collect()
    }

    fn upstream(&self, router: &Router, seen: &Seen) -> Absorber {
        let status = seen.status.get(&router.name);
        let is_up = status.is_some_and(|status| status.state == steer::bgp::step::State::Established);
        let unicast = |what: &What| matches!(what, What::Blackhole(_) | What::Diversion(_));
        let starts = |stage: &Stage| !matches!(stage, Stage::Proposed(_));
        let routes = self.book.all().filter(|one| starts(&one.stage) && unicast(&one.wish.what)).count();
        let own = self.setup.routing.limits.routes;
        // A neighbour's own bound counts all that it is told.
        let (mut most, mut left) = (own, own.saturating_sub(routes));
        if router.pacing.peer_limit > 0 {
            most = most.min(router.pacing.peer_limit);
            let told = status.map_or(0, |status| status.wanted);
            left = left.min(router.pacing.peer_limit.saturating_sub(told));
        }
        let here = self.book.all().filter(|one| {
            starts(&one.stage)
                && matches!(one.wish.what, What::Blackhole(_))
                && one.wish.neighbors.contains(&router.name)
        });
        let prefixes = here.map(|one| {
            let shown = self.document(one, seen);
            let at = shown.peers.into_iter().find(|at| at.peer == router.name);
            let (state, reason) = at.map_or_else(Default::default, |at| (at.state, at.reason));
            let (prefix, returns) = (shown.what, Some("none".to_owned()));
            AbsorberPrefix { prefix, state, reason, returns, ..AbsorberPrefix::default() }
        });
        let links = self.setup.routing.ladder.iter().flat_map(|ladder| &ladder.links);
        let by = links.filter(|link| link.peers.is_empty() || link.peers.contains(&router.name));
        Absorber {
            name: router.name.clone(),
            control: router.address.to_string(),
            state: if is_up { "up" } else { "down" }.to_owned(),
            reason: (!is_up).then(|| {
                let last = status.and_then(|status| status.last_down.clone());
                last.unwrap_or_else(|| "its session does not stand".to_owned())
            }),
            says: Some(format!("AS{}", router.asn)),
            kind: Some("upstream".to_owned()),
            prefixes_max: Some(most),
            prefixes_free: Some(left),
            links: by.map(|link| link.name.clone()).collect(),
            note: Some(UNKNOWN.to_owned()),
            prefixes: prefixes.collect(),
            ..Absorber::default()
        }
    }
}
