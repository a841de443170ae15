//! `[routing.ladder]`, `[routing.links.NAME]` and `[routing.absorbers.NAME]`: what is done by itself, and what it has to know.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::units::BitRate;
use base::{Prefix, Span};
use engine::Mode;
use serde::Deserialize;
use steer::ladder::Step;
use steer::planner;
use toml::Spanned;

use super::peer::Router;
use crate::absorb::keys::Fingerprint;
use crate::config::check::Problems;
use crate::config::values::{Bits, Wait};

/// A shorter hold would let a pulse of the attack pass for its end.
const HOLD_MIN: Span = Span::from_secs(1);
/// What a target is worth of which nobody says it.
const VALUE: f64 = 1.0;
/// What a Gbit/s costs at an absorber of which nobody says it: anything else that does as well is preferred.
const COST: f64 = 1.0;
/// Values and costs are of an order that people can compare.
const AMOUNT_MAX: f64 = 1e9;
/// Links, absorbers and customers with a policy, at most.
const NAMED_MAX: usize = 256;

/// A step by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StepName {
    Kernel,
    Flowspec,
    Diversion,
    Blackhole,
}

impl StepName {
    const fn step(self) -> Step {
        match self {
            Self::Kernel => Step::Kernel,
            Self::Flowspec => Step::Flowspec,
            Self::Diversion => Step::Diversion,
            Self::Blackhole => Step::Blackhole,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    steps: Option<Vec<StepName>>,
    #[serde(default = "hold")]
    hold: Spanned<Wait>,
    #[serde(default = "hold_max")]
    hold_max: Spanned<Wait>,
    #[serde(default = "settle")]
    settle: Spanned<Wait>,
    #[serde(default)]
    plan: PlanMode,
    #[serde(default)]
    before: BTreeSet<IpAddr>,
    #[serde(default)]
    behind: BTreeSet<IpAddr>,
    #[serde(default)]
    customers: BTreeMap<Spanned<String>, CustomerSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerSection {
    steps: Option<Vec<StepName>>,
    mode: Option<Mode>,
    value: Option<Spanned<f64>>,
}

/// What a plan for several attacks is to be good at.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PlanMode {
    #[default]
    ProtectMostValuable,
    ShareThePain,
}

impl PlanMode {
    const fn mode(self) -> planner::Mode {
        match self {
            Self::ProtectMostValuable => planner::Mode::ProtectMostValuable,
            Self::ShareThePain => planner::Mode::ShareThePain,
        }
    }
}

/// A way in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkSection {
    capacity: Bits,
    usual: Option<Bits>,
    #[serde(default)]
    peers: Vec<Spanned<String>>,
    #[serde(default)]
    exporters: BTreeSet<IpAddr>,
    #[serde(default)]
    interfaces: BTreeSet<u32>,
}

/// Who takes what is diverted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsorberSection {
    pub(super) prefix: Spanned<Prefix>,
    pub(super) capacity: Bits,
    pub(super) usual: Option<Bits>,
    pub(super) cost: Option<Spanned<f64>>,
    pub(super) next_hop: Option<Spanned<IpAddr>>,
    pub(super) control: Option<Spanned<String>>,
    pub(super) fingerprint: Option<Spanned<Fingerprint>>,
    pub(super) lease: Option<Spanned<Wait>>,
    pub(super) silence: Option<Spanned<Wait>>,
    pub(super) linger: Option<Wait>,
}

fn hold() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(steer::hold::Settings::default().first))
}

fn hold_max() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(steer::hold::Settings::default().longest))
}

fn settle() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(10)))
}

/// What is done by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// Steps that may be taken or proposed.
    pub steps: Vec<Step>,
    /// Quiet that the first release waits for.
    pub hold: Span,
    /// The longest that a release waits for.
    pub hold_max: Span,
    /// Time that an announcement takes to act and to be seen.
    pub settle: Span,
    /// What a plan for several attacks is to be good at.
    pub plan: planner::Mode,
    /// Exporters whose traffic has met no measure yet.
    pub before: BTreeSet<IpAddr>,
    /// Exporters to which what routers stop does not come.
    pub behind: BTreeSet<IpAddr>,
    /// Whose own policy: name, networks, steps, and how far to go at most.
    pub customers: Vec<Customer>,
    /// Ways in.
    pub links: Vec<Link>,
    /// Who takes what is diverted.
    pub absorbers: Vec<Absorber>,
}

