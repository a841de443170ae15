//! The two address families, and what a rule means in each.

use wire::packet::{ICMP, ICMP6};

use crate::rule::Match;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The families a match holds for: that of its prefixes, or both.
    pub(crate) fn of(m: &Match) -> impl Iterator<Item = Self> {
        let prefixes = [m.dst, m.src];
        Self::ALL.into_iter().filter(move |family| {
            prefixes.iter().flatten().all(|prefix| prefix.is_ipv4() == (*family == Self::V4))
        })
    }

    /// The address family identifier of BGP.
    pub(crate) const fn afi(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    /// The protocol whose types and codes rules speak of.
    pub(crate) const fn icmp(self) -> u8 {
        match self {
            Self::V4 => ICMP,
            Self::V6 => ICMP6,
        }
    }
}
