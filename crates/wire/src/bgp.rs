//! BGP-4 (RFC 4271): messages, cut from a stream, read and written.
//!
//! What cannot be read becomes the [`Notification`] that the RFC asks for; errors in attributes are handled as RFC 7606
//! says, so that a session ends only where nothing else is possible.

pub mod attribute;
pub mod cone;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod traffic;
pub mod update;

use alloc::vec::Vec;

pub use attribute::{Attributes, PathAttribute};
pub use notification::Notification;
pub use open::{Capability, GracefulRestart, Open};
pub use update::{Flows, Handling, Update};

use crate::emit::Writer;

/// Octets of the header: marker, length, type (RFC 4271 §4.1).
pub const HEADER: usize = 19;
/// Octets of a message at most (RFC 4271 §4.1); the extension of RFC 8654 is not offered.
pub const MESSAGE_MAX: usize = 4096;

/// Address family and subsequent address family (RFC 4760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// 1 IPv4, 2 IPv6.
    pub afi: u16,
    /// 1 unicast, 133 FlowSpec.
    pub safi: u8,
}

impl Family {
    /// IPv4 unicast.
    pub const IPV4: Self = Self { afi: 1, safi: 1 };
    /// IPv6 unicast.
    pub const IPV6: Self = Self { afi: 2, safi: 1 };
    /// FlowSpec for IPv4 (RFC 8955).
    pub const FLOWSPEC4: Self = Self { afi: 1, safi: 133 };
    /// FlowSpec for IPv6 (RFC 8956).
    pub const FLOWSPEC6: Self = Self { afi: 2, safi: 133 };
    /// All that are spoken here.
    pub const ALL: [Self; 4] = [Self::IPV4, Self::IPV6, Self::FLOWSPEC4, Self::FLOWSPEC6];
}

impl core::fmt::Display for Family {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("ipv4"),
            Self::IPV6 => f.write_str("ipv6"),
            Self::FLOWSPEC4 => f.write_str("ipv4-flowspec"),
            Self::FLOWSPEC6 => f.write_str("ipv6-flowspec"),
            Self { afi, safi } => write!(f, "afi {afi} safi {safi}"),
        }
    }
}

/// Kinds of message (RFC 4271 §4.1, RFC 2918).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OPEN.
    Open = 1,
    /// UPDATE.
    Update = 2,
    /// NOTIFICATION.
    Notification = 3,
    /// KEEPALIVE.
    Keepalive = 4,
    /// ROUTE-REFRESH.
    RouteRefresh = 5,
}

impl Kind {
    const fn of(number: u8) -> Option<(Self, usize)> {
        // With the octets that a message of the kind has at least.
        match number {
            1 => Some((Self::Open, 29)),
            2 => Some((Self::Update, 23)),
            3 => Some((Self::Notification, 21)),
            4 => Some((Self::Keepalive, HEADER)),
            5 => Some((Self::RouteRefresh, 23)),
            _ => None,
        }
    }
}

/// A message in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub kind: Kind,
    /// What follows the header.
    pub body: &'a [u8],
    /// Octets of the whole.
    pub length: usize,
}

/// The first message of a stream; `None` while it has not come whole.
///
/// # Errors
/// The NOTIFICATION with which the session has to end (RFC 4271 §6.1).
pub fn frame(stream: &[u8]) -> Result<Option<Frame<'_>>, Notification> {
    let Some((header, _)) = stream.split_first_chunk::<HEADER>() else {
        // A marker that is wrong does not get better.
        return match stream.iter().take(16).all(|octet| *octet == 0xff) {
            true => Ok(None),
            false => Err(Notification::new(1, 1)),
        };
    };
    let [marker @ .., high, low, kind] = header;
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(Notification::new(1, 1));
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let bad_length = || Notification::with(1, 2, &[*high, *low]);
    if !(HEADER..=MESSAGE_MAX).contains(&length) {
        return Err(bad_length());
    }
    let Some((kind, least)) = Kind::of(*kind) else {
        return Err(Notification::with(1, 3, &[*kind]));
    };
    if length < least || (kind == Kind::Keepalive && length != HEADER) {
        return Err(bad_length());
    }
    let body = stream.get(HEADER..length);
    Ok(body.map(|body| Frame { kind, body, length }))
}

/// A message of this kind; `None` where it would be longer than one may be.
pub fn message(kind: Kind, body: &[u8]) -> Option<Vec<u8>> {
    let length = HEADER + body.len();
    if length > MESSAGE_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(length);
    Writer::new(&mut out).bytes(&[0xff; 16]).u16(u16::try_from(length).ok()?).u8(kind as u8).bytes(body);
    Some(out)
}

/// A KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    message(Kind::Keepalive, &[]).unwrap_or_default()
}

/// A ROUTE-REFRESH as read (RFC 2918): the family that the peer wants to hear again; `None` for the markers of RFC 7313.
pub fn route_refresh(body: &[u8]) -> Option<Family> {
    match *body {
        [a, b, 0, safi] => Some(Family { afi: u16::from_be_bytes([a, b]), safi }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