impl Ladder {
    /// Nothing is done by itself.
    pub(crate) fn idle() -> Self {
        Self {
            steps: Vec::new(),
            hold: hold().get_ref().0,
            hold_max: hold_max().get_ref().0,
            settle: settle().get_ref().0,
            plan: planner::Mode::default(),
            before: BTreeSet::new(),
            behind: BTreeSet::new(),
            customers: Vec::new(),
            links: Vec::new(),
            absorbers: Vec::new(),
        }
    }

    /// Whose own policy is about a target: that of the longest network.
    pub(crate) fn customer(&self, target: &Prefix) -> Option<&Customer> {
        let longest = |customer: &Customer| {
            customer.networks.iter().filter(|own| own.covers(target)).map(Prefix::bits).max()
        };
        self.customers
            .iter()
            .filter(|customer| longest(customer).is_some())
            .max_by_key(|customer| longest(customer))
    }

    /// What it is worth to keep a target.
    pub(crate) fn value(&self, target: &Prefix) -> f64 {
        self.customer(target).map_or(VALUE, |customer| customer.value)
    }

    /// Steps that may be taken or proposed for a target.
    pub(crate) fn steps_for(&self, target: &Prefix) -> &[Step] {
        self.customer(target).map_or(&self.steps, |customer| &customer.steps)
    }
}

/// A customer, or a group, with a policy of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// Its networks.
    pub networks: Vec<Prefix>,
    /// Steps that may be taken or proposed for it.
    pub steps: Vec<Step>,
    /// How far to go for it, but never beyond `mode`.
    pub mode: Option<Mode>,
    /// What it is worth to keep a target of it, in a measure that is the operator's own.
    pub value: f64,
}

/// A way in.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Bits per second on layer 3 that it takes.
    pub capacity: BitRate,
    /// What comes by it in peace.
    pub usual: BitRate,
    /// Neighbours before it; empty: all of them.
    pub peers: Vec<String>,
    /// Exporters at its end; empty: any.
    pub exporters: BTreeSet<IpAddr>,
    /// SNMP indices of its interfaces there; empty: all.
    pub interfaces: BTreeSet<u32>,
}

/// Who takes what is diverted.
#[derive(Clone, Debug, PartialEq)]
pub struct Absorber {
    /// Its name; sections of one `control` are one absorber, by the name of the first.
    pub name: String,
    /// What is announced for it.
    pub prefix: Prefix,
    /// What a Gbit/s costs there; decides between plans of equal value.
    pub cost: f64,
    /// Bits per second on layer 3 that it takes.
    pub capacity: BitRate,
    /// What the whole prefix gets in peace.
    pub usual: BitRate,
}

/// The sections that belong together.
pub(super) struct Sections<'a> {
    pub(super) ladder: Option<&'a Section>,
    pub(super) links: &'a BTreeMap<Spanned<String>, LinkSection>,
    pub(super) absorbers: &'a BTreeMap<Spanned<String>, AbsorberSection>,
}

