//! What the configuration says to the ladder.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::{Prefix, Span};
use engine::Mode;
use steer::hold;
use steer::ladder::{self, Step};

use crate::config::{Config, Ladder};
use crate::policy::Desk;

/// What the ladder goes by.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// `[routing.ladder]`.
    pub(super) ladder: Ladder,
    /// There is such a section; without it nothing is done by itself.
    pub(crate) climbs: bool,
    /// How far to go for whom.
    policy: Desk,
    /// This machine filters.
    pub(super) filters: bool,
    price_max: f64,
    blind: bool,
    /// How long an announcement holds unless it is renewed.
    pub(super) lease: Span,
    /// Routers that act: peers, and exporters at links.
    routers: BTreeSet<IpAddr>,
    behind: BTreeSet<IpAddr>,
}

impl Terms {
    /// As the configuration has it; `locals` are the addresses under which this machine's interfaces are heard. `None`:
    /// no routers are spoken with.
    pub(crate) fn of(config: &Config, locals: impl Iterator<Item = IpAddr>) -> Option<Self> {
        let routing = config.routing.as_ref()?;
        let climbs = routing.ladder.is_some();
        let ladder = routing.ladder.clone().unwrap_or_else(Ladder::idle);
        let routers = routing.routers.iter().map(|router| router.address.ip());
        let ends = ladder.links.iter().flat_map(|link| link.exporters.iter().copied());
        Some(Self {
            routers: routers.chain(ends).collect(),
            behind: ladder.behind.iter().copied().chain(locals).collect(),
            policy: {
                let policy = Desk::default();
                policy.adapt(config, 0);
                policy
            },
            filters: !config.dataplane.interfaces.is_empty(),
            price_max: config.dataplane.collateral_max,
            blind: config.dataplane.blind,
            lease: routing.lease,
            ladder,
            climbs,
        })
    }

    /// Time that an announcement takes to act and to be seen.
    pub(crate) const fn settle(&self) -> Span {
        self.ladder.settle
    }

    /// The same, under what people decide while the daemon runs.
    #[must_use]
    pub(crate) fn under(mut self, policy: &Desk) -> Self {
        self.policy = policy.clone();
        self
    }

    /// What holds for whom now.
    pub(in crate::routing) fn view(&self) -> crate::policy::View {
        self.policy.now()
    }

    /// Nothing is done for a target, and what was done by itself ends.
    pub(super) fn observes(&self, target: &Prefix) -> bool {
        self.policy.now().mode(target) == Mode::Observe
    }

    /// Why a step is not taken for a target, where a person took it back.
    pub(super) fn taken_back(&self, target: &Prefix, step: Step) -> Option<String> {
        let view = self.policy.now();
        let held = view.step_back(target, step.class()?.as_str())?;
        let end = held.end().map_or_else(|| "somebody ends it".to_owned(), |end| end.to_string());
        Some(format!("a person took it back: exception {} holds until {end}", held.id))
    }

    /// How long things are held.
    pub(super) fn hold(&self) -> hold::Settings {
        let first = self.ladder.hold;
        let default = hold::Settings::default();
        hold::Settings { first, longest: self.ladder.hold_max, probe: default.probe.min(first), ..default }
    }

    /// What may be done for a target, but for what approvals say.
    pub(in crate::routing) fn policy(&self, target: &Prefix) -> ladder::Policy {
        let allowed = self.ladder.steps_for(target);
        let customer = self.ladder.customer(target);
        let limit = customer.and_then(|customer| customer.mode);
        let mode = plain(self.policy.now().mode(target)).min(limit.map_or(ladder::Mode::Enforce, plain));
        ladder::Policy {
            steps: Step::ALL.map(|step| {
                let open = allowed.contains(&step) && self.taken_back(target, step).is_none();
                open.then_some(mode)
            }),
            price_max: self.price_max,
            blind: self.blind,
            ..ladder::Policy::default()
        }
    }

    /// The ways in at which an exporter is; one without a name where none is configured.
    pub(in crate::routing) fn entries(&self, exporter: IpAddr) -> Vec<Option<&str>> {
        let at =
            |link: &&crate::config::Link| link.exporters.is_empty() || link.exporters.contains(&exporter);
        match self.ladder.links.as_slice() {
            [] => vec![None],
            links => links.iter().filter(at).map(|link| Some(link.name.as_str())).collect(),
        }
    }

    /// Where an exporter looks, as packets go, and whether what it tells of their fate is of a router that acts.
    pub(super) fn place(&self, exporter: IpAddr, egress: bool) -> (steer::effect::Place, bool) {
        use steer::effect::Place;
        if self.behind.contains(&exporter) {
            (Place::Behind, false)
        } else if self.ladder.before.contains(&exporter) {
            (Place::Before, false)
        } else if !self.routers.contains(&exporter) {
            // What is missing there proves something; what is there does not.
            (Place::At, false)
        } else if egress {
            (Place::Behind, false)
        } else {
            (Place::At, true)
        }
    }
}

const fn plain(mode: Mode) -> ladder::Mode {
    match mode {
        Mode::Observe => ladder::Mode::Observe,
        Mode::Suggest => ladder::Mode::Suggest,
        Mode::Enforce => ladder::Mode::Enforce,
    }
}
