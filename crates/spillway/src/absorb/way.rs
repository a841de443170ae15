//! How what is clean goes back to who declared it, and what was counted on its way.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::Prefix;
use dataplane::returning::{self, LENGTHS_MAX, PREFIXES_MAX, Return, Returned, Returning};
use steer::absorb::Lost;
use steer::absorb::word::{Back, Kind, Traffic};

use super::filter::{Kept, Sum, rate};

/// How what passes goes back to a declared prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Whose.
    pub(crate) prefix: Prefix,
    /// How.
    pub(crate) back: Back,
    /// Our end of the tunnel.
    pub(crate) local: Option<IpAddr>,
    /// The other one.
    pub(crate) remote: Option<IpAddr>,
    /// Octets of a packet inside it at most.
    pub(crate) mtu: Option<u16>,
}

/// What became of packets that no rule dropped, since the way back is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Octets and packets that went into the tunnel; octets of those that the kernel cuts for it are in proportion.
    pub(crate) returned: (u64, u64),
    /// Packets that did not, by why.
    pub(crate) lost: Lost,
}

impl Gone {
    /// With what an interface counted.
    pub(super) fn plus(self, one: &Returned) -> Self {
        let cut = u128::from(one.octets) * u128::from(one.handed) / u128::from(one.packets.max(1));
        let octets = one.octets.saturating_add(u64::try_from(cut).unwrap_or(u64::MAX));
        let packets = one.packets.saturating_add(one.handed);
        let Self { returned, lost } = self;
        Self {
            returned: (returned.0.saturating_add(octets), returned.1.saturating_add(packets)),
            lost: Lost {
                no_way: lost.no_way.saturating_add(one.no_way),
                too_big: lost.too_big.saturating_add(one.too_big),
                told: lost.told.saturating_add(one.told),
                expired: lost.expired.saturating_add(one.expired),
                looped: lost.looped.saturating_add(one.looped),
            },
        }
    }
}

/// What a prefix gets per second, by two sums so many milliseconds apart. `goes_back`: what no rule drops does.
pub(super) fn traffic(old: &Sum, new: &Sum, millis: u64, goes_back: bool) -> Traffic {
    let received = rate(old.received, new.received, millis);
    let dropped = rate(old.dropped, new.dropped, millis);
    let clean = received.less(dropped);
    let (true, Some(is)) = (goes_back, new.gone) else {
        let returned = if goes_back { clean } else { Default::default() };
        return Traffic { received, dropped, returned, ..Traffic::default() };
    };
    let was = old.gone.unwrap_or_default();
    let pps = |of: fn(&Lost) -> u64| rate((0, of(&was.lost)), (0, of(&is.lost)), millis).pps;
    Traffic {
        received,
        dropped,
        returned: rate(was.returned, is.returned, millis),
        lost: Lost {
            no_way: pps(|lost| lost.no_way),
            too_big: pps(|lost| lost.too_big),
            told: pps(|lost| lost.told),
            expired: pps(|lost| lost.expired),
            looped: pps(|lost| lost.looped),
        },
        measured: true,
    }
}

/// Tunnels to the owners of what is declared; `None` where nothing goes back by one.
pub(super) fn tunnels(kind: Kind, ways: &[Way]) -> Option<Returning> {
    let tunnel = |way: &Way| {
        let kind = match way.back {
            Back::Gre => returning::Kind::Gre,
            Back::Ipip => returning::Kind::Ipip,
            Back::Routed | Back::None => return None,
        };
        Some(Return {
            prefix: way.prefix,
            kind,
            local: way.local?,
            remote: way.remote?,
            mtu: way.mtu,
            via: None,
        })
    };
    let ways: Vec<Return> = ways.iter().filter(|_| kind == Kind::Scrub).filter_map(tunnel).collect();
    (!ways.is_empty()).then(|| Returning { ways, ..Returning::default() })
}