/// The sections, or what speaks against them; `owners` are customers and groups with their networks.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    sections: &Sections<'_>,
    (routers, diversion): (&[Router], &[Prefix]),
    owners: &[(String, Vec<Prefix>)],
) -> Option<Ladder> {
    let links: Vec<Link> =
        sections.links.iter().map(|(name, section)| link(problems, name, section, routers)).collect();
    let absorbers: Vec<Absorber> = sections
        .absorbers
        .iter()
        .map(|(name, section)| absorber(problems, (name, section), sections.absorbers, diversion))
        .collect();
    let section = sections.ladder?;
    let times = [("hold", &section.hold), ("hold_max", &section.hold_max), ("settle", &section.settle)];
    for (key, wait) in times {
        if wait.get_ref().0 < HOLD_MIN {
            problems.at(wait.span().start, format!("{key} must be at least {HOLD_MIN}"));
        }
    }
    let (hold, most) = (section.hold.get_ref().0, section.hold_max.get_ref().0);
    if most < hold {
        let message = format!("hold_max must not be below hold, which is {hold}");
        problems.at(section.hold_max.span().start, message);
    }
    let customers: Vec<Customer> = section
        .customers
        .iter()
        .filter_map(|(name, customer)| {
            let at = name.span().start;
            let name = name.get_ref();
            let Some((_, networks)) = owners.iter().find(|(known, _)| known == name) else {
                let known: Vec<&str> = owners.iter().map(|(known, _)| known.as_str()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                problems.at(at, format!("there is no customer and no group `{name}`; known here: {known}"));
                return None;
            };
            let steps = customer.steps.as_ref().or(section.steps.as_ref());
            Some(Customer {
                name: name.clone(),
                networks: networks.clone(),
                steps: steps_of(steps),
                mode: customer.mode,
                value: amount(problems, "value", customer.value.as_ref(), VALUE),
            })
        })
        .collect();
    for (what, count) in
        [("links", links.len()), ("absorbers", absorbers.len()), ("customers", customers.len())]
    {
        if count > NAMED_MAX {
            problems.at(section.hold.span().start, format!("more than {NAMED_MAX} {what}; name fewer"));
        }
    }
    Some(Ladder {
        steps: steps_of(section.steps.as_ref()),
        hold,
        hold_max: most,
        settle: section.settle.get_ref().0,
        plan: section.plan.mode(),
        before: section.before.clone(),
        behind: section.behind.clone(),
        customers,
        links,
        absorbers,
    })
}

/// A number from 0 on.
fn amount(problems: &mut Problems<'_>, key: &str, given: Option<&Spanned<f64>>, usual: f64) -> f64 {
    let Some(number) = given else { return usual };
    let value = *number.get_ref();
    if !(0.0..=AMOUNT_MAX).contains(&value) {
        problems.at(number.span().start, format!("{key} must be a number from 0 to 1e9, like {usual:.1}"));
    }
    value
}

fn steps_of(names: Option<&Vec<StepName>>) -> Vec<Step> {
    names.map_or_else(|| Step::ALL.to_vec(), |names| names.iter().map(|name| name.step()).collect())
}

fn link(
    problems: &mut Problems<'_>,
    name: &Spanned<String>,
    section: &LinkSection,
    routers: &[Router],
) -> Link {
    for peer in &section.peers {
        if !routers.iter().any(|router| router.name == *peer.get_ref()) {
            let known: Vec<&str> = routers.iter().map(|router| router.name.as_str()).collect();
            let message = format!("there is no peer `{}`; known here: {}", peer.get_ref(), known.join(", "));
            problems.at(peer.span().start, message);
        }
    }
    Link {
        name: name.get_ref().clone(),
        capacity: BitRate(section.capacity.0),
        usual: BitRate(section.usual.map_or(0.0, |rate| rate.0)),
        peers: section.peers.iter().map(|peer| peer.get_ref().clone()).collect(),
        exporters: section.exporters.clone(),
        interfaces: section.interfaces.clone(),
    }
}

fn absorber(
    problems: &mut Problems<'_>,
    (name, section): (&Spanned<String>, &AbsorberSection),
    all: &BTreeMap<Spanned<String>, AbsorberSection>,
    diversion: &[Prefix],
) -> Absorber {
    let prefix = *section.prefix.get_ref();
    if !diversion.contains(&prefix) {
        let message = format!("{prefix} is not provisioned for diversion: name it in `routing.diversion`");
        problems.at(section.prefix.span().start, message);
    }
    Absorber {
        name: one_name(all, name, section),
        prefix,
        cost: amount(problems, "cost", section.cost.as_ref(), COST),
        capacity: BitRate(section.capacity.0),
        usual: BitRate(section.usual.map_or(0.0, |rate| rate.0)),
    }
}

/// The name of an absorber: of its sections, the first one's.
pub(super) fn one_name(
    all: &BTreeMap<Spanned<String>, AbsorberSection>,
    name: &Spanned<String>,
    section: &AbsorberSection,
) -> String {
    let control = section.control.as_ref().map(Spanned::get_ref);
    let same = |other: &AbsorberSection| {
        control.is_some() && other.control.as_ref().map(Spanned::get_ref) == control
    };
    let first = all.iter().find(|(_, other)| same(other)).map(|(name, _)| name.get_ref());
    first.unwrap_or_else(|| name.get_ref()).clone()
}
