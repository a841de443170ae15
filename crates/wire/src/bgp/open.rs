//! OPEN (RFC 4271 §4.2) and the capabilities in it (RFC 5492).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::{Family, Kind, Notification, message};
use crate::emit::Writer;
use crate::reader::{Fault, Reader};

/// Stands in the two octets of OPEN for an AS that needs four (RFC 6793).
pub const AS_TRANS: u16 = 23456;

/// OPEN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// AS of the sender, four octets where it says so (RFC 6793).
    pub asn: u32,
    /// Seconds; 0 is no hold timer.
    pub hold_time: u16,
    /// BGP identifier.
    pub id: Ipv4Addr,
    /// In the order sent.
    pub capabilities: Vec<Capability>,
}

/// What a speaker can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Multiprotocol, for a family (RFC 4760).
    Multiprotocol(Family),
    /// Route refresh (RFC 2918).
    RouteRefresh,
    /// Messages beyond 4096 octets (RFC 8654).
    ExtendedMessage,
    /// Role (RFC 9234): 0 provider, 1 route server, 2 its client, 3 customer, 4 peer.
    Role(u8),
    /// Graceful restart (RFC 4724, RFC 8538).
    GracefulRestart(GracefulRestart),
    /// AS numbers of four octets (RFC 6793).
    FourOctetAs(u32),
    /// What is not spoken here.
    Other(u8, Vec<u8>),
}

/// Graceful restart (RFC 4724 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracefulRestart {
    /// The sender has just started again, and waits for End-of-RIB.
    pub restarting: bool,
    /// Routes are kept over a NOTIFICATION too (RFC 8538).
    pub notification: bool,
    /// Seconds for which routes are kept.
    pub time: u16,
    /// Families, and whether forwarding went on.
    pub families: Vec<(Family, bool)>,
}

impl Open {
    /// Of a message's body.
    ///
    /// # Errors
    /// The NOTIFICATION with which the session has to end (RFC 4271 §6.2).
    pub fn read(body: &[u8]) -> Result<Self, Notification> {
        let unspecific = |_: Fault| Notification::new(2, 0);
        let mut reader = Reader::new(body);
        let version = reader.u8("Version").map_err(unspecific)?;
        if version != 4 {
            return Err(Notification::with(2, 1, &[0, 4]));
        }
        let short = reader.u16("My Autonomous System").map_err(unspecific)?;
        let hold_time = reader.u16("Hold Time").map_err(unspecific)?;
        let id = Ipv4Addr::from(reader.array::<4>("BGP Identifier").map_err(unspecific)?);
        let capabilities = parameters(&mut reader)?;
        let long = capabilities.iter().find_map(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            _ => None,
        });
        let asn = long.unwrap_or_else(|| u32::from(short));
        if asn == 0 {
            return Err(Notification::new(2, 2));
        }
        if id.is_unspecified() {
            return Err(Notification::new(2, 3));
        }
        if matches!(hold_time, 1 | 2) {
            return Err(Notification::new(2, 6));
        }
        Ok(Self { asn, hold_time, id, capabilities })
    }

    /// The message. Capabilities that do not fit in 255 octets are left out.
    pub fn write(&self) -> Vec<u8> {
        let mut capabilities = Vec::new();
        for capability in &self.capabilities {
            let (code, value) = capability.octets();
            let Ok(length) = u8::try_from(value.len()) else { continue };
            // Type and length of the parameter that holds them stand before.
            if capabilities.len() + 2 + value.len() <= 253 {
                Writer::new(&mut capabilities).u8(code).u8(length).bytes(&value);
            }
        }
        let length = u8::try_from(capabilities.len()).unwrap_or(0);
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body);
        writer
            .u8(4)
            .u16(u16::try_from(self.asn).unwrap_or(AS_TRANS))
            .u16(self.hold_time)
            .bytes(&self.id.octets());
        if length == 0 {
            writer.u8(0);
        } else {
            writer.u8(length + 2).u8(2).u8(length).bytes(&capabilities);
        }
        message(Kind::Open, &body).unwrap_or_default()
    }

    /// Families that the sender speaks; IPv4 unicast alone where it names none (RFC 4760 §8).
    pub fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = self
            .capabilities
            .iter()
            .filter_map(|capability| match capability {
                Capability::Multiprotocol(family) => Some(*family),
                _ => None,
            })
            .collect();
        if families.is_empty() {
            families.push(Family::IPV4);
        }
        families.sort_unstable();
        families.dedup();
        families
    }

    /// Its graceful restart.
    pub fn graceful_restart(&self) -> Option<&GracefulRestart> {
        self.capabilities.iter().find_map(|capability| match capability {
            Capability::GracefulRestart(restart) => Some(restart),
            _ => None,
        })
    }
}

