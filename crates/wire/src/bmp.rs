//! BGP monitoring protocol, version 3 (RFC 7854, with the peers of RFC 8671 and RFC 9069): what a router tells of its sessions.
//!
//! Nothing is allocated: texts, OPENs and UPDATEs are slices of the message, counters and information are read as one
//! walks over them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Span, Timestamp};

use crate::bgp;
use crate::reader::{Fault, Reader};

/// Octets of the common header: version, length, type (RFC 7854 §4.1).
pub const HEADER: usize = 6;
/// Octets of a message at most. The RFC has no limit; the longest message that makes sense is a `PEER UP` with two OPENs of
/// 64 KiB each (RFC 8654 leaves OPENs at 4 KiB) and its information.
pub const MESSAGE_MAX: usize = 256 << 10;

/// A message in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its type.
    pub kind: u8,
    /// What follows the common header.
    pub body: &'a [u8],
    /// Octets of the whole.
    pub length: usize,
}

/// The first message of a stream; `None` while it has not come whole.
///
/// # Errors
/// When this is not BMP, or lost its place: nothing that follows can be believed.
pub fn frame(stream: &[u8]) -> Result<Option<Frame<'_>>, Fault> {
    let Some(version) = stream.first() else { return Ok(None) };
    if *version != 3 {
        return Err(Fault::Version { found: u32::from(*version) });
    }
    let Some(([_, length @ .., kind], _)) = stream.split_first_chunk::<HEADER>() else { return Ok(None) };
    let said = u32::from_be_bytes(*length);
    let length = usize::try_from(said).unwrap_or(usize::MAX);
    if !(HEADER..=MESSAGE_MAX).contains(&length) {
        return Err(Fault::Length { what: "Message Length", found: length });
    }
    Ok(stream.get(HEADER..length).map(|body| Frame { kind: *kind, body, length }))
}

/// Whose routes (RFC 7854 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// 0 a global instance, 1 one in a VRF, 2 a local one, 3 the local RIB (RFC 9069).
    pub kind: u8,
    /// Tells equal addresses in different VRFs apart.
    pub distinguisher: [u8; 8],
    /// Its address; unspecified for the local RIB.
    pub address: IpAddr,
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier.
    pub id: Ipv4Addr,
    /// When the router received what it tells; zero where it does not say.
    pub at: Timestamp,
    /// The routes are those left by the import policy.
    pub post_policy: bool,
    /// `AS_PATH` has numbers of two octets.
    pub two_octet_as: bool,
    /// The routes are those that are sent to the peer (RFC 8671).
    pub outgoing: bool,
}

impl Peer {
    /// The kind of a peer outside of any VRF.
    pub const GLOBAL: u8 = 0;
    /// The kind of the local RIB (RFC 9069).
    pub const LOCAL_RIB: u8 = 3;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let kind = reader.u8("Peer Type")?;
        let mut flags = reader.u8("Peer Flags")?;
        if kind == Self::LOCAL_RIB {
            // There the first flag says that the RIB is filtered, and the others are unused (RFC 9069 §4.2).
            flags = 0;
        }
        let distinguisher = reader.array("Peer Distinguisher")?;
        let address = address(reader.array("Peer Address")?, flags & 0x80 != 0);
        let asn = reader.u32("Peer AS")?;
        let id = Ipv4Addr::from(reader.array::<4>("Peer BGP ID")?);
        let secs = reader.u32("Timestamp (seconds)")?;
        let micros = reader.u32("Timestamp (microseconds)")?;
        Ok(Self {
            kind,
            distinguisher,
            address,
            asn,
            id,
            at: Timestamp::from_secs(u64::from(secs)).plus(Span::from_nanos(u64::from(micros) * 1000)),
            post_policy: flags & 0x40 != 0,
            two_octet_as: flags & 0x20 != 0,
            outgoing: flags & 0x10 != 0,
        })
    }
}

