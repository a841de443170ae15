//! Conversations over UDP, ICMP and tunnels.

use base::hash::Mixer;

use super::{Kind, Session};
use crate::packet::{Data, Draft, Packet};

pub(super) fn from_client(s: &Session, i: u32) -> bool {
    match s.kind {
        Kind::Quic => matches!(i, 0 | 3) || (i > 3 && (i - 4) % 3 == 2),
        Kind::Game | Kind::Voice => i.is_multiple_of(2),
        Kind::Tunnel | Kind::Encapsulated(_) => hash(s, u64::from(i)).is_multiple_of(3),
        _ => i == 0,
    }
}

pub(super) fn packet(s: &Session, i: u32, draft: Draft) -> Packet {
    let client = from_client(s, i);
    let ports = s.ports(client);
    let h = hash(s, 1000 + u64::from(i));
    let size = |lo: u32, hi: u32| lo + u32::try_from(h % u64::from(hi - lo + 1)).unwrap_or(0);
    match s.kind {
        Kind::Quic => {
            let (len, data) = quic(s, i, h, client);
            draft.udp(ports, len, data)
        }
        Kind::Dns | Kind::DnsLarge => dns(s, i, draft, ports),
        Kind::Ntp => {
            // RFC 5905 §7.3: leap 0, version 4, mode 3 asks and 4 answers.
            let mut data = Data::of(if client { &[0x23, 0, 6, 0xec] } else { &[0x24, 2, 6, 0xe9] });
            data.push(&h.to_be_bytes());
            draft.udp(ports, 48, data)
        }
        Kind::Game => {
            let mut data = Data::of(&[if client { 0x84 } else { 0x8c }]);
            data.push(&h.to_be_bytes());
            draft.udp(ports, if client { size(28, 140) } else { size(60, 420) }, data)
        }
        Kind::Voice => {
            // RFC 3550 §5.1: version 2, payload type 8, sequence number.
            let mut data = Data::of(&[0x80, 8]);
            data.push(&i.to_be_bytes());
            data.push(&s.seed.to_be_bytes());
            let mut packet = draft.udp(ports, 172, data);
            packet.headers.dscp = 46;
            packet
        }
        Kind::Tunnel => {
            let mut data = Data::of(&[4, 0, 0, 0]);
            data.push(&s.seed.to_be_bytes());
            draft.udp(ports, if h % 5 < 3 { 1_420 } else { size(64, 1_300) / 16 * 16 }, data)
        }
        Kind::Encapsulated(protocol) => {
            let mut data = Data::EMPTY;
            data.push(&s.seed.to_be_bytes());
            data.push(&u64::from(i).to_be_bytes());
            draft.any(protocol, if h % 5 < 3 { 1_432 } else { size(72, 1_300) / 4 * 4 }, data)
        }
        Kind::Ping => {
            let v4 = draft.src.is_ipv4();
            let kind = match (v4, client) {
                (true, true) => 8,
                (true, false) => 0,
                (false, true) => 128,
                (false, false) => 129,
            };
            draft.icmp(kind, 0, 56, Data::of(b"\0\0\0\0\0\0\0\0\x10\x11\x12\x13\x14\x15\x16\x17"))
        }
        Kind::Service(reflector) => {
            if client {
                draft.udp(ports, reflector.request.1, Data::of(reflector.request.0))
            } else {
                draft.udp(ports, reflector.honest, Data::of(reflector.answer))
            }
        }
        // The connections are told next door.
        _ => draft.udp(ports, 32, Data::EMPTY),
    }
}

/// RFC 9000 §17: long headers while shaking hands, short ones after.
fn quic(s: &Session, i: u32, h: u64, client: bool) -> (u32, Data) {
    let mut data = Data::EMPTY;
    if i < 4 {
        data.push(&[if i == 0 { 0xc3 } else { 0xe1 }, 0, 0, 0, 1, 8]);
        data.push(&s.seed.to_be_bytes());
        data.push(&[0]);
        return (if i < 3 { 1_200 } else { 80 }, data);
    }
    data.push(&[0x40 | u8::try_from(h & 0x1f).unwrap_or(0)]);
    data.push(&s.seed.to_le_bytes());
    data.push(&h.to_be_bytes());
    let len = match (client, h % 7) {
        (true, 0) => 180 + u32::try_from(h >> 8 & 0x1ff).unwrap_or(0),
        (true, _) => 33 + u32::try_from(h >> 8 & 7).unwrap_or(0),
        (false, 0) => 120 + u32::try_from(h >> 8 & 0x3ff).unwrap_or(0),
        (false, _) => 1_250,
    };
    (len, data)
}

/// RFC 1035 §4.1.
fn dns(s: &Session, i: u32, draft: Draft, ports: (u16, u16)) -> Packet {
    let [a, b, c, d, ..] = hash(s, 77).to_be_bytes();
    let h = hash(s, 78);
    let mut data = Data::of(&[a, b]);
    if i == 0 {
        data.push(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        name(&mut data, [c, d], h);
        return draft.udp(ports, 40 + u32::try_from(h % 24).unwrap_or(0), data);
    }
    data.push(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1]);
    name(&mut data, [c, d], h);
    if matches!(s.kind, Kind::Dns) {
        let len = if h.is_multiple_of(40) { 1_100 } else { 60 + u32::try_from((h >> 8) % 400).unwrap_or(0) };
        return draft.udp(ports, len, data);
    }
    let mut parts = Vec::new();
    draft.udp_fragments(
        ports,
        1_600 + u32::try_from((h >> 8) % 1_000).unwrap_or(0),
        data,
        u32::from_be_bytes([a, b, c, d]),
        &mut parts,
    );
    let wanted = usize::try_from(i - 1).unwrap_or(0);
    let mut packet =
        parts.get(wanted).or_else(|| parts.first()).copied().unwrap_or_else(|| draft.udp(ports, 512, data));
    packet.at = draft.at;
    packet
}

fn name(data: &mut Data, label: [u8; 2], h: u64) {
    let letter = |b: u8| b'a' + b % 26;
    data.push(&[
        3,
        b'w',
        b'w',
        b'w',
        4,
        letter(label[0]),
        letter(label[1]),
        b'-',
        letter(label[0] ^ label[1]),
    ]);
    data.push(b"\x07example\x03net\0");
    data.push(&[0, if h.is_multiple_of(3) { 28 } else { 1 }, 0, 1]);
}

const fn hash(s: &Session, part: u64) -> u64 {
    Mixer::new(s.seed).with(part).finish()
}
