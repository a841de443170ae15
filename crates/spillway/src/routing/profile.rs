//! What is known of kinds of routers. What differs is data here; the neighbour's own keys beat it.

use steer::bgp::dialect::{Dialect, Offsets, Redirect};

/// A kind of router.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// As the configuration names it.
    pub name: &'static str,
    /// It understands rates in packets (extended community 0x800c). FRR 8.4 and gobgpd 3.10 show an unknown number: such a
    /// rule would do nothing there, silently.
    pub rate_packets: bool,
    /// The forms that it reads without ending the session. That it acts on a redirect to an address is known of none, so none
    /// is sent until the operator says which form (`redirect`).
    pub dialect: Dialect,
    /// A session that its prefix limit ended comes back by itself. gobgpd 3.10 and FRR 8.4 wait for a person; BIRD 2.0 tries
    /// again after a minute.
    pub reopens: bool,
    /// Over a crash of ours it keeps rules, too, where it does graceful restart. FRR 8.4 keeps prefixes alone, by its own view;
    /// BIRD 2.0 and gobgpd 3.10 keep both.
    pub keeps_rules: bool,
    /// Seconds of silence of ours after which it ends the session (RFC 4271 offers 90). BIRD 2.0 lets go of all then, for it does
    /// not know RFC 8538: through a full uplink only the session keeps what we announced.
    pub hold_time: u16,
}

const HOLD_TIME: u16 = 90;

const fn dialect(offsets: Offsets) -> Dialect {
    Dialect { offsets, redirect: Redirect::None }
}

impl Profile {
    /// Nothing is taken for granted.
    pub const GENERIC: &'static Self = &Self {
        name: "generic",
        rate_packets: false,
        dialect: dialect(Offsets::None),
        reopens: false,
        keeps_rules: false,
        hold_time: HOLD_TIME,
    };

    /// All.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "bird",
            rate_packets: false,
            dialect: dialect(Offsets::Rfc8956),
            reopens: true,
            keeps_rules: true,
            hold_time: 240,
        },
        Self {
            name: "frr",
            rate_packets: false,
            dialect: dialect(Offsets::Legacy),
            reopens: false,
            keeps_rules: false,
            hold_time: HOLD_TIME,
        },
        Self {
            name: "gobgp",
            rate_packets: false,
            dialect: dialect(Offsets::Rfc8956),
            reopens: false,
            keeps_rules: true,
            hold_time: HOLD_TIME,
        },
        Self {
            name: "exabgp",
            rate_packets: false,
            dialect: dialect(Offsets::Legacy),
            reopens: true,
            keeps_rules: false,
            hold_time: HOLD_TIME,
        },
        Self {
            name: "junos",
            rate_packets: false,
            dialect: dialect(Offsets::None),
            reopens: false,
            keeps_rules: false,
            hold_time: HOLD_TIME,
        },
        Self {
            name: "generic",
            rate_packets: false,
            dialect: dialect(Offsets::None),
            reopens: false,
            keeps_rules: false,
            hold_time: HOLD_TIME,
        },
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|one| one.name == name)
    }
}
