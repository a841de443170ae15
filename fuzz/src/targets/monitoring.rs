//! What tells of routes without being a route: BMP streams of routers, RTR streams of caches.

use wire::bgp::{Attributes, Family, Open, Update, update};
use wire::bmp::{self, Message};
use wire::emit::Writer;
use wire::rtr::{self, Pdu, Timing, Vrp};

use super::Target;
use crate::measure::{Outcome, within};

pub(super) const BMP: Target = Target { name: "bmp", seeds: bmp_seeds, run: bmp };
pub(super) const RTR: Target = Target { name: "rtr", seeds: rtr_seeds, run: rtr };

/// Memory that what is read of a message may take: prefixes are larger than the one octet that they may stand in.
fn most(input: &[u8]) -> u64 {
    16 * 1024 + 64 * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

fn bmp(input: &[u8]) -> Outcome {
    let mut rest = input;
    let mut outcome = Outcome::default();
    let mut decoded = 0;
    loop {
        let frame = match within(0, || bmp::frame(rest)) {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(fault) => {
                outcome = outcome.with(fault.name());
                break;
            }
        };
        assert!(frame.length <= rest.len() && frame.length >= bmp::HEADER, "a frame beyond its stream");
        rest = rest.get(frame.length..).unwrap_or_default();
        match within(0, || Message::read(&frame)) {
            Ok(message) => {
                decoded += 1;
                inside(&message, input);
            }
            Err(fault) => outcome = outcome.with(fault.name()),
        }
    }
    Outcome { faults: outcome.faults, ..Outcome::of(decoded) }
}

/// Reads what a message carries.
fn inside(message: &Message<'_>, input: &[u8]) {
    match message {
        Message::RouteMonitoring(peer, body) => {
            let _ = within(most(input), || Update::read(body, !peer.two_octet_as));
        }
        Message::PeerUp(_, up) => {
            let _ = within(most(input), || (Open::read(up.sent), Open::read(up.received)));
            assert!(up.information.count() <= input.len(), "more information than octets");
        }
        Message::Statistics(_, tlvs) | Message::Initiation(tlvs) | Message::Termination(tlvs) => {
            assert!(tlvs.count() <= input.len(), "more information than octets");
        }
        Message::PeerDown(..) | Message::Mirroring(_) | Message::Other(_) => {}
    }
}

fn bmp_seeds() -> Vec<Vec<u8>> {
    let peer = |flags: u8| {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .u8(0)
            .u8(flags)
            .zeros(8)
            .zeros(12)
            .bytes(&[198, 51, 100, 1])
            .u32(65_001)
            .zeros(12);
        out
    };
    let message = |kind: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        let mut out = Vec::new();
        let length = u32::try_from(bmp::HEADER + body.len()).unwrap_or(u32::MAX);
        Writer::new(&mut out).u8(3).u32(length).u8(kind).bytes(&body);
        out
    };
    let open =
        Open { asn: 65_001, hold_time: 90, id: [192, 0, 2, 1].into(), capabilities: Vec::new() }.write();
    let routes = [vec![24, 198, 51, 100], vec![16, 10, 1]];
    let next_hop = Some([192, 0, 2, 1].into());
    let (updates, _) = update::announce(Family::IPV4, next_hop, &Attributes::default(), &routes, true);
    let mut all = vec![
        message(4, &[&[0, 2, 0, 5], b"edge1"]),
        message(3, &[&peer(0), &[0; 20], &open, &open, &[0, 0, 0, 1, b'x']]),
        message(1, &[&peer(0), &[0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 4, 0]]),
        message(2, &[&peer(0x80), &[2, 0, 24]]),
        message(5, &[&[0, 1, 0, 2, 0, 0]]),
    ];
    all.extend(updates.iter().map(|update| message(0, &[&peer(0x40), update])));
    all.push(all.concat());
    all
}

fn rtr(input: &[u8]) -> Outcome {
    let mut rest = input;
    let mut decoded = 0;
    loop {
        match within(most(input), || rtr::read(rest)) {
            Ok(Some((pdu, version, length))) => {
                assert!(length <= rest.len() && length >= rtr::HEADER, "a PDU beyond its stream");
                rest = rest.get(length..).unwrap_or_default();
                decoded += 1;
                if let Pdu::Prefix { vrp, .. } = &pdu {
                    assert!(vrp.prefix.bits() <= vrp.max_length, "a part longer than its whole");
                    let mut again = Vec::new();
                    pdu.write(&mut again, version);
                    assert_eq!(rtr::read(&again), Ok(Some((pdu, version, length))), "written otherwise");
                }
            }
            Ok(None) => return Outcome::of(decoded),
            Err(fault) => return Outcome::of(decoded).with(fault.name()),
        }
    }
}

fn rtr_seeds() -> Vec<Vec<u8>> {
    let vrp = |text: &str, max_length| {
        let prefix = text.parse().expect("a seed is a prefix");
        Pdu::Prefix { announce: true, vrp: Vrp { prefix, max_length, asn: 64_500 } }
    };
    let table = [
        Pdu::CacheResponse { session: 7 },
        vrp("198.51.100.0/24", 32),
        vrp("2001:db8::/32", 48),
        Pdu::EndOfData { session: 7, serial: 9, timing: Some(Timing::default()) },
        Pdu::SerialNotify { session: 7, serial: 10 },
    ];
    let refusals = [Pdu::Error { code: rtr::error::NO_DATA, text: "later".to_owned() }, Pdu::CacheReset];
    let questions = [Pdu::ResetQuery, Pdu::SerialQuery { session: 7, serial: 9 }];
    let written = |pdus: &[Pdu], version: u8| {
        let mut out = Vec::new();
        pdus.iter().for_each(|pdu| pdu.write(&mut out, version));
        out
    };
    vec![written(&table, 1), written(&table, 0), written(&refusals, 1), written(&questions, 1)]
}