fn address(octets: [u8; 16], v6: bool) -> IpAddr {
    if v6 {
        return IpAddr::V6(Ipv6Addr::from(octets));
    }
    let [.., a, b, c, d] = octets;
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Why a peer went down (RFC 7854 §4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down<'a> {
    /// The router ended it, with this NOTIFICATION's body.
    LocalNotification(&'a [u8]),
    /// The router ended it by this event of its state machine.
    LocalEvent(u16),
    /// The peer ended it, with this NOTIFICATION's body.
    RemoteNotification(&'a [u8]),
    /// The peer ended it without a word.
    RemoteSilence,
    /// It is no longer monitored.
    Deconfigured,
    /// A reason that came later than this.
    Other(u8),
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// An UPDATE's body.
    RouteMonitoring(Peer, &'a [u8]),
    /// Counters of a peer.
    Statistics(Peer, Tlvs<'a>),
    /// A session ended.
    PeerDown(Peer, Down<'a>),
    /// A session began.
    PeerUp(Peer, Up<'a>),
    /// Who the router is.
    Initiation(Tlvs<'a>),
    /// Why it stops to tell.
    Termination(Tlvs<'a>),
    /// A message as it was received; not looked at.
    Mirroring(Peer),
    /// A type that came later than this.
    Other(u8),
}

/// A session that began (RFC 7854 §4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Up<'a> {
    /// The router's own address.
    pub local: IpAddr,
    /// Its port, and the peer's.
    pub ports: (u16, u16),
    /// The body of the OPEN that it sent.
    pub sent: &'a [u8],
    /// The body of the OPEN that it received.
    pub received: &'a [u8],
    /// What else it says.
    pub information: Tlvs<'a>,
}

impl<'a> Message<'a> {
    /// Of a frame.
    ///
    /// # Errors
    /// What is wrong with it. Those that follow in the stream are not touched by that.
    pub fn read(frame: &Frame<'a>) -> Result<Self, Fault> {
        let mut reader = Reader::new(frame.body);
        Ok(match frame.kind {
            0 => {
                let peer = Peer::read(&mut reader)?;
                Self::RouteMonitoring(peer, pdu(&mut reader, bgp::Kind::Update)?)
            }
            1 => {
                let peer = Peer::read(&mut reader)?;
                let _count = reader.u32("Stats Count")?;
                Self::Statistics(peer, Tlvs(reader))
            }
            2 => {
                let peer = Peer::read(&mut reader)?;
                Self::PeerDown(peer, down(&mut reader)?)
            }
            3 => {
                let peer = Peer::read(&mut reader)?;
                let octets: [u8; 16] = reader.array("Local Address")?;
                let v6 = peer.address.is_ipv6() || octets.iter().take(12).any(|octet| *octet != 0);
                let ports = (reader.u16("Local Port")?, reader.u16("Remote Port")?);
                let sent = pdu(&mut reader, bgp::Kind::Open)?;
                let received = pdu(&mut reader, bgp::Kind::Open)?;
                let local = address(octets, v6);
                Self::PeerUp(peer, Up { local, ports, sent, received, information: Tlvs(reader) })
            }
            4 => Self::Initiation(Tlvs(reader)),
            5 => Self::Termination(Tlvs(reader)),
            6 => Self::Mirroring(Peer::read(&mut reader)?),
            other => Self::Other(other),
        })
    }
}

fn down<'a>(reader: &mut Reader<'a>) -> Result<Down<'a>, Fault> {
    Ok(match reader.u8("Reason")? {
        1 => Down::LocalNotification(pdu(reader, bgp::Kind::Notification)?),
        2 => Down::LocalEvent(reader.u16("FSM Event Code")?),
        3 => Down::RemoteNotification(pdu(reader, bgp::Kind::Notification)?),
        4 => Down::RemoteSilence,
        5 => Down::Deconfigured,
        other => Down::Other(other),
    })
}

/// The body of the BGP message that stands here. In BMP it may be longer than a session of ours takes (RFC 8654).
fn pdu<'a>(reader: &mut Reader<'a>, kind: bgp::Kind) -> Result<&'a [u8], Fault> {
    let marker: [u8; 16] = reader.array("Marker")?;
    if marker != [0xff; 16] {
        return Err(Fault::Value { what: "Marker", found: u64::from(marker.first().copied().unwrap_or(0)) });
    }
    let length = usize::from(reader.u16("Length")?);
    let found = reader.u8("Type")?;
    if found != kind as u8 {
        return Err(Fault::Value { what: "Type", found: u64::from(found) });
    }
    let body = length.checked_sub(bgp::HEADER).ok_or(Fault::Length { what: "Length", found: length })?;
    reader.bytes("BGP Message", body)
}

/// A type, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Its type; which, depends on the message.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

impl Tlv<'_> {
    /// `sysDescr` in an initiation.
    pub const SYS_DESCR: u16 = 1;
    /// `sysName` in an initiation.
    pub const SYS_NAME: u16 = 2;
    /// Routes in the Adj-RIB-In, in statistics.
    pub const ADJ_RIB_IN: u16 = 7;
    /// Routes in the local RIB, in statistics.
    pub const LOC_RIB: u16 = 8;

    /// A counter or gauge of four or eight octets; `None` for those that have more to say.
    pub fn number(&self) -> Option<u64> {
        match *self.value {
            [a, b, c, d] => Some(u64::from(u32::from_be_bytes([a, b, c, d]))),
            [a, b, c, d, e, f, g, h] => Some(u64::from_be_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }
}

/// Types and values, one after the other. After a fault there is nothing more.
#[derive(Clone, Copy, Debug)]
pub struct Tlvs<'a>(Reader<'a>);

impl PartialEq for Tlvs<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.rest() == other.0.rest()
    }
}

impl Eq for Tlvs<'_> {}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut take = || {
            let kind = self.0.u16("Information Type")?;
            let length = usize::from(self.0.u16("Information Length")?);
            Ok(Tlv { kind, value: self.0.bytes("Information", length)? })
        };
        let taken = take();
        if taken.is_err() {
            self.0 = Reader::new(&[]);
        }
        Some(taken)
    }
}
