//! The configuration in layers: targets from the narrowest outwards, the customer, the whole installation; each before its profile.

use base::Prefix;
use engine::{Mode, Profile};

use super::allow::{Allowed, Ceiling};
use super::profile;
use super::values::{From, Kind};
use crate::config::target::{CustomerTerms, Target, Wishes};
use crate::config::{Config, Engine};

/// How many times what is usual is an attack, where nobody says it.
pub(crate) const MULTIPLE: f64 = 1.5;

/// What the configuration says of prefixes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The operator's own networks.
    pub(crate) networks: Vec<Prefix>,
    /// What nothing may cut.
    pub(crate) never: Vec<Prefix>,
    /// Allowed sources.
    pub(crate) allow: Vec<Allowed>,
    /// The ceiling of one of which nobody says how high it is.
    pub(crate) allow_ceiling: Ceiling,
    /// Filters of this machine hold ceilings.
    pub(crate) limits_held: bool,
    /// There are filters on this machine.
    pub(crate) filters: bool,
    /// Prefixes that absorbers filter, while they are led there.
    pub(crate) absorbed: Vec<Prefix>,
    /// Routers are spoken with.
    pub(crate) routers: bool,
    /// What could act, in words.
    pub(crate) enforcers: Vec<String>,
    /// Rules at one time.
    pub(crate) rules_max: usize,
    /// Where the API is.
    pub(crate) api: u16,
    /// The whole installation.
    global: Wishes,
    targets: Vec<Target>,
    customers: Vec<CustomerTerms>,
}

/// A layer, and what it is called.
pub(crate) type Layer<'a> = (From, &'a Wishes);

impl Layers {
    /// As the configuration has it.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            networks: config.networks.clone(),
            never: config.rules.never.clone(),
            allow: config.allow.clone(),
            allow_ceiling: config.rules.allow_ceiling,
            limits_held: config.dataplane.engine == Engine::Xdp,
            filters: !config.dataplane.interfaces.is_empty(),
            absorbed: absorbed(config),
            routers: config.routing.is_some(),
            enforcers: enforcers(config),
            rules_max: config.dataplane.rules_max,
            api: config.api.listen.port(),
            global: Wishes {
                mode: Some(config.mode),
                floor: Some(Profile::Daemon.floor_pps(config.detection.floor.into())),
                multiple: Some(MULTIPLE),
                collateral_max: Some(config.dataplane.collateral_max),
                blind: Some(config.dataplane.blind),
                challenge: Some(config.dataplane.challenge.is_some()),
                ..Wishes::default()
            },
            targets: config.targets.clone(),
            customers: config.customer_terms.clone(),
        }
    }

    /// Whose prefix it is.
    pub(crate) fn customer(&self, prefix: &Prefix) -> Option<&CustomerTerms> {
        self.customers.iter().find(|customer| customer.networks.iter().any(|own| own.covers(prefix)))
    }

    /// Whether absorbers filter what is led there of it.
    pub(crate) fn is_absorbed(&self, prefix: &Prefix) -> bool {
        self.absorbed.iter().any(|one| one.covers(prefix) || prefix.covers(one))
    }

    /// How far to go where nobody says anything else.
    pub(crate) fn mode(&self) -> Mode {
        self.configured().unwrap_or_default()
    }

    /// The same; `None`: no configuration is read yet.
    pub(crate) const fn configured(&self) -> Option<Mode> {
        self.global.mode
    }

    /// All targets of the configuration, and networks of customers.
    pub(crate) fn named(&self) -> impl Iterator<Item = Prefix> {
        let customers = self.customers.iter().flat_map(|customer| &customer.networks);
        self.targets.iter().map(|target| target.prefix).chain(customers.copied())
    }

    /// Prefixes inside this one of which something of their own is said.
    pub(crate) fn inside<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = Prefix> + 'a {
        self.named().filter(move |inner| prefix.covers(inner))
    }

    /// The name of the profile that holds for a prefix, and who says so.
    pub(crate) fn profile(&self, prefix: &Prefix) -> (From, &str) {
        let target = self.around(*prefix).find_map(|target| {
            target.profile.as_deref().map(|name| (From::new(Kind::Target, target.prefix.to_string()), name))
        });
        let customer = || {
            let customer = self.customer(prefix)?;
            let name = customer.profile.as_deref()?;
            Some((From::new(Kind::Customer, customer.name.clone()), name))
        };
        target.or_else(customer).unwrap_or((From::new(Kind::BuiltIn, String::new()), profile::DEFAULT))
    }

    /// What is said of a prefix, the strongest first.
    pub(crate) fn stack(&self, prefix: &Prefix) -> Vec<Layer<'_>> {
        let mut out: Vec<Layer<'_>> = Vec::new();
        for target in self.around(*prefix) {
            out.push((From::new(Kind::Target, target.prefix.to_string()), &target.wishes));
            out.extend(target.profile.as_deref().and_then(of_profile));
        }
        if let Some(customer) = self.customer(prefix) {
            out.push((From::new(Kind::Customer, customer.name.clone()), &customer.wishes));
            out.extend(customer.profile.as_deref().and_then(of_profile));
        }
        out.push((From::new(Kind::Configuration, String::new()), &self.global));
        out.extend(of_profile(profile::DEFAULT));
        out
    }

    /// Whether any target or customer is to have rules that act.
    pub(crate) fn is_earnest(&self) -> bool {
        let targets = self.targets.iter().map(|target| &target.wishes);
        let customers = self.customers.iter().map(|customer| &customer.wishes);
        targets.chain(customers).any(|wishes| wishes.mode == Some(Mode::Enforce))
    }

    /// Targets around a prefix, the narrowest first.
    fn around(&self, prefix: Prefix) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |target| target.prefix.covers(&prefix))
    }

    /// Thresholds of prefixes that have their own, for the engine.
    pub(crate) fn tuning(&self) -> Vec<(Prefix, Option<f64>, Option<f64>)> {
        let global = (self.global.floor, self.global.multiple);
        let of = |prefix: Prefix| {
            let stack = self.stack(&prefix);
            let floor = stack.iter().find_map(|(_, wishes)| wishes.floor);
            let multiple = stack.iter().find_map(|(_, wishes)| wishes.multiple);
            (prefix, floor, multiple)
        };
        // one that is as all others stands there, too, for a wider one around it may not be
        let all: Vec<_> = self.named().map(of).collect();
        let differs = all.iter().any(|(_, floor, multiple)| (*floor, *multiple) != global);
        if differs { all } else { Vec::new() }
    }
}

/// What of this configuration could act, in words.
fn enforcers(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    if !config.dataplane.interfaces.is_empty() {
        out.push(format!("filters in the kernel on {}", config.dataplane.interfaces.join(", ")));
    }
    if config.routing.is_some() {
        out.push("routers, as [routing.ladder] lets them".to_owned());
    }
    if config.compat.is_some() && config.notify.is_some() {
        out.push("the program of `notify.exec`, which bans".to_owned());
    }
    out
}

fn of_profile(name: &str) -> Option<Layer<'static>> {
    Some((From::new(Kind::Profile, name.to_owned()), profile::find(name).ok()?))
}

/// Prefixes whose diversion to an absorber that is spoken with is prepared.
fn absorbed(config: &Config) -> Vec<Prefix> {
    let controls = config.routing.iter().flat_map(|routing| &routing.controls.all);
    controls.flat_map(|control| &control.charges).map(|charge| charge.prefix).collect()
}