/// The same, with ways of their own for what is held of declared prefixes: the kernel counts by way. Those for which it has no
/// room go by the declared one, uncounted.
pub(super) fn narrowed(declared: &Returning, held: &[Kept]) -> Returning {
    let mut returning = declared.clone();
    let mut lengths: BTreeSet<(bool, u8)> =
        declared.prefixes().map(|prefix| (prefix.is_ipv4(), prefix.bits())).collect();
    for Kept { prefix, .. } in held {
        if returning.prefixes().any(|known| known == *prefix) {
            continue;
        }
        let around = declared.ways.iter().filter(|way| way.prefix.covers(prefix));
        let Some(way) = around.max_by_key(|way| way.prefix.bits()) else { continue };
        let length = (prefix.is_ipv4(), prefix.bits());
        let alike = lengths.iter().filter(|(four, _)| *four == length.0).count();
        let is_new = !lengths.contains(&length);
        if returning.ways.len() + returning.discard.len() >= PREFIXES_MAX || (is_new && alike >= LENGTHS_MAX)
        {
            continue;
        }
        lengths.insert(length);
        returning.ways.push(Return { prefix: *prefix, ..*way });
    }
    returning
}

#[cfg(test)]
mod tests {
    use base::Span;

    use super::*;

    fn way(prefix: &str) -> Way {
        let [local, remote] = ["192.0.2.1", "192.0.2.2"].map(|end| Some(end.parse().unwrap()));
        Way { prefix: prefix.parse().unwrap(), back: Back::Gre, local, remote, mtu: None }
    }

    fn held(prefix: &str) -> Kept {
        Kept { prefix: prefix.parse().unwrap(), lease: Span::from_secs(10), way: way(prefix) }
    }

    #[test]
    fn what_is_held_of_a_declared_prefix_is_counted_by_itself_while_the_kernel_has_room() {
        let declared = tunnels(Kind::Scrub, &[way("198.51.100.0/22"), way("2001:db8::/32")]).unwrap();
        let some =
            narrowed(&declared, &[held("198.51.100.0/22"), held("198.51.101.0/24"), held("2001:db8:1::/48")]);
        let prefixes: Vec<String> = some.prefixes().map(|prefix| prefix.to_string()).collect();
        assert_eq!(prefixes, ["198.51.100.0/22", "2001:db8::/32", "198.51.101.0/24", "2001:db8:1::/48"]);
        assert!(some.check().is_ok());
        let many: Vec<Kept> = (23..=32).map(|bits| held(&format!("198.51.100.0/{bits}"))).collect();
        let full = narrowed(&declared, &many);
        assert!(full.check().is_ok() && full.ways.len() == 2 + LENGTHS_MAX - 1, "{full:?}");
        assert_eq!(narrowed(&declared, &[held("203.0.113.0/24")]), declared);
    }

    #[test]
    fn what_went_back_is_what_was_counted_there_and_what_did_not_has_its_reason() {
        let gone = |returned, no_way| Some(Gone { returned, lost: Lost { no_way, ..Lost::default() } });
        let old = Sum { received: (0, 0), dropped: (0, 0), gone: gone((0, 0), 5) };
        let new = Sum { received: (200_000, 1000), dropped: (40_000, 200), gone: gone((100_000, 500), 305) };
        let seen = traffic(&old, &new, 1000, true);
        assert_eq!((seen.returned.pps, seen.returned.bps, seen.lost.no_way), (500, 800_000, 300));
        assert!(seen.measured && seen.trouble().unwrap().starts_with("300 of 800 clean"), "{seen:?}");
        // By routes nobody counts; who discards gives nothing back.
        let routed = traffic(&old, &Sum { gone: None, ..new }, 1000, true);
        assert_eq!((routed.returned.pps, routed.measured, routed.trouble()), (800, false, None));
        assert_eq!(traffic(&old, &new, 1000, false).returned.pps, 0);
    }
}
