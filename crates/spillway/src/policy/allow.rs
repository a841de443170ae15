//! Allowed sources: who is never filtered on the way to a prefix, up to a ceiling, since attackers forge listed addresses.

use std::fmt;
use std::str::FromStr;

use base::units::{BitRate, PacketRate};
use base::{Prefix, Timestamp};
use dataplane::{Allow, Ceiling as Kept, Scope};
use serde::{Deserialize, Serialize};

/// Allowed sources in force at once, those of the configuration included.
pub(crate) const ALLOW_MAX: usize = 1_024;
/// Entries of one source: as many as the kernel's programs ask.
const OF_SOURCE_MAX: usize = 8;
/// A ceiling of which nobody says how high it is, in packets/s.
const CEILING: f64 = 1_000.0;
/// A wider source is half the Internet, and no list of exceptions.
const WIDEST: [u8; 2] = [8, 16];

/// How much of it passes whatever else holds; what is above is treated like any traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ceiling {
    /// Packets a second.
    Packets(f64),
    /// Layer-3 bits a second.
    Bits(f64),
    /// Everything: an explicit choice.
    None,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self::Packets(CEILING)
    }
}

impl FromStr for Ceiling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let positive = |rate: f64| rate > 0.0 && rate.is_finite();
        if text == "none" {
            return Ok(Self::None);
        }
        if let Some(PacketRate(rate)) = text.parse().ok().filter(|rate: &PacketRate| positive(rate.0)) {
            return Ok(Self::Packets(rate));
        }
        if let Some(BitRate(rate)) = text.parse().ok().filter(|rate: &BitRate| positive(rate.0)) {
            return Ok(Self::Bits(rate));
        }
        Err(format!(
            "`{text}` is no ceiling; write a rate with its unit, like \"5 kpps\" or \"8 Mbps\", or \"none\""
        ))
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packets(rate) => write!(f, "{rate} pps"),
            Self::Bits(rate) => write!(f, "{rate} bps"),
            Self::None => f.write_str("none"),
        }
    }
}

impl Serialize for Ceiling {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ceiling {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A protocol by its name or number.
///
/// # Errors
/// It is none.
pub(crate) fn protocol(text: &str) -> Result<u8, String> {
    let named = match text {
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "icmp6" => Some(58),
        "gre" => Some(47),
        number => number.parse().ok(),
    };
    named.ok_or_else(|| format!("`{text}` is no protocol; write tcp, udp, icmp, icmp6, gre or its number"))
}

/// Who always passes to where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    /// The source.
    pub(crate) source: Prefix,
    /// Its packets to this prefix.
    pub(crate) destination: Prefix,
    /// Of this upper-layer protocol; `None`: of all.
    pub(crate) protocol: Option<u8>,
    /// To this port, of TCP or UDP; `None`: to all.
    pub(crate) port: Option<u16>,
    /// How much of it.
    pub(crate) ceiling: Ceiling,
    /// Who answers for it.
    pub(crate) owner: String,
    /// Why.
    pub(crate) reason: String,
    /// When it ends by itself; `None`: when somebody ends it.
    pub(crate) until: Option<Timestamp>,
}

impl Allowed {
    /// Whether it can be: `limits_held` where filters hold ceilings.
    ///
    /// # Errors
    /// What is wrong with it, and the remedy.
    pub(crate) fn check(&self, networks: &[Prefix], limits_held: bool) -> Result<(), String> {
        let Self { source, destination, .. } = self;
        if !networks.iter().any(|own| own.covers(destination)) {
            return Err(format!("{destination} is not inside `networks`; name a destination that is yours"));
        }
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(format!(
                "{source} and {destination} are of different families; make one entry for each"
            ));
        }
        let widest = if source.is_ipv4() { WIDEST[0] } else { WIDEST[1] };
        if source.bits() < widest {
            return Err(format!(
                "{source} is too wide to be an exception; name prefixes of /{widest} or longer"
            ));
        }
        if self.port.is_some() && !matches!(self.protocol, Some(6 | 17)) {
            return Err("a port needs its protocol: tcp or udp".to_owned());
        }
        if self.ceiling != Ceiling::None && !limits_held {
            return Err("nftables holds no ceiling of an allowed source: write \"none\" for it, or set `dataplane.engine` to \"xdp\"".to_owned());
        }
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(
                "an allowed source needs an owner and a reason: nobody would know later why it is there"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Whether it holds now.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// As the programs in the kernel take it.
    pub(crate) fn entry(&self) -> Allow {
        Allow {
            source: self.source,
            scope: Scope { destination: Some(self.destination), protocol: self.protocol, port: self.port },
            ceiling: match self.ceiling {
                Ceiling::Packets(rate) => Some(Kept::Packets(rate)),
                Ceiling::Bits(rate) => Some(Kept::Bits(rate)),
                Ceiling::None => None,
            },
        }
    }
}

/// Whether there is room for another one beside these.
///
/// # Errors
/// There is none.
pub(crate) fn room(others: &[Allowed], one: &Allowed) -> Result<(), String> {
    if others.len() >= ALLOW_MAX {
        return Err(format!(
            "as many sources as there can be ({ALLOW_MAX}) are allowed: remove some, or join prefixes"
        ));
    }
    if others.iter().filter(|other| other.source == one.source).count() >= OF_SOURCE_MAX {
        return Err(format!("{} has {OF_SOURCE_MAX} entries already: join its destinations", one.source));
    }
    Ok(())
}
