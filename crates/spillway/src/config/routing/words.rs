//! Values of a router's section that have a form of their own.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use steer::bgp::dialect::{Offsets, Redirect};
use steer::rails::Class;
use wire::bgp::Family;
use wire::bgp::attribute::community;

use crate::config::values::text;

/// The port of BGP.
const PORT: u16 = 179;

/// What a router is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Carried {
    Blackhole,
    Flowspec,
    Diversion,
}

impl Carried {
    pub(super) const fn class(self) -> Class {
        match self {
            Self::Blackhole => Class::Blackhole,
            Self::Flowspec => Class::Flowspec,
            Self::Diversion => Class::Diversion,
        }
    }
}

/// A family by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FamilyName {
    Ipv4,
    Ipv6,
    Ipv4Flowspec,
    Ipv6Flowspec,
}

impl FamilyName {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Ipv4 => Family::IPV4,
            Self::Ipv6 => Family::IPV6,
            Self::Ipv4Flowspec => Family::FLOWSPEC4,
            Self::Ipv6Flowspec => Family::FLOWSPEC6,
        }
    }
}

/// An address, with its port or with that of BGP.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerAddress(pub(super) SocketAddr);

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.parse().map(|address: IpAddr| SocketAddr::new(address, PORT));
        bare.or_else(|_| text.parse()).map(Self).map_err(|_| {
            format!("`{text}` is not the address of a router; write it like \"192.0.2.1\", \"2001:db8::1\" or \"192.0.2.1:1790\"")
        })
    }
}

impl<'de> Deserialize<'de> for PeerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "the address of a router, like \"192.0.2.1\"")
    }
}

/// A community of RFC 1997.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Community(pub(super) u32);

impl FromStr for Community {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(high, low)| {
            let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
            Some(u32::from(high) << 16 | u32::from(low))
        });
        match (text, parts) {
            ("blackhole", _) => Ok(Self(community::BLACKHOLE)),
            ("no-export", _) => Ok(Self(community::NO_EXPORT)),
            ("no-advertise", _) => Ok(Self(community::NO_ADVERTISE)),
            (_, Some(value)) => Ok(Self(value)),
            _ => Err(format!(
                "`{text}` is not a community; write it like \"64500:666\", \"blackhole\" or \"no-export\""
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Community {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a community, like \"64500:666\", \"blackhole\" or \"no-export\"")
    }
}

/// How a router wants to hear redirects to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RedirectForm {
    /// It is not sent any.
    None,
    /// The address stands in the community.
    Address,
    /// The address is the route's next hop.
    NextHop,
}

impl RedirectForm {
    pub(super) const fn meant(self) -> Redirect {
        match self {
            Self::None => Redirect::None,
            Self::Address => Redirect::Address,
            Self::NextHop => Redirect::NextHop,
        }
    }
}

/// How a router reads IPv6 prefixes that do not begin at the first bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OffsetForm {
    /// It is not sent any.
    None,
    /// As RFC 8956 has it.
    Rfc8956,
    /// As drafts before it had it.
    Legacy,
}

impl OffsetForm {
    pub(super) const fn meant(self) -> Offsets {
        match self {
            Self::None => Offsets::None,
            Self::Rfc8956 => Offsets::Rfc8956,
            Self::Legacy => Offsets::Legacy,
        }
    }
}
