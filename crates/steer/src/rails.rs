//! What may never be announced, whoever asks: the rails that every announcement passes, and no way round them.
//!
//! An [`Announceable`] is made here and nowhere else. `0.0.0.0/0` was announced once instead of a subnet by a program of
//! this kind; here it is not a value that can exist.

use std::collections::VecDeque;

use base::{Prefix, Span, Timestamp};
use rules::overlap::shares;
use rules::{Match, Rule};

use crate::ownership::Ownership;

/// Nothing shorter is announced, whatever is configured.
const SHORTEST: (u8, u8) = (19, 32);
/// The shortest blackhole that can be configured.
const BLACKHOLE_SHORTEST: (u8, u8) = (25, 64);

/// What an announcement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Routers filter by rules (RFC 8955).
    Flowspec,
    /// Traffic is led to an absorber.
    Diversion,
    /// All traffic to the prefix is discarded upstream (RFC 7999).
    Blackhole,
}

impl Class {
    /// All, the gentlest first.
    pub const ALL: [Self; 3] = [Self::Flowspec, Self::Diversion, Self::Blackhole];

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flowspec => "flowspec",
            Self::Diversion => "diversion",
            Self::Blackhole => "blackhole",
        }
    }
}

/// A prefix that may be announced: ours, of a length that is allowed, and nobody's lifeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announceable {
    prefix: Prefix,
    class: Class,
}

impl Announceable {
    /// The prefix.
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// What for.
    pub const fn class(&self) -> Class {
        self.class
    }
}

/// Something that must go on: a packet that matches it is never cut by a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifeline {
    /// Which packets.
    pub matches: Match,
    /// What it is, for people.
    pub what: String,
}

/// The limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The shortest blackholes for IPv4 and IPv6: within /25 to /32 and /64 to /128.
    pub blackhole: (u8, u8),
    /// Announcements of unicast prefixes at once.
    pub routes: usize,
    /// `FlowSpec` rules at once.
    pub rules: usize,
    /// Announcements a minute.
    pub per_minute: usize,
    /// Share of our own addresses that may be blackholed at once, of each family; at least one host always may.
    pub blackholed_share: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { blackhole: (32, 128), routes: 100, rules: 500, per_minute: 60, blackholed_share: 0.01 }
    }
}

/// Why something is not announced.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not ours.
    #[error("{0} does not lie within `networks`: only what is ours is announced")]
    NotOurs(Prefix),
    /// On the list.
    #[error("{prefix} touches {what}, which is never announced")]
    Never {
        /// What was asked.
        prefix: Prefix,
        /// What it touches.
        what: String,
    },
    /// A length that is not allowed.
    #[error("{prefix}: a {class} announcement is /{from} to /{to}", class = class.as_str())]
    Length {
        /// What was asked.
        prefix: Prefix,
        /// What for.
        class: Class,
        /// The shortest.
        from: u8,
        /// The longest.
        to: u8,
    },
    /// A diversion that nobody has prepared.
    #[error(
        "{0} is not provisioned for diversion: name it in `routing.diversion` when its return path stands"
    )]
    NotProvisioned(Prefix),
    /// No destination.
    #[error("rule `{0}` has no destination: it would act on everybody's traffic")]
    NoDestination(String),
    /// It would cut a lifeline.
    #[error("rule `{rule}` may cut {what}: narrow it")]
    Lifeline {
        /// Its id.
        rule: String,
        /// What it may cut.
        what: String,
    },
    /// Too many at once.
    #[error("{most} {what} are announced already, which is the limit: withdraw one, or aggregate")]
    TooMany {
        /// What.
        what: &'static str,
        /// So many.
        most: usize,
    },
    /// Too fast.
    #[error("{0} announcements were made within a minute, which is the limit: wait")]
    TooFast(usize),
    /// Too much of our own space.
    #[error("more than {:.1} % of our own addresses would be blackholed", share * 100.0)]
    TooMuch {
        /// The limit.
        share: f64,
    },
    /// The RPKI says that we may not.
    #[error("{prefix} is {state} by RPKI: {hint}")]
    Rpki {
        /// What was asked.
        prefix: Prefix,
        /// `invalid`, `not found`, or `not known` while no cache tells.
        state: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Everything is frozen.
    #[error("announcements are frozen since the panic button was pressed; `spillway route resume` ends that")]
    Frozen,
}

/// The rails.
#[derive(Clone, Debug)]
pub struct Rails {
    own: Vec<Prefix>,
    diversion: Vec<Prefix>,
    never: Vec<(Prefix, String)>,
    lifelines: Vec<Lifeline>,
    /// Likewise, what the speaker's own host lives by at present.
    near: (Vec<(Prefix, String)>, Vec<Lifeline>),
    limits: Limits,
    /// When announcements were made, within the last minute.
    recent: VecDeque<Timestamp>,
    ownership: Option<Ownership>,
}

/// What is announced at present, for the caps.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Unicast prefixes that are blackholed.
    pub blackholed: Vec<Prefix>,
    /// Unicast prefixes in all.
    pub routes: usize,
    /// `FlowSpec` rules.
    pub rules: usize,
}

