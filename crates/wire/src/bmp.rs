//! The BGP Monitoring Protocol (RFC 7854): what a router tells of the routes that its peers send it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bgp::{self, Kind, Open, Update};
use crate::reader::{Fault, Reader};

/// Octets of the header: version, length, type (RFC 7854 §4.1).
pub const HEADER: usize = 6;
/// Octets of the header of messages about a peer (§4.2).
const PEER_HEADER: usize = 42;
/// No message that is read here is longer: two OPEN or one UPDATE with what stands around them; mirrors are skipped.
pub const MESSAGE_MAX: usize = 65_536;

/// Of whom a message speaks (§4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// 0 global, 1 with a route distinguisher, 2 local, 3 the router's own table (RFC 9069).
    pub kind: u8,
    /// Route distinguisher, else 0.
    pub distinguisher: u64,
    /// Its address; unspecified for the router's own table.
    pub address: IpAddr,
    /// After the router's policy (`L`), or before it.
    pub post_policy: bool,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who speaks (§4.3): the names that it gives.
    Initiation {
        /// `sysName`.
        name: String,
        /// `sysDescr`.
        description: String,
    },
    /// It will not speak any more (§4.5).
    Termination,
    /// A session stands (§4.10).
    PeerUp {
        /// With whom.
        peer: Peer,
        /// The peer's AS.
        asn: u32,
    },
    /// A session is gone (§4.9), with all its routes.
    PeerDown {
        /// With whom.
        peer: Peer,
        /// 1 and 2 the router closed it, 3 and 4 the peer, 5 it is monitored no longer.
        reason: u8,
    },
    /// What a peer announced or withdrew (§4.6).
    Routes {
        /// Who did.
        peer: Peer,
        /// What.
        update: Update,
    },
    /// Of no use here: statistics, mirrors, and what came later.
    Other(u8),
}

/// The first message of a stream with its octets; `None` while it has not come whole.
///
/// # Errors
/// The stream is of no use from here on.
pub fn frame(stream: &[u8]) -> Result<Option<(u8, &[u8], usize)>, Fault> {
    let Some((header, _)) = stream.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [version, length @ .., kind] = *header;
    if version != 3 {
        return Err(Fault::Version { found: u32::from(version) });
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(HEADER..=MESSAGE_MAX).contains(&length) {
        return Err(Fault::Length { what: "Message Length", found: length });
    }
    Ok(stream.get(HEADER..length).map(|body| (kind, body, length)))
}

/// A message's body.
///
/// # Errors
/// It is of no use; the next one may be.
pub fn read(kind: u8, body: &[u8]) -> Result<Message, Fault> {
    let mut reader = Reader::new(body);
    Ok(match kind {
        0 => {
            let (peer, legacy, _) = peer(&mut reader)?;
            let update = inside(&mut reader, Kind::Update)?;
            let update = Update::read(update, !legacy)
                .map_err(|why| Fault::Value { what: "BGP Update", found: u64::from(why.subcode) })?;
            Message::Routes { peer, update }
        }
        2 => {
            let (peer, ..) = peer(&mut reader)?;
            Message::PeerDown { peer, reason: reader.u8("Reason")? }
        }
        3 => {
            let (peer, _, asn) = peer(&mut reader)?;
            reader.skip("Local Address and Ports", 20)?;
            inside(&mut reader, Kind::Open)?;
            let received = inside(&mut reader, Kind::Open)?;
            Open::read(received)
                .map_err(|why| Fault::Value { what: "Received OPEN", found: u64::from(why.subcode) })?;
            Message::PeerUp { peer, asn }
        }
        4 => {
            let (mut name, mut description) = (String::new(), String::new());
            while !reader.is_empty() {
                let kind = reader.u16("Information Type")?;
                let length = usize::from(reader.u16("Information Length")?);
                let text = reader.bytes("Information", length)?;
                let text = || String::from_utf8_lossy(text.get(..256).unwrap_or(text)).into_owned();
                match kind {
                    1 => description = text(),
                    2 => name = text(),
                    _ => {}
                }
            }
            Message::Initiation { name, description }
        }
        5 => Message::Termination,
        other => Message::Other(other),
    })
}

/// The header of a message about a peer, whether its AS numbers have two octets, and the AS.
fn peer(reader: &mut Reader<'_>) -> Result<(Peer, bool, u32), Fault> {
    let mut header = reader.sub("Per-Peer Header", PEER_HEADER)?;
    let kind = header.u8("Peer Type")?;
    let flags = header.u8("Peer Flags")?;
    let distinguisher = header.u64("Peer Distinguisher")?;
    let address: [u8; 16] = header.array("Peer Address")?;
    let asn = header.u32("Peer AS")?;
    let [.., a, b, c, d] = address;
    // Bits of RFC 7854 §4.2; the table of RFC 9069 has others, and no address.
    let (v6, post_policy, legacy) = match kind {
        3 => (false, false, false),
        _ => (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0),
    };
    let address =
        if v6 { IpAddr::V6(Ipv6Addr::from(address)) } else { IpAddr::V4(Ipv4Addr::new(a, b, c, d)) };
    Ok((Peer { kind, distinguisher, address, post_policy }, legacy, asn))
}

/// The body of a BGP message that stands inside.
fn inside<'a>(reader: &mut Reader<'a>, kind: Kind) -> Result<&'a [u8], Fault> {
    let stream = reader.rest();
    let found = bgp::frame(stream)
        .map_err(|why| Fault::Value { what: "BGP message", found: u64::from(why.subcode) })?
        .filter(|frame| frame.kind == kind)
        .ok_or(Fault::Length { what: "BGP message", found: stream.len() })?;
    reader.skip("BGP message", found.length)?;
    Ok(found.body)
}

