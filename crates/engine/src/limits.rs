//! Fixed limits per group of hosts, as migrating operators expect them: beside what is learned, through the same door.
//!
//! A limit is exceeded when the rate of the last second is above it by more than the sampling explains (two standard
//! deviations), whatever is usual for the host. What a host receives is measured by the watch over victims, what it sends to
//! foreign hosts by the watch over senders.

use base::prefix::{PrefixTable, narrow};
use detect::class::Class;

use crate::report::Direction;
use crate::settings::{Group, Limit, Limits};
use crate::target::TickCounts;

/// Kinds of traffic with limits of their own.
const KINDS: usize = 6;
const NAMES: [&str; KINDS] = ["all", "tcp", "udp", "icmp", "syn", "fragment"];

/// What a host received or sent lately, by kind: packets, octets and samples, faded over a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals([[f32; 3]; KINDS]);

/// A limit that was exceeded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exceeded {
    /// `12345 udp packets/s, above the limit of 10000 of group "web"`.
    pub(crate) text: String,
    /// How many times the limit.
    pub(crate) times: f64,
    /// The class with most of that traffic.
    pub(crate) class: Class,
    /// Packets/s of the kind.
    pub(crate) rate: f64,
    /// The limit, as packets/s where it is one.
    pub(crate) limit: f64,
}

/// Whose limits hold where.
#[derive(Debug)]
pub(crate) struct Book {
    groups: Vec<Group>,
    by_network: PrefixTable<usize>,
    default: Option<usize>,
    direction: Direction,
}

/// The limits that hold for one host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    group: &'a str,
    limits: &'a Limits,
    direction: Direction,
}

impl Book {
    /// Of the groups; a nearer one without limits of a direction frees its members from those of a wider one.
    pub(crate) fn new(groups: &[Group], direction: Direction) -> Self {
        let limited = groups.iter().any(|group| *group.limits(direction) != Limits::default());
        let groups: Vec<Group> = if limited { groups.to_vec() } else { Vec::new() };
        let named = groups.iter().enumerate();
        let networks = named.flat_map(|(at, group)| group.networks.iter().map(move |network| (*network, at)));
        Self {
            by_network: PrefixTable::new(networks),
            default: groups.iter().position(|group| group.name == Group::DEFAULT),
            groups,
            direction,
        }
    }

    /// Whether no limits hold anywhere.
    pub(crate) const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// What holds for a host's traffic in the book's direction.
    pub(crate) fn of(&self, host: u128) -> Option<Held<'_>> {
        if self.groups.is_empty() {
            return None;
        }
        let at = self.by_network.longest(narrow(host)).copied().or(self.default)?;
        let group = self.groups.get(at)?;
        let limits = group.limits(self.direction);
        let held = Held { group: &group.name, limits, direction: self.direction };
        (*limits != Limits::default()).then_some(held)
    }
}

impl Held<'_> {
    /// By kind, in the order of [`NAMES`].
    const fn each(&self) -> [Limit; KINDS] {
        let limits = self.limits;
        let all = Limit { pps: limits.pps, bps: limits.bps };
        [all, limits.tcp, limits.udp, limits.icmp, limits.syn, limits.fragment]
    }
}

