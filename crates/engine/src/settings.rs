//! What the operator decides, as the engine needs it.

use std::net::IpAddr;

use base::prefix::PrefixTable;
use base::{Prefix, Span};

use crate::report::Direction;

pub use detect::profile::{Floor, Profile};

/// How far the engine may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Watch and tell.
    #[default]
    Observe,
    /// Also derive rules, for a person to approve.
    Suggest,
    /// Also hand them to the enforcers.
    Enforce,
}

/// Everything that steers decisions. Two engines with equal settings and inputs give equal outputs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Capture (offline, no harm floor) or daemon.
    pub profile: Profile,
    /// The operator's own networks; empty: every destination is a possible victim.
    pub networks: Vec<Prefix>,
    /// Harm floor of the daemon.
    pub floor: Floor,
    /// How far to go.
    pub mode: Mode,
    /// From decision to effect.
    pub install_delay: Span,
    /// How long a derived rule holds unless it is renewed.
    pub lease: Span,
    /// Length of a tick.
    pub tick: Span,
    /// Quiet time that ends an attack.
    pub quiet: Span,
    /// Prefixes never to be cut (resolvers, monitors, peers).
    pub spare: Vec<Prefix>,
    /// Time in which the whole deployment may raise one false alarm.
    pub budget: Span,
    /// Hosts with limits of their own; see [`Group::of`] for whose limits hold.
    pub groups: Vec<Group>,
    /// Customers by name, and their networks.
    pub customers: Vec<(String, Vec<Prefix>)>,
    /// Prefixes with thresholds of their own.
    pub tuning: Tunings,
}

/// Hosts whose traffic is measured against fixed limits, on top of what is learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Its name; [`Group::DEFAULT`] is everything that no other group names.
    pub name: String,
    /// Its members; none for the default group.
    pub networks: Vec<Prefix>,
    /// For traffic towards each member.
    pub incoming: Limits,
    /// For what each member sends to foreign hosts; where no networks are the operator's own, nobody is foreign.
    pub outgoing: Limits,
}

/// What one host may reach: above any of them is an attack. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// All packets, per second.
    pub pps: Option<f64>,
    /// All layer-3 bits, per second.
    pub bps: Option<f64>,
    /// TCP alone.
    pub tcp: Limit,
    /// UDP alone.
    pub udp: Limit,
    /// ICMP and ICMPv6 alone.
    pub icmp: Limit,
    /// TCP with SYN and without ACK.
    pub syn: Limit,
    /// Fragments, the first ones too.
    pub fragment: Limit,
}

/// Of one kind of traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limit {
    /// Packets per second.
    pub pps: Option<f64>,
    /// Layer-3 bits per second.
    pub bps: Option<f64>,
}

/// Thresholds of a prefix. `None`: as everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tuning {
    /// Packets a second of one class below which nothing is an attack.
    pub floor_pps: Option<f64>,
    /// How many times what is usual is an attack, where it is above the floor.
    pub multiple: Option<f64>,
}

/// Thresholds by prefix: that of the longest one holds for all that lies inside it.
#[derive(Clone, Debug)]
pub struct Tunings {
    table: PrefixTable<Tuning>,
    least: Option<f64>,
}

impl Default for Tunings {
    fn default() -> Self {
        Self::new([])
    }
}

impl Tunings {
    /// Of these prefixes.
    pub fn new(all: impl IntoIterator<Item = (Prefix, Tuning)>) -> Self {
        let all: Vec<(Prefix, Tuning)> = all.into_iter().collect();
        let least = all.iter().filter_map(|(_, tuning)| tuning.floor_pps).min_by(f64::total_cmp);
        Self { table: PrefixTable::new(all), least }
    }

    /// What holds for an address, or for a network that begins with it.
    fn of(&self, address: IpAddr) -> Tuning {
        if self.table.is_empty() {
            return Tuning::default();
        }
        self.table.longest(address).copied().unwrap_or_default()
    }
}

impl Group {
    /// Name of the group of everything else.
    pub const DEFAULT: &str = "default";

    /// Its limits for one direction.
    pub(crate) const fn limits(&self, direction: Direction) -> &Limits {
        match direction {
            Direction::In => &self.incoming,
            Direction::Out => &self.outgoing,
        }
    }

