//! What a stream is measured by: packets and octets, each with a statistic of its own.
//!
//! One statistic, in which large packets counted more, would be blind where the two differ: among many small packets a flood of
//! large ones hardly shows in their number, and its octets vanish in the mean length; and the other way round. So each stream has
//! a sequential test and a baseline of its packets, and another pair of its octets, and is above its threshold when either is.
//! Each costs the budget of false alarms by itself.

use alloc::format;
use alloc::string::String;

/// Octets are counted in units of so many: then the floors of both have one number, 2,500 packets/s and 20 Mbit/s.
pub const OCTETS_UNIT: f64 = 1000.0;
/// How much more than a count's own the octets of a stream scatter, at least, in units: a sum over samples of lengths up to 1,500
/// has a variance of at most that times its mean, whatever the mix (compound Poisson, E\[l²\] ≤ 1.5 E\[l\]).
pub const OCTETS_PHI: f64 = 1.5;

/// One of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Packets.
    #[default]
    Packets,
    /// Layer-3 octets, in units of [`OCTETS_UNIT`].
    Octets,
}

impl Measure {
    /// Both, in the order in which arrays by measure have them.
    pub const ALL: [Self; 2] = [Self::Packets, Self::Octets];

    /// As explanations name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Octets => "octets",
        }
    }

    /// A rate in this measure, with its unit.
    pub fn rate(self, rate: f64) -> String {
        match self {
            Self::Packets => format!("{rate:.0} packets/s"),
            Self::Octets => format!("{:.1} Mbit/s", rate * OCTETS_UNIT * 8.0 / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_unit_of_their_measure() {
        assert_eq!(Measure::Packets.rate(2_500.0), "2500 packets/s");
        assert_eq!(Measure::Octets.rate(2_500.0), "20.0 Mbit/s");
    }
}
