//! Floods over UDP, ICMP, fragments and other protocols, and what reflectors send.

use base::Timestamp;
use wire::packet::{Fragment, GRE, TCP, UDP};

use super::Attack;
use super::reflector::Reflector;
use crate::event::Kind;
use crate::packet::{Data, Draft, Packet};
use crate::population::{forged, internet};
use crate::rng::Rng;

pub(super) fn flood(attack: &Attack, rng: &mut Rng, at: Timestamp, out: &mut Vec<Packet>) {
    let victim = attack.victim(rng);
    let mut tool = attack.fixed(2);
    let source = attack.source(rng);
    let draft = attack.draft(at, source, victim);
    let any_port = rng.range16(1024, 65_535);
    match attack.event.kind {
        Kind::UdpFlood => {
            // Mirai sends 512 octets of noise; others the longest packet, or very short ones, always the same.
            let len = tool.pick(&[512u32, 512, 1_400, 1_024, 64, 30]);
            let port = attack.event.port.unwrap_or_else(|| rng.range16(1, 65_535));
            let data = if tool.chance(0.6) { noise(rng) } else { Data::of(&[0; 32]) };
            out.push(draft.udp((any_port, port), len, data));
        }
        Kind::UdpFragmentFlood | Kind::IpFragmentFlood => {
            let udp = matches!(attack.event.kind, Kind::UdpFragmentFlood);
            let protocol = if udp { UDP } else { tool.pick(&[TCP, TCP, 99]) };
            let octets = if udp { 1_480 } else { tool.pick(&[16u32, 24, 1_480]) };
            let octets = if victim.is_ipv4() { octets } else { octets.min(1_456) };
            let mut packet = draft.any(protocol, octets, noise(rng));
            let more = rng.chance(0.5);
            packet.headers.fragment = Fragment { offset: rng.range16(1, 8_000), more, dont: false };
            packet.extra.id = rng.u32();
            out.push(packet);
        }
        Kind::IcmpFlood => {
            let len = tool.pick(&[32u32, 56, 1_000, 1_400]);
            out.push(draft.icmp(if victim.is_ipv4() { 8 } else { 128 }, 0, len, noise(rng)));
        }
        Kind::GreFlood => {
            // Mirai's GRE-IP: inside, UDP from a random to a random address with 512 octets.
            let mut inner = Vec::new();
            let like = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
            let inside = Draft { src: forged(rng, like), dst: forged(rng, like), ttl: 64, ..draft };
            let packet = inside.udp((any_port, rng.u16()), 512, Data::EMPTY);
            wire::emit::packet::ip(&mut inner, &packet.headers, packet.extra, &[], 64);
            out.push(draft.any(GRE, 4 + packet.headers.length, Data::of(&inner)));
        }
        Kind::OtherProtocolFlood => {
            let protocol = tool.pick(&[99u8, 255, 2, 89, 103, 50]);
            out.push(draft.any(protocol, tool.range(8, 1_200), noise(rng)));
        }
        Kind::QuicFlood => {
            let mut data = Data::of(&[0xc0 | rng.u8() & 3, 0, 0, 0, 1, 8]);
            data.push(&rng.bits().to_be_bytes());
            data.push(&[0]);
            out.push(draft.udp((any_port, attack.event.port.unwrap_or(443)), 1_200, data));
        }
        _ => {
            let mut data = Data::of(&rng.u16().to_be_bytes());
            data.push(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 12]);
            for _ in 0..12 {
                data.push(&[b'a' + u8::try_from(rng.below(26)).unwrap_or(0)]);
            }
            data.push(b"\x07example\x03net\0\0\x01\0\x01");
            out.push(draft.udp((any_port, attack.event.port.unwrap_or(53)), 42, data));
        }
    }
}

/// What one reflector sends for one forged question.
pub(super) fn reflected(
    attack: &Attack,
    reflector: &Reflector,
    rng: &mut Rng,
    at: Timestamp,
    out: &mut Vec<Packet>,
) {
    let victim = attack.victim(rng);
    let number = rng.below(u64::from(attack.event.sources.max(1)));
    let source = internet(base::hash::Mixer::new(attack.seed).with(7).with(number).finish(), victim);
    let mut server = attack.fixed(1_000 + number);
    // Each server has one answer for the one question that is asked again and again, and this attacker forged one port.
    let (lo, hi) = reflector.size;
    let len = server.range(lo, hi);
    let port = attack.event.port.unwrap_or_else(|| attack.fixed(3).range16(1024, 65_535));
    let mut data = Data::of(reflector.answer);
    data.push(&server.bits().to_be_bytes());
    attack.draft(at, source, victim).udp_fragments((reflector.port, port), len, data, rng.u32(), out);
}

/// ICMP echo is replied to, a question gets its "no such name", the rest an unreachable.
pub(super) fn answer(to: &Packet, draft: Draft) -> Packet {
    let v4 = draft.src.is_ipv4();
    let ports = to.headers.ports.map_or((0, 0), |(src, dst)| (dst, src));
    match to.headers.icmp {
        Some((8 | 128, _)) => {
            let len = to.headers.payload_len.unwrap_or(56);
            draft.icmp(if v4 { 0 } else { 129 }, 0, len, to.data)
        }
        _ if ports.0 == 53 => draft.udp(ports, 110, Data::of(&[0, 1, 0x81, 0x83, 0, 1])),
        _ => {
            draft.icmp(if v4 { 3 } else { 1 }, if v4 { 3 } else { 4 }, if v4 { 28 } else { 48 }, Data::EMPTY)
        }
    }
}

fn noise(rng: &mut Rng) -> Data {
    let mut data = Data::EMPTY;
    for _ in 0..4 {
        data.push(&rng.bits().to_be_bytes());
    }
    data
}