/// A message, for worlds and tests.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    crate::emit::Writer::new(&mut out).u8(3).u32(length).u8(kind).bytes(body);
    out
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::bgp::attribute::Segment;
    use crate::bgp::{Attributes, Family, nlri, update};

    fn about(flags: u8, address: [u8; 16]) -> Vec<u8> {
        let mut out = vec![0, flags];
        out.extend([0; 8]);
        out.extend(address);
        out.extend(64_500u32.to_be_bytes());
        out.extend([192, 0, 2, 1]);
        out.extend([0; 8]);
        out
    }

    const PEER4: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 7];

    fn an_update() -> Vec<u8> {
        let attributes = Attributes {
            origin: Some(0),
            as_path: Some(vec![Segment::sequence(vec![64_500, 64_501])]),
            ..Attributes::default()
        };
        let mut route = Vec::new();
        nlri::write(&mut route, &"198.51.100.0/24".parse().unwrap());
        let hop = Some("192.0.2.7".parse().unwrap());
        update::announce(Family::IPV4, hop, &attributes, &[route], true).0.concat()
    }

    fn whole(octets: &[u8]) -> Message {
        let (kind, body, length) = frame(octets).unwrap().unwrap();
        assert_eq!(length, octets.len());
        read(kind, body).unwrap()
    }

    #[test]
    fn routes_of_a_peer_are_read() {
        let body = [about(0, PEER4), an_update()].concat();
        let Message::Routes { peer, update } = whole(&message(0, &body)) else { panic!() };
        assert_eq!((peer.address, peer.post_policy), ("192.0.2.7".parse().unwrap(), false));
        assert_eq!(update.announced, ["198.51.100.0/24".parse().unwrap()]);
        assert_eq!(update.attributes.origin_as(), Some(64_501));
        // The same octets read with AS numbers of two octets are another path.
        let body = [about(0x20, PEER4), an_update()].concat();
        let Message::Routes { update, .. } = whole(&message(0, &body)) else { panic!() };
        assert_ne!(update.attributes.origin_as(), Some(64_501));
        let six: core::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
        let down = [about(0xc0, six.octets()), vec![4]].concat();
        let Message::PeerDown { peer, reason } = whole(&message(2, &down)) else { panic!() };
        assert_eq!((peer.address, peer.post_policy, reason), (six.into(), true, 4));
    }

    #[test]
    fn sessions_begin_and_speakers_have_names() {
        let open =
            Open { asn: 64_500, hold_time: 90, id: "192.0.2.7".parse().unwrap(), capabilities: Vec::new() }
                .write();
        let up = [about(0, PEER4), vec![0; 20], open.clone(), open].concat();
        let Message::PeerUp { peer, asn } = whole(&message(3, &up)) else { panic!() };
        assert_eq!((peer.address, asn), ("192.0.2.7".parse().unwrap(), 64_500));
        let mut names = vec![0, 2, 0, 2];
        names.extend(b"r1");
        names.extend([0, 1, 0, 3]);
        names.extend(b"FRR");
        let said = Message::Initiation { name: "r1".into(), description: "FRR".into() };
        assert_eq!(whole(&message(4, &names)), said);
        assert_eq!(whole(&message(5, &[])), Message::Termination);
        assert_eq!(whole(&message(1, &[0; 50])), Message::Other(1));
    }

    #[test]
    fn what_cannot_be_is_refused_and_the_next_message_is_found() {
        assert_eq!(frame(&[2, 0, 0, 0, 6, 5]), Err(Fault::Version { found: 2 }));
        assert!(frame(&[3, 0, 0, 0, 5, 5]).is_err(), "shorter than its header");
        assert!(frame(&[3, 1, 0, 0, 0, 5]).is_err(), "16 MiB");
        assert_eq!(frame(&[3, 0, 0, 0, 7, 5]), Ok(None));
        let update = an_update();
        for cut in 0..update.len() {
            let body = [about(0, PEER4), update.get(..cut).unwrap().to_vec()].concat();
            let stream = [message(0, &body), message(5, &[])].concat();
            let (kind, inside, length) = frame(&stream).unwrap().unwrap();
            assert!(read(kind, inside).is_err(), "{cut}");
            assert_eq!(whole(stream.get(length..).unwrap()), Message::Termination);
        }
        for cut in 0..PEER_HEADER {
            assert!(read(2, about(0, PEER4).get(..cut).unwrap()).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_give_a_value_or_a_fault(
            kind in 0u8..8, head in any::<bool>(), body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let body = if head { [about(0, PEER4), body].concat() } else { body };
            let octets = message(kind, &body);
            let (kind, inside, _) = frame(&octets).unwrap().unwrap();
            let _ = read(kind, inside);
        }
    }
}
