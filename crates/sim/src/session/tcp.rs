//! Connections. Layout: SYN, SYN-ACK, ACK, request, its ACK, then cycles of (data, data, ACK), FIN, FIN-ACK, ACK.

use base::hash::Mixer;
use base::prefix::wide;
use wire::packet::flags::{ACK, FIN, PSH, RST, SYN};

use super::{Kind, Session};
use crate::packet::{Data, Draft, Packet, Segment};

/// Packets before the cycles begin, and after they end.
const HEAD: u32 = 5;
const TAIL: u32 = 3;
/// Data segments of a burst: ten cycles.
const BURST: u32 = 20;

/// Sizes of this conversation.
struct Sizes {
    request: u32,
    segment: u32,
    /// The last segment of a burst.
    rest: u32,
    /// Each later request, or each answer to a small packet.
    again: u32,
}

fn sizes(s: &Session) -> Sizes {
    let pick = |part: u64, lo: u32, hi: u32| {
        lo + u32::try_from(Mixer::new(s.seed).with(part).finish() % u64::from(hi - lo + 1)).unwrap_or(0)
    };
    let segment = if s.client.is_ipv4() { 1448 } else { 1428 };
    match s.kind {
        Kind::Interactive => {
            Sizes { request: 48, segment: pick(1, 24, 160), rest: pick(2, 24, 160), again: 36 }
        }
        Kind::Http => {
            Sizes { request: pick(3, 180, 700), segment, rest: pick(4, 40, 1400), again: pick(5, 180, 700) }
        }
        Kind::Slow => Sizes { request: 180, segment: 12, rest: 12, again: 12 },
        Kind::Request => Sizes { request: pick(6, 120, 420), segment, rest: pick(7, 200, 1200), again: 0 },
        _ => Sizes { request: 517, segment, rest: pick(8, 40, 1400), again: pick(9, 90, 900) },
    }
}

/// Whether data flows from client to server.
const fn uploads(s: &Session) -> bool {
    matches!(s.kind, Kind::Upload | Kind::Slow)
}

pub(super) fn from_client(s: &Session, i: u32) -> bool {
    match i {
        0 | 2 | 3 => true,
        1 | 4 => false,
        _ if i + TAIL >= s.len => (s.len - i) != 2,
        // The third of a cycle is the answer to the first two.
        _ => ((i - HEAD) % 3 == 2) != uploads(s),
    }
}

/// Octets that each side sent before packet `i` (SYN and FIN count one): client, server.
fn sent_before(s: &Session, z: &Sizes, i: u32) -> (u32, u32) {
    let asks = !matches!(s.kind, Kind::Handshake);
    let request = if asks { z.request } else { 0 };
    let mut client = u32::from(i > 0);
    let mut server = u32::from(i > 1);
    if i > 3 {
        client += request;
    }
    let body = i.min(s.len.saturating_sub(TAIL)).saturating_sub(HEAD);
    let (cycles, place) = (body / 3, body % 3);
    let segments = 2 * cycles + place.min(2);
    // Sequence numbers wrap.
    let burst = (BURST - 1) * z.segment + z.rest;
    let data = (segments / BURST).wrapping_mul(burst).wrapping_add(segments % BURST * z.segment);
    let asked =
        if matches!(s.kind, Kind::Https | Kind::Http) { (cycles / 10).wrapping_mul(z.again) } else { 0 };
    if uploads(s) {
        client = client.wrapping_add(data);
    } else if asks {
        server = server.wrapping_add(data);
        client = client.wrapping_add(asked);
    }
    if i >= HEAD && i + TAIL > s.len {
        client = client.wrapping_add(1);
    }
    if i >= HEAD && i + TAIL > s.len + 1 {
        server = server.wrapping_add(1);
    }
    (client, server)
}