    /// Whose limits hold for an address: those of the most specific network, else those of the default group.
    pub fn of(groups: &[Self], address: IpAddr) -> Option<&Self> {
        let member = |group: &Self| {
            let bits = |p: &Prefix| p.contains(address).then_some(p.bits());
            group.networks.iter().filter_map(bits).max()
        };
        let named = groups.iter().filter_map(|group| Some((member(group)?, group)));
        let nearest = named.max_by_key(|(bits, _)| *bits).map(|(_, group)| group);
        nearest.or_else(|| groups.iter().find(|group| group.name == Self::DEFAULT))
    }
}

impl Settings {
    /// What is usual, so many times, is an attack.
    pub(crate) const MULTIPLE: f64 = 1.5;

    /// Packets a second of one class towards a host, or a network that begins with this address, below which nothing is an attack;
    /// and how many times what is usual is one. A capture knows no other thresholds than its own.
    pub(crate) fn thresholds(&self, address: IpAddr) -> (f64, f64) {
        let floor = self.profile.floor_pps(self.floor);
        if self.profile == Profile::Capture {
            return (floor, Self::MULTIPLE);
        }
        let own = self.tuning.of(address);
        (own.floor_pps.unwrap_or(floor), own.multiple.unwrap_or(Self::MULTIPLE))
    }

    /// The lowest floor of all.
    pub(crate) fn floor_least(&self) -> f64 {
        let floor = self.profile.floor_pps(self.floor);
        let own = self.tuning.least.filter(|_| self.profile == Profile::Daemon);
        own.map_or(floor, |own| own.min(floor))
    }

    /// The defaults of a profile.
    pub fn of(profile: Profile) -> Self {
        Self {
            profile,
            networks: Vec::new(),
            floor: Floor::Default,
            mode: Mode::Observe,
            install_delay: Span::from_millis(50),
            lease: Span::from_secs(900),
            tick: match profile {
                Profile::Capture => Span::from_millis(50),
                Profile::Daemon => Span::from_millis(250),
            },
            quiet: Span::from_secs(60),
            spare: Vec::new(),
            budget: Span::from_secs(7 * 86_400),
            groups: Vec::new(),
            customers: Vec::new(),
            tuning: Tunings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_network_decides_whose_limits_hold() {
        let group = |name: &str, networks: &[&str]| Group {
            name: name.into(),
            networks: networks.iter().map(|p| p.parse().unwrap()).collect(),
            ..Group::default()
        };
        let groups = [
            group("wide", &["198.18.0.0/16", "2001:db8::/32"]),
            group("narrow", &["198.18.7.0/24"]),
            group(Group::DEFAULT, &[]),
        ];
        let name = |address: &str, groups: &[Group]| {
            Group::of(groups, address.parse().unwrap()).map(|group| group.name.clone())
        };
        for (address, expected) in [
            ("198.18.7.9", "narrow"),
            ("198.18.8.9", "wide"),
            ("2001:db8::1", "wide"),
            ("203.0.113.1", "default"),
        ] {
            assert_eq!(name(address, &groups).as_deref(), Some(expected), "{address}");
        }
        assert_eq!(name("203.0.113.1", &groups[..2]), None);
    }

    #[test]
    fn how_many_times_what_is_usual_is_an_attack_holds_for_its_prefix_alone() {
        let of = |text: &str| text.parse::<Prefix>().unwrap();
        let multiple = |multiple| Tuning { floor_pps: None, multiple: Some(multiple) };
        let all = [
            (of("198.18.0.0/16"), multiple(4.0)),
            (of("198.18.7.0/24"), multiple(2.5)),
            (of("2001:db8:7::/48"), multiple(3.0)),
        ];
        let settings = Settings { tuning: Tunings::new(all), ..Settings::of(Profile::Daemon) };
        let at = |address: &str| settings.thresholds(address.parse().unwrap()).1.to_bits();
        let wanted = [
            ("198.18.7.7", 2.5),
            ("198.18.8.7", 4.0),
            ("198.19.0.1", Settings::MULTIPLE),
            ("2001:db8:7::7", 3.0),
            ("2001:db8:8::7", Settings::MULTIPLE),
        ];
        for (address, multiple) in wanted {
            assert_eq!(at(address), f64::to_bits(multiple), "{address}");
        }
        // A capture is judged as it stands.
        let capture = Settings { profile: Profile::Capture, ..settings };
        assert_eq!(
            capture.thresholds("198.18.7.7".parse().unwrap()).1.to_bits(),
            Settings::MULTIPLE.to_bits()
        );
    }
}
