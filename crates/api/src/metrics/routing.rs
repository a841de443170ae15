//! Numbers of the BGP speaker and of the desk that tells it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Absorber, Page, Told, absorber};

/// Routers that are spoken with, and what they are told.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// One entry per router, from the start.
    pub routers: Vec<Router>,
    /// Mitigations by (class, state).
    pub mitigations: BTreeMap<(&'static str, &'static str), u64>,
    /// Whether the panic button holds.
    pub frozen: bool,
    /// Orders that were refused.
    pub refused: u64,
    /// Routes that a router did not take.
    pub announce_errors: u64,
    /// Writes to the journal that failed.
    pub journal_errors: u64,
    /// Mitigations withdrawn because the decision core gave no sign of life.
    pub dead_man: u64,
    /// Mitigations withdrawn because the service did worse since.
    pub harmful: u64,
    /// Targets that the plan for all attacks gives up.
    pub sacrificed: u64,
    /// The last fire drills.
    pub drills: Vec<Drill>,
    /// What routers and RPKI caches tell.
    pub told: Told,
    /// One entry per absorber that is spoken with.
    pub absorbers: Vec<Absorber>,
}

/// The last fire drill of a kind.
#[derive(Clone, Debug)]
pub struct Drill {
    /// At which router.
    pub peer: String,
    /// Which kind of announcement.
    pub class: &'static str,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// `passed`, `taken`, `sent` or `failed`.
    pub result: &'static str,
    /// When it was over.
    pub at: base::Timestamp,
}

/// One router.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// Its name in the configuration.
    pub name: String,
    /// Whether its session is up.
    pub up: bool,
    /// Sessions that came up.
    pub ups: u64,
    /// Routes by state: wanted, held, unproven, quarantined.
    pub routes: Vec<(&'static str, u64)>,
    /// Mitigations that hold there, by class.
    pub announcements: Vec<(&'static str, u64)>,
}

impl Routing {
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    pub(super) fn encode(&self, out: &mut Page<'_>) -> fmt::Result {
        let peer = |router: &Router| vec![("peer", router.name.clone())];
        let up = self.routers.iter().map(|router| (peer(router), f64::from(u8::from(router.up))));
        out.gauges("spillway_bgp_peer_up", "1 while the session is up", up.collect())?;
        let ups = self.routers.iter().map(|router| (peer(router), router.ups));
        out.counters("spillway_bgp_sessions", "Sessions that came up", ups.collect())?;
        let (mut routes, mut announcements) = (Vec::new(), Vec::new());
        for router in &self.routers {
            for (state, count) in &router.routes {
                routes.push(([peer(router), vec![("state", (*state).to_owned())]].concat(), *count as f64));
            }
            for (kind, count) in &router.announcements {
                announcements
                    .push(([peer(router), vec![("kind", (*kind).to_owned())]].concat(), *count as f64));
            }
        }
        out.gauges("spillway_bgp_routes", "Routes: wanted, held, held but unproven, quarantined", routes)?;
        out.gauges("spillway_bgp_announcements", "Mitigations that hold at a router", announcements)?;
        let mitigations = self.mitigations.iter().map(|((class, state), count)| {
            (vec![("class", (*class).to_owned()), ("state", (*state).to_owned())], *count as f64)
        });
        out.gauges("spillway_mitigations", "Mitigations in the book", mitigations.collect())?;
        out.gauge(
            "spillway_mitigations_frozen",
            "1 since the panic button, until things may begin again",
            f64::from(u8::from(self.frozen)),
        )?;
        let help = "Targets that the plan for all attacks gives up, so that others live";
        out.gauge("spillway_sacrificed_targets", help, self.sacrificed as f64)?;
        let drills = self.drills.iter().map(|drill| {
            let labels = vec![
                ("peer", drill.peer.clone()),
                ("class", drill.class.to_owned()),
                ("family", drill.family.to_owned()),
                ("result", drill.result.to_owned()),
            ];
            (labels, drill.at.nanos() as f64 / 1e9)
        });
        out.gauges(
            "spillway_drill_timestamp_seconds",
            "When the last fire drill of a kind was over; only `passed` proves that it acts",
            drills.collect(),
        )?;
        for (name, help, count) in [
            ("spillway_route_orders_refused", "Orders about routes that were refused", self.refused),
            ("spillway_route_announce_errors", "Routes that a router did not take", self.announce_errors),
            (
                "spillway_route_journal_errors",
                "Writes to the journal of mitigations that failed",
                self.journal_errors,
            ),
            (
                "spillway_route_dead_man",
                "Mitigations withdrawn because the decision core gave no sign of life",
                self.dead_man,
            ),
            (
                "spillway_route_harmful",
                "Mitigations withdrawn because the service did worse since they were in force",
                self.harmful,
            ),
        ] {
            out.counters(name, help, vec![(Vec::new(), count)])?;
        }
        absorber::encode(&self.absorbers, out)?;
        self.told.encode(out)
    }
}