impl Totals {
    /// Whether nothing is left of the last seconds.
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.iter().all(|[_, _, samples]| *samples < 0.1)
    }

    pub(crate) fn fade(&mut self, factor: f32) {
        self.0.iter_mut().flatten().for_each(|sum| *sum *= factor);
    }

    /// The largest part of any of these limits that was lately reached, the sampling's luck included.
    pub(crate) fn reached(&self, held: Held<'_>) -> f64 {
        let part = |rate: f32, limit: Option<f64>| limit.map_or(0.0, |limit| f64::from(rate) / limit);
        let of_kind = self.0.iter().zip(held.each());
        let parts = of_kind.map(|([packets, octets, _], limit)| {
            part(*packets, limit.pps).max(part(8.0 * octets, limit.bps))
        });
        parts.fold(0.0, f64::max)
    }

    /// Takes a tick's counts; gives the limit that is exceeded most, if any is.
    pub(crate) fn tick(&mut self, held: Held<'_>, counts: &[TickCounts]) -> Option<Exceeded> {
        let mut top: [(u64, Option<Class>); KINDS] = Default::default();
        for c in counts.iter().filter(|c| c.received.packets > 0 && c.received.unscaled == 0) {
            let of = kinds(c.class);
            for ((sum, top), _) in self.0.iter_mut().zip(&mut top).zip(of).filter(|(_, of)| *of) {
                add(sum, c);
                if c.received.packets > top.0 {
                    *top = (c.received.packets, Some(c.class));
                }
            }
        }
        let way = match held.direction {
            Direction::In => "",
            Direction::Out => " sent",
        };
        let of_kind = self.0.iter().zip(held.each()).zip(NAMES).zip(top);
        let exceeded = of_kind.filter_map(|(((sum, limit), name), (_, class))| {
            let [packets, octets, samples] = sum.map(f64::from);
            let sure = 1.0 - 2.0 / samples.max(4.0).sqrt();
            let over = |rate: f64, limit: Option<f64>| {
                limit.map(|l| (rate * sure / l, rate, l)).filter(|o| o.0 > 1.0)
            };
            let by_packets = over(packets, limit.pps).map(|o| (o, "packets/s"));
            let by_bits = over(8.0 * octets, limit.bps).map(|o| (o, "bit/s"));
            let ((times, rate, limit), unit) =
                by_packets.into_iter().chain(by_bits).max_by(|a, b| a.0.0.total_cmp(&b.0.0))?;
            let text = format!(
                "{rate:.0} {unit} ({name}){way}, above the limit of {limit:.0} that group \"{}\" has",
                held.group
            );
            Some(Exceeded { text, times, class: class?, rate: packets, limit })
        });
        exceeded.max_by(|a, b| a.times.total_cmp(&b.times))
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rates need no more digits")]
fn add(sum: &mut [f32; 3], c: &TickCounts) {
    let cell = &c.received;
    for (sum, more) in sum.iter_mut().zip([cell.packets as f64, cell.bytes as f64, f64::from(cell.samples)]) {
        *sum += more as f32;
    }
}

/// Which kinds a class belongs to, in the order of [`NAMES`].
fn kinds(class: Class) -> [bool; KINDS] {
    let icmp = matches!(class, Class::ICMP_ECHO | Class::ICMP_ERROR | Class::ICMP_OTHER);
    let fragment = matches!(class, Class::UDP_FRAGMENT | Class::IP_FRAGMENT);
    let other = matches!(class, Class::GRE | Class::OTHER | Class::IP_FRAGMENT);
    let udp = !class.is_tcp() && !icmp && !other;
    [true, class.is_tcp(), udp, icmp, class == Class::TCP_SYN, fragment]
}

#[cfg(test)]
mod tests {
    use super::*;
    use detect::cell::Cell;

    fn counts(class: Class, samples: u32, packets: u64) -> TickCounts {
        TickCounts {
            class,
            received: Cell { packets, bytes: packets * 100, samples, ..Cell::EMPTY },
            sent: 0.0,
        }
    }

    fn told(limits: Limits, counts: &[TickCounts]) -> Option<Exceeded> {
        let held = Held { group: "web", limits: &limits, direction: Direction::In };
        Totals::default().tick(held, counts)
    }

    fn group(incoming: Limits) -> Group {
        Group {
            name: "web".into(),
            networks: vec!["198.51.100.0/24".parse().unwrap()],
            incoming,
            ..Group::default()
        }
    }

    #[test]
    fn the_most_exceeded_limit_is_told() {
        let limits = Limits {
            pps: Some(50_000.0),
            udp: Limit { pps: Some(10_000.0), bps: None },
            ..Limits::default()
        };
        let told =
            told(limits, &[counts(Class::UDP_OTHER, 60, 60_000), counts(Class::TCP_DATA, 5, 5_000)]).unwrap();
        assert_eq!(told.class, Class::UDP_OTHER);
        assert!(told.text.contains("(udp), above the limit of 10000"), "{}", told.text);
    }

    #[test]
    fn what_the_sampling_explains_exceeds_nothing() {
        let limits = Limits { pps: Some(10_000.0), ..Limits::default() };
        assert_eq!(told(limits, &[counts(Class::UDP_OTHER, 12, 12_000)]), None);
        assert!(told(limits, &[counts(Class::UDP_OTHER, 1_200, 12_000)]).is_some());
    }

    #[test]
    fn bits_have_limits_too() {
        let limits = Limits { bps: Some(1e6), ..Limits::default() };
        let told = told(limits, &[counts(Class::UDP_OTHER, 1_000, 10_000)]).unwrap();
        assert!(told.text.starts_with("8000000 bit/s"), "{}", told.text);
    }

    #[test]
    fn the_nearest_network_decides() {
        let mut other = group(Limits { pps: Some(1.0), ..Limits::default() });
        (other.name, other.networks) = (Group::DEFAULT.into(), Vec::new());
        let mut free = group(Limits::default());
        (free.name, free.networks) = ("free".into(), vec!["198.51.100.64/26".parse().unwrap()]);
        let groups = [group(Limits { pps: Some(2.0), ..Limits::default() }), other, free];
        let book = Book::new(&groups, Direction::In);
        let of = |text: &str| {
            let addr = text.parse().unwrap();
            book.of(base::prefix::wide(addr)).map(|held| held.group.to_owned())
        };
        assert_eq!(of("198.51.100.7").as_deref(), Some("web"));
        assert_eq!(of("192.0.2.1").as_deref(), Some("default"));
        assert_eq!(of("198.51.100.70"), None, "a group without limits is free of those of a wider one");
        assert!(Book::new(&groups, Direction::Out).is_empty(), "nobody has limits on what he sends");
    }
}
