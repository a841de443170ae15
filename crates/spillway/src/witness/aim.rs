//! What workers look for: packets to and from the targets of attacks, and now and then one of somebody else.

use std::net::IpAddr;

use base::Prefix;
use base::prefix::PrefixTable;

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Aim {
    from: (Vec<Prefix>, Vec<Prefix>),
    targets: Option<PrefixTable<()>>,
    own: Option<PrefixTable<()>>,
}

impl Aim {
    /// At these targets, within these networks.
    pub(crate) fn new(targets: Vec<Prefix>, own: Vec<Prefix>) -> Self {
        let table = |prefixes: &[Prefix]| {
            (!prefixes.is_empty()).then(|| PrefixTable::new(prefixes.iter().map(|prefix| (*prefix, ()))))
        };
        let (at, within) = (table(&targets), table(&own));
        Self { from: (targets, own), targets: at, own: within }
    }

    /// Whether it is made of these.
    pub(crate) fn is_at(&self, targets: &[Prefix], own: &[Prefix]) -> bool {
        self.from.0 == targets && self.from.1 == own
    }

    /// Whether nothing is looked for at all.
    pub(crate) const fn is_blind(&self) -> bool {
        self.targets.is_none() && self.own.is_none()
    }

    /// Whether it is to or from a target.
    #[inline]
    pub(crate) fn is_of_attack(&self, from: IpAddr, to: IpAddr) -> bool {
        let is_target = |address| self.targets.as_ref().is_some_and(|table| table.longest(address).is_some());
        self.targets.is_some() && (is_target(to) || is_target(from))
    }

    /// Whether it comes from outside.
    pub(crate) fn comes_in(&self, from: IpAddr, to: IpAddr) -> bool {
        let is_own = |address| self.own.as_ref().is_some_and(|table| table.longest(address).is_some());
        is_own(to) && !is_own(from)
    }
}
