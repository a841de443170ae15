//! Floods of TCP segments without connections.

use base::Timestamp;
use wire::packet::flags::{ACK, FIN, PSH, RST, SYN, URG};

use super::Attack;
use crate::event::{Direction, Kind};
use crate::packet::{Data, Draft, Packet, Segment};
use crate::population::forged;
use crate::rng::Rng;

pub(super) fn flood(attack: &Attack, rng: &mut Rng, at: Timestamp, out: &mut Vec<Packet>) {
    let victim = attack.victim(rng);
    let mut tool = attack.fixed(1);
    // What a tool sets once: window, options, the time to live it starts with.
    let window = tool.pick(&[0u16, 1024, 5840, 64_240, 29_200, 512]);
    let options_len = tool.pick(&[0u8, 0, 0, 4, 20]);
    let hops = tool.range16(8, 14);
    let usual = attack.event.port.unwrap_or_else(|| tool.pick(&[80u16, 443, 443, 22, 25565]));
    let src = match attack.event.kind {
        Kind::SynFlood { forged: true } if attack.event.direction == Direction::In => forged(rng, victim),
        _ => attack.source(rng),
    };
    let mut draft = attack.draft(at, src, victim);
    let base = Segment { seq: rng.u32(), ack: rng.u32(), ..Segment::default() };
    let ports = (rng.range16(1024, 65_535), usual);
    let segment = match attack.event.kind {
        Kind::SynFlood { forged } => {
            if forged && attack.event.direction == Direction::In {
                // All from the same few machines: their way, not that of the address they wrote.
                draft.ttl = (if tool.chance(0.7) { 255u8 } else { 64 })
                    .saturating_sub(u8::try_from(hops).unwrap_or(10))
                    .saturating_sub(rng.pick(&[0u8, 0, 2, 5]));
            }
            Segment { ports, flags: SYN, window, options_len, ack: 0, ..base }
        }
        Kind::Scan => Segment { ports, flags: SYN, window: 1024, options_len: 4, ack: 0, ..base },
        Kind::AckFlood => {
            let payload_len = if tool.chance(0.5) { 0 } else { tool.range(0, 1000) };
            let flags = if payload_len > 0 { PSH | ACK } else { ACK };
            Segment { ports, flags, window, payload_len, ..base }
        }
        Kind::RstFinFlood => {
            let flags = rng.pick(&[RST, RST | ACK, FIN | ACK]);
            Segment { ports, flags, window: 0, ..base }
        }
        Kind::OddFlagsFlood => {
            let flags = rng.pick(&[0u16, FIN | PSH | URG, SYN | FIN, SYN | RST, FIN, URG]);
            Segment { ports, flags, window, ..base }
        }
        Kind::SynAckReflection => return reflected(attack, rng, draft, base, out),
        Kind::MiddleboxReflection => return block_page(rng, draft, base, out),
        _ => Segment { ports, flags: ACK, window, ..base },
    };
    let data = if segment.payload_len > 0 { Data::of(&rng.bits().to_be_bytes()) } else { Data::EMPTY };
    out.push(draft.tcp(segment, data));
}

/// Servers answer: nearly all with SYN-ACK, some with RST, a few with an ICMP error that quotes what was forged.
fn reflected(attack: &Attack, rng: &mut Rng, draft: Draft, base: Segment, out: &mut Vec<Packet>) {
    let service = attack.event.port.unwrap_or_else(|| rng.pick(&[80u16, 80, 80, 80, 443]));
    let ports = (service, rng.range16(1024, 65_535));
    let window = rng.pick(&[65_535u16, 29_200, 14_600, 64_240, 8_192]);
    match rng.below(100) {
        0..88 => {
            let options_len = rng.pick(&[4u8, 4, 4, 8, 12]);
            out.push(
                draft.tcp(Segment { ports, flags: SYN | ACK, window, options_len, ..base }, Data::EMPTY),
            );
        }
        88..98 => out.push(draft.tcp(Segment { ports, flags: RST | ACK, window: 0, ..base }, Data::EMPTY)),
        _ => {
            let quoted = quote(draft, ports);
            out.push(draft.icmp(
                if draft.src.is_ipv4() { 3 } else { 1 },
                1,
                if draft.src.is_ipv4() { 28 } else { 48 },
                quoted,
            ));
        }
    }
}

/// A censor's page and the reset behind it, in the name of a server that was never asked.
fn block_page(rng: &mut Rng, draft: Draft, base: Segment, out: &mut Vec<Packet>) {
    let ports = (80, rng.range16(1024, 65_535));
    let payload_len = rng.range(140, 1_400);
    let page = Data::of(b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: clo");
    out.push(draft.tcp(Segment { ports, flags: PSH | ACK, window: 8_192, payload_len, ..base }, page));
    let mut behind = draft;
    behind.at = draft.at.plus(base::Span::from_nanos(40_000));
    out.push(behind.tcp(Segment { ports, flags: RST | ACK, window: 0, ..base }, Data::EMPTY));
}

/// Front of the packet that an ICMP error is about: it went from our host to the one that answers.
fn quote(draft: Draft, ports: (u16, u16)) -> Data {
    let inner = Draft { src: draft.dst, dst: draft.src, ttl: 1, ..draft };
    let segment = Segment { ports: (ports.1, ports.0), flags: SYN, ..Segment::default() };
    let packet = inner.tcp(segment, Data::EMPTY);
    let mut bytes = Vec::new();
    wire::emit::packet::ip(&mut bytes, &packet.headers, packet.extra, &[], 48);
    Data::of(&bytes)
}

/// SYN is answered by SYN-ACK, the rest by RST.
pub(super) fn answer(to: &Packet, draft: Draft) -> Packet {
    let ports = to.headers.ports.map_or((0, 0), |(src, dst)| (dst, src));
    let syn = to.headers.tcp.is_some_and(|tcp| tcp.flags & (SYN | ACK) == SYN);
    let base = Segment { ports, seq: to.extra.ack, ack: to.extra.seq.wrapping_add(1), ..Segment::default() };
    let segment = if syn {
        let seq = to.extra.seq.rotate_left(9) ^ 0x5bd1_e995;
        Segment { flags: SYN | ACK, window: 64_240, options_len: 4, seq, ..base }
    } else {
        Segment { flags: RST, ..base }
    };
    draft.tcp(segment, Data::EMPTY)
}