impl Rails {
    /// Rails for these own networks. `diversion`: the prefixes whose return path stands, exactly as they are announced.
    /// `never`: addresses that no blackhole and no diversion may touch, and what they are. `lifelines`: packets that no rule
    /// may cut.
    pub fn new(
        own: Vec<Prefix>,
        diversion: Vec<Prefix>,
        never: Vec<(Prefix, String)>,
        lifelines: Vec<Lifeline>,
        mut limits: Limits,
    ) -> Self {
        limits.blackhole.0 = limits.blackhole.0.clamp(BLACKHOLE_SHORTEST.0, 32);
        limits.blackhole.1 = limits.blackhole.1.clamp(BLACKHOLE_SHORTEST.1, 128);
        let near = (Vec::new(), Vec::new());
        Self { own, diversion, never, lifelines, near, limits, recent: VecDeque::new(), ownership: None }
    }

    /// What the speaker's own host lives by from now on, in place of what it did: addresses that are never announced, and
    /// packets that no rule may cut.
    pub fn set_near(&mut self, never: Vec<(Prefix, String)>, lifelines: Vec<Lifeline>) {
        self.near = (never, lifelines);
    }

    /// With what the RPKI says from now on; `None`: it is not asked.
    pub fn ask_rpki(&mut self, ownership: Option<Ownership>) {
        self.ownership = ownership;
    }

    /// Whether a prefix may be announced; it does not count as an announcement yet.
    ///
    /// # Errors
    /// Why not.
    pub fn prefix(&self, prefix: Prefix, class: Class) -> Result<Announceable, Refusal> {
        let longest = if prefix.is_ipv4() { 32 } else { 128 };
        let (shortest, least) = match prefix.is_ipv4() {
            true => (SHORTEST.0, self.limits.blackhole.0),
            false => (SHORTEST.1, self.limits.blackhole.1),
        };
        let from = if class == Class::Blackhole { least } else { shortest };
        if prefix.bits() < from {
            return Err(Refusal::Length { prefix, class, from, to: longest });
        }
        if !self.own.iter().any(|own| own.covers(&prefix)) {
            return Err(Refusal::NotOurs(prefix));
        }
        if class == Class::Diversion && !self.diversion.contains(&prefix) {
            return Err(Refusal::NotProvisioned(prefix));
        }
        let touches = |never: &Prefix| never.covers(&prefix) || prefix.covers(never);
        if class != Class::Flowspec
            && let Some((_, what)) = self.never.iter().chain(&self.near.0).find(|(never, _)| touches(never))
        {
            return Err(Refusal::Never { prefix, what: what.clone() });
        }
        if let Some(ownership) = &self.ownership {
            ownership.check(prefix, class)?;
        }
        Ok(Announceable { prefix, class })
    }

    /// Whether a rule may be announced.
    ///
    /// # Errors
    /// Why not.
    pub fn rule(&self, rule: &Rule) -> Result<Announceable, Refusal> {
        let Some(dst) = rule.matches.dst else { return Err(Refusal::NoDestination(rule.id.clone())) };
        let announceable = self.prefix(dst, Class::Flowspec)?;
        let mut lifelines = self.lifelines.iter().chain(&self.near.1);
        match lifelines.find(|lifeline| shares(&rule.matches, &lifeline.matches)) {
            Some(lifeline) => Err(Refusal::Lifeline { rule: rule.id.clone(), what: lifeline.what.clone() }),
            None => Ok(announceable),
        }
    }

    /// Whether one more is within the caps beside what is announced at present; counts it if so.
    ///
    /// # Errors
    /// Which cap it would pass.
    pub fn count(&mut self, now: Timestamp, one: &Announceable, load: &Load) -> Result<(), Refusal> {
        let minute_ago = now.minus(Span::from_secs(60));
        while self.recent.front().is_some_and(|then| *then <= minute_ago) {
            self.recent.pop_front();
        }
        let limits = &self.limits;
        let (what, there, most) = match one.class {
            Class::Flowspec => ("FlowSpec rules", load.rules, limits.rules),
            Class::Blackhole | Class::Diversion => ("prefixes", load.routes, limits.routes),
        };
        if there >= most {
            return Err(Refusal::TooMany { what, most });
        }
        if self.recent.len() >= limits.per_minute {
            return Err(Refusal::TooFast(limits.per_minute));
        }
        if one.class == Class::Blackhole && self.is_too_much(one.prefix, load) {
            return Err(Refusal::TooMuch { share: limits.blackholed_share });
        }
        self.recent.push_back(now);
        Ok(())
    }

    fn is_too_much(&self, prefix: Prefix, load: &Load) -> bool {
        let of_family = |all: &[Prefix]| -> f64 {
            let same: Vec<Prefix> = all.iter().filter(|p| p.is_ipv4() == prefix.is_ipv4()).copied().collect();
            base::prefix::aggregate(same).iter().map(addresses).sum()
        };
        let mut blackholed = load.blackholed.clone();
        let first = blackholed.iter().all(|other| other.is_ipv4() != prefix.is_ipv4());
        blackholed.push(prefix);
        !(first && prefix.is_host())
            && of_family(&blackholed) > of_family(&self.own) * self.limits.blackholed_share
    }
}

/// How many addresses a prefix has, as far as a float goes.
fn addresses(prefix: &Prefix) -> f64 {
    let all: u8 = if prefix.is_ipv4() { 32 } else { 128 };
    f64::from(all.saturating_sub(prefix.bits())).exp2()
}