pub(super) fn packet(s: &Session, i: u32, draft: Draft) -> Packet {
    let z = sizes(s);
    let client = from_client(s, i);
    let stack = Mixer::new(0x7374_6163).with_wide(wide(draft.src)).finish();
    let stamps = !stack.is_multiple_of(3);
    let base = (Mixer::new(s.seed).with(21).finish(), Mixer::new(s.seed).with(22).finish());
    let (sent_client, sent_server) = sent_before(s, &z, i);
    let numbers = (low(base.0).wrapping_add(sent_client), low(base.1).wrapping_add(sent_server));
    let (seq, ack) = if client { numbers } else { (numbers.1, numbers.0) };
    let (flags, payload_len, data) = content(s, &z, i);
    let syn = flags & SYN != 0;
    let window = match (syn, stack >> 8 & 3) {
        (true, 0) => 64_240,
        (true, 1) => 65_535,
        (true, 2) => 29_200,
        (true, _) => 42_340,
        (false, _) => 229 + u16::try_from((stack >> 16) % 1800).unwrap_or(0),
    };
    let options_len = match (syn, stamps) {
        (true, true) => 20,
        (true, false) => 12,
        (false, true) => 12,
        (false, false) => 0,
    };
    let ack = if flags & ACK == 0 { 0 } else { ack };
    let segment = Segment { ports: s.ports(client), flags, window, options_len, payload_len, seq, ack };
    draft.tcp(segment, data)
}

fn content(s: &Session, z: &Sizes, i: u32) -> (u16, u32, Data) {
    let none = Data::EMPTY;
    match i {
        0 => return (SYN, 0, none),
        1 => return (SYN | ACK, 0, none),
        2 => return (ACK, 0, none),
        3 if matches!(s.kind, Kind::Handshake) => return (RST | ACK, 0, none),
        3 => return (PSH | ACK, z.request, request(s)),
        4 => return (ACK, 0, none),
        _ => {}
    }
    let left = s.len - i;
    if left <= TAIL {
        return match (s.kind, left) {
            (Kind::TlsOnly, 3) => (FIN | ACK, 0, none),
            (_, 1) => (ACK, 0, none),
            _ => (FIN | ACK, 0, none),
        };
    }
    let (cycle, place) = ((i - HEAD) / 3, (i - HEAD) % 3);
    if place == 2 {
        // Each tenth acknowledgement carries the next request.
        let asks = matches!(s.kind, Kind::Https | Kind::Http) && cycle % 10 == 9;
        return if asks { (PSH | ACK, z.again, again(s, i)) } else { (ACK, 0, none) };
    }
    let last = (2 * cycle + place) % BURST == BURST - 1;
    let flags = if last || z.segment < 1000 { PSH | ACK } else { ACK };
    (flags, if last { z.rest } else { z.segment }, stream(s, i))
}

fn request(s: &Session) -> Data {
    match s.kind {
        Kind::Http => Data::of(b"GET /static/img/logo.png HTTP/1.1\r\nHost: www.example.net\r\nAccept"),
        Kind::Request => Data::of(b"GET /search?q=aaaaaaaa HTTP/1.1\r\nHost: www.example.net\r\nUser-Ag"),
        Kind::Slow => Data::of(b"POST /login HTTP/1.1\r\nHost: www.example.net\r\nContent-Length: 9"),
        Kind::Interactive => Data::of(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
        // RFC 8446 §4.1.2 in a record of §5.1: handshake, TLS 1.0 on the outside, client hello.
        _ => {
            let mut data = Data::of(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
            data.push(&Mixer::new(s.seed).with(31).finish().to_be_bytes());
            data.push(&Mixer::new(s.seed).with(32).finish().to_be_bytes());
            data
        }
    }
}

fn again(s: &Session, i: u32) -> Data {
    match s.kind {
        Kind::Http => Data::of(b"GET /static/css/site.css HTTP/1.1\r\nHost: www.example.net\r\nAccept"),
        _ => record(s, i),
    }
}

/// Data in the middle of a stream: the first segment shows what it is, the rest looks like noise.
fn stream(s: &Session, i: u32) -> Data {
    match s.kind {
        Kind::Http | Kind::Request if i == HEAD => {
            Data::of(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: image/png\r\nConten")
        }
        Kind::Slow => Data::of(b"X-a: 4711\r\n"),
        Kind::Https | Kind::Download if i == HEAD => Data::of(&[0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3]),
        Kind::Https | Kind::Interactive if i.is_multiple_of(7) => record(s, i),
        _ => noise(s, i),
    }
}

/// A TLS record of application data (RFC 8446 §5.1).
fn record(s: &Session, i: u32) -> Data {
    let mut data = Data::of(&[0x17, 3, 3]);
    data.push(noise(s, i).bytes());
    data
}

fn noise(s: &Session, i: u32) -> Data {
    let mut data = Data::EMPTY;
    for word in 0..4 {
        data.push(&Mixer::new(s.seed).with(u64::from(i)).with(word).finish().to_be_bytes());
    }
    data
}

#[expect(clippy::cast_possible_truncation, reason = "a sequence number has 32 bits")]
const fn low(value: u64) -> u32 {
    value as u32
}