/// Optional parameters (RFC 4271 §4.2, RFC 9072): the capabilities among them.
fn parameters(reader: &mut Reader<'_>) -> Result<Vec<Capability>, Notification> {
    let bad = |_: Fault| Notification::new(2, 0);
    let mut length = usize::from(reader.u8("Opt Parm Len").map_err(bad)?);
    let extended = length == 255 && reader.rest().first() == Some(&255);
    if extended {
        reader.skip("Non-Ext OP Type", 1).map_err(bad)?;
        length = usize::from(reader.u16("Extended Opt. Parm Length").map_err(bad)?);
    }
    if reader.len() != length {
        return Err(Notification::new(2, 0));
    }
    let mut out = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8("Parm. Type").map_err(bad)?;
        let length = match extended {
            true => reader.u16("Parm. Length").map_err(bad)?,
            false => u16::from(reader.u8("Parm. Length").map_err(bad)?),
        };
        let mut inner = reader.sub("Parm. Value", usize::from(length)).map_err(bad)?;
        if kind != 2 {
            return Err(Notification::new(2, 4));
        }
        while !inner.is_empty() {
            let code = inner.u8("Capability Code").map_err(bad)?;
            let length = usize::from(inner.u8("Capability Length").map_err(bad)?);
            out.push(Capability::read(code, inner.bytes("Capability Value", length).map_err(bad)?));
        }
    }
    Ok(out)
}

impl Capability {
    /// A value that its RFC does not allow is kept as unknown: what cannot be understood is not used.
    fn read(code: u8, value: &[u8]) -> Self {
        match (code, value) {
            (1, &[a, b, _, safi]) => Self::Multiprotocol(Family { afi: u16::from_be_bytes([a, b]), safi }),
            (2, []) => Self::RouteRefresh,
            (6, []) => Self::ExtendedMessage,
            (9, &[role]) => Self::Role(role),
            (64, [a, b, families @ ..]) if families.len().is_multiple_of(4) => {
                let word = u16::from_be_bytes([*a, *b]);
                let families = families.as_chunks::<4>().0.iter().map(|[a, b, safi, flags]| {
                    (Family { afi: u16::from_be_bytes([*a, *b]), safi: *safi }, flags & 0x80 != 0)
                });
                Self::GracefulRestart(GracefulRestart {
                    restarting: word & 0x8000 != 0,
                    notification: word & 0x4000 != 0,
                    time: word & 0x0fff,
                    families: families.collect(),
                })
            }
            (65, &[a, b, c, d]) => Self::FourOctetAs(u32::from_be_bytes([a, b, c, d])),
            (code, value) => Self::Other(code, value.to_vec()),
        }
    }

    fn octets(&self) -> (u8, Vec<u8>) {
        let mut value = Vec::new();
        let mut writer = Writer::new(&mut value);
        let code = match self {
            Self::Multiprotocol(family) => {
                writer.u16(family.afi).u8(0).u8(family.safi);
                1
            }
            Self::RouteRefresh => 2,
            Self::ExtendedMessage => 6,
            Self::Role(role) => {
                writer.u8(*role);
                9
            }
            Self::GracefulRestart(restart) => {
                let flags = u16::from(restart.restarting) << 15 | u16::from(restart.notification) << 14;
                writer.u16(flags | restart.time.min(0x0fff));
                for (family, forwarding) in &restart.families {
                    writer.u16(family.afi).u8(family.safi).u8(u8::from(*forwarding) << 7);
                }
                64
            }
            Self::FourOctetAs(asn) => {
                writer.u32(*asn);
                65
            }
            Self::Other(code, octets) => {
                writer.bytes(octets);
                *code
            }
        };
        (code, value)
    }
}
