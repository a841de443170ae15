//! What others tell us beside their sessions: RPKI caches, monitored routers, and the routes of neighbours with `learn`.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use api::metrics;
use base::Prefix;
use steer::ownership::{Ownership, Vrps};

use super::desk::Setup;
use super::order::{Cache, Origin, Status};
use super::{Learned, Monitor, Rpki};

/// Everything that tells.
#[derive(Debug)]
pub(super) struct Views {
    learned: Arc<Learned>,
    monitor: Option<Monitor>,
    rpki: Option<Rpki>,
    /// What the rails were last told that the caches say.
    vrps: Option<Arc<Vrps>>,
    told: bool,
}

impl Views {
    /// Listens and asks, as the configuration has it.
    pub(super) fn start(setup: &Setup, learned: Arc<Learned>) -> anyhow::Result<Self> {
        learned.with(|routes| routes.look_for(setup.neighbours.iter().copied()));
        let monitor = |address| {
            Monitor::start(address, learned.clone())
                .with_context(|| format!("cannot listen for BMP at {address} (`listen.bmp`)"))
        };
        let monitor = setup.bmp.map(monitor).transpose()?;
        if let Some(monitor) = &monitor {
            tracing::info!(address = %monitor.address(), "monitored routers are listened to (BMP)");
        }
        let rpki = setup.routing.rpki.as_ref().map(|rpki| Rpki::start(&rpki.caches));
        let rpki = rpki.transpose().context("cannot start to ask RPKI caches")?;
        Ok(Self { learned, monitor, rpki, vrps: None, told: false })
    }

    /// Where neighbours with `learn` tell.
    pub(super) fn learned(&self) -> Arc<Learned> {
        self.learned.clone()
    }

    /// What the rails are to ask from now on; `None`: nothing changed.
    pub(super) fn ownership(&mut self, setup: &Setup) -> Option<Ownership> {
        let (rpki, asked) = (self.rpki.as_ref()?, setup.routing.rpki.as_ref()?);
        let vrps = rpki.vrps();
        let same = match (&self.vrps, &vrps) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if self.told && same {
            return None;
        }
        if self.told || vrps.is_some() {
            tracing::info!(
                payloads = vrps.as_ref().map(|vrps| vrps.len()),
                "what the RPKI tells has changed"
            );
        }
        self.told = true;
        self.vrps.clone_from(&vrps);
        let (strict, blackholes_unvalidated) = (asked.strict, asked.blackholes_unvalidated);
        Some(Ownership { vrps, asn: setup.routing.asn, strict, blackholes_unvalidated })
    }

    /// How they are.
    pub(super) fn status(&self) -> Status {
        let knowledge = self.learned.knowledge();
        let cache = |one: super::rpki::CacheStatus| Cache {
            address: one.address.to_string(),
            payloads: one.payloads,
            faults: one.faults,
        };
        let heard = self.monitor.as_ref().map(Monitor::heard).unwrap_or_default();
        Status {
            caches: self.rpki.iter().flat_map(Rpki::status).map(cache).collect(),
            bmp: self.monitor.as_ref().map(|monitor| monitor.address().to_string()),
            routers: heard.routers,
            faults: heard.faults,
            turned_away: heard.turned_away,
            prefixes: knowledge.prefixes,
            left_out: knowledge.left_out,
            damaged: knowledge.damaged,
            whole_ipv4: knowledge.whole.0,
            whole_ipv6: knowledge.whole.1,
        }
    }

    /// What is known of an address.
    pub(super) fn origin(&self, address: IpAddr) -> Origin {
        let found = self.learned.origin(address);
        Origin {
            address: address.to_string(),
            prefix: found.prefix.map(|prefix| prefix.to_string()),
            origins: found.origins,
            routed: found.routed,
        }
    }

    /// Whether somebody tells routes at all.
    pub(super) fn any(&self) -> bool {
        self.learned.knowledge().prefixes > 0
            || self.monitor.as_ref().is_some_and(|one| one.heard().routers > 0)
    }

    /// Whether somebody tells exactly this prefix.
    pub(super) fn tells(&self, prefix: Prefix) -> bool {
        self.learned.with(|routes| routes.knows(prefix))
    }

    /// Numbers for `/metrics`.
    pub(super) fn numbers(&self) -> metrics::Told {
        let status = self.status();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let cache = |one: Cache| (one.address, one.payloads.map(count), one.faults);
        metrics::Told {
            prefixes: count(status.prefixes),
            left_out: status.left_out,
            damaged: status.damaged,
            routers: self.monitor.as_ref().map(|_| count(status.routers)),
            faults: status.faults,
            turned_away: status.turned_away,
            caches: status.caches.into_iter().map(cache).collect(),
        }
    }
}
