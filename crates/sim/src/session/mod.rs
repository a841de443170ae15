//! Conversations: each a function from (seed, number of the packet) to the packet.
//!
//! So a capture gets them whole and in order, and a sampled feed gets single packets of millions of them without the
//! millions having to be made.

mod tcp;
mod udp;

use std::net::IpAddr;

use base::{Span, Timestamp};

use crate::attack::reflector::Reflector;
use crate::packet::{Draft, Nature, Packet, Truth};
use crate::population::ttl;
use crate::rng::{Rng, bounded_pareto};

/// What two hosts talk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// TLS over TCP 443: handshake, requests, answers, end.
    Https,
    /// TCP 80.
    Http,
    /// One large transfer from server to client.
    Download,
    /// One large transfer from client to server.
    Upload,
    /// SSH, mail, chat: small packets both ways.
    Interactive,
    /// UDP 443.
    Quic,
    /// A question and its answer.
    Dns,
    /// A signed answer that needs fragments.
    DnsLarge,
    /// Mode 3 and 4.
    Ntp,
    /// A game over UDP.
    Game,
    /// Voice: a packet each 20 ms both ways.
    Voice,
    /// WireGuard.
    Tunnel,
    /// Another protocol that carries packets: GRE 47, ESP 50, IP in IP 4.
    Encapsulated(u8),
    /// Echo and reply.
    Ping,
    /// A question and answer of a service that others abuse.
    Service(&'static Reflector),
    /// TCP handshake, then silence: nothing is ever asked.
    Handshake,
    /// TCP and TLS handshake, then a reset.
    TlsOnly,
    /// A small header line now and then, so that the request never ends.
    Slow,
    /// One request for a page that costs the server much.
    Request,
}

/// One conversation.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// What they talk.
    pub kind: Kind,
    /// What makes it differ from others.
    pub seed: u64,
    /// Who began.
    pub client: IpAddr,
    /// Who was asked.
    pub server: IpAddr,
    /// Port of the client.
    pub client_port: u16,
    /// Port of the server.
    pub server_port: u16,
    /// Whether the server is ours (else the client is).
    pub server_ours: bool,
    /// First packet.
    pub start: Timestamp,
    /// Number of packets.
    pub len: u32,
    /// What the client's packets really are.
    pub truth: Truth,
}

/// How many packets conversations have: bounded Pareto (shape, least, most), and the pause between packets.
const fn lengths(kind: Kind) -> (f64, f64, f64, u64) {
    match kind {
        Kind::Https => (1.25, 14.0, 3_000.0, 900),
        Kind::Http => (1.3, 11.0, 1_000.0, 900),
        Kind::Download | Kind::Upload => (1.1, 2_000.0, 60_000.0, 150),
        Kind::Interactive => (1.3, 20.0, 2_000.0, 60_000),
        Kind::Quic => (1.25, 12.0, 3_000.0, 800),
        Kind::Game => (1.2, 400.0, 20_000.0, 14_000),
        Kind::Voice => (1.2, 500.0, 20_000.0, 10_000),
        Kind::Tunnel | Kind::Encapsulated(_) => (1.1, 1_000.0, 40_000.0, 2_000),
        Kind::Dns | Kind::Ntp | Kind::Ping | Kind::Service(_) => (1.0, 2.0, 2.0, 20_000),
        Kind::DnsLarge => (1.0, 3.0, 3.0, 20_000),
        Kind::Handshake => (1.0, 4.0, 4.0, 30_000),
        Kind::TlsOnly => (1.0, 9.0, 9.0, 15_000),
        Kind::Slow => (1.0, 40.0, 40.0, 5_000_000),
        Kind::Request => (1.0, 10.0, 10.0, 12_000),
    }
}

impl Kind {
    /// Mean number of packets.
    pub fn mean_len(self) -> f64 {
        let (a, l, h, _) = lengths(self);
        if h <= l {
            return l;
        }
        let scale = libm::pow(l, a) / (1.0 - libm::pow(l / h, a));
        scale * a / (a - 1.0) * (libm::pow(l, 1.0 - a) - libm::pow(h, 1.0 - a))
    }

    /// Mean duration.
    pub fn mean_span(self) -> Span {
        Span::from_nanos(lengths(self).3 * 1000 * crate::rng::round(self.mean_len()))
    }

    fn server_port(self, rng: &mut Rng) -> u16 {
        match self {
            Self::Https | Self::Quic | Self::Handshake | Self::TlsOnly | Self::Download | Self::Upload => 443,
            Self::Http | Self::Slow | Self::Request => 80,
            Self::Interactive => rng.pick(&[22, 22, 25, 143, 993, 5222, 587]),
            Self::Dns | Self::DnsLarge => 53,
            Self::Ntp => 123,
            Self::Game => rng.pick(&[27015, 27016, 3074, 7777, 30120, 19132]),
            Self::Voice => rng.range16(8_000, 15_000) * 2,
            Self::Tunnel => 51820,
            Self::Service(reflector) => reflector.port,
            Self::Encapsulated(_) | Self::Ping => 0,
        }
    }

    /// Protocols in which nobody has a port.
    const fn portless(self) -> bool {
        matches!(self, Self::Encapsulated(_) | Self::Ping)
    }
}

impl Session {
    /// A conversation between these two. With `by_size`, long ones are drawn as much more often as they are longer: so
    /// the conversation of a packet drawn at random looks.
    pub fn new(
        kind: Kind,
        client: IpAddr,
        server: IpAddr,
        server_ours: bool,
        seed: u64,
        by_size: bool,
    ) -> Self {
        let mut rng = Rng::part(seed, 0x5e55);
        let (alpha, lo, hi, _) = lengths(kind);
        let alpha = if by_size { alpha - 1.0 } else { alpha };
        let len = if hi > lo { bounded_pareto(rng.unit(), alpha, lo, hi) } else { lo };
        let server_port = kind.server_port(&mut rng);
        let client_port = match kind {
            _ if kind.portless() => 0,
            Kind::Ntp if rng.chance(0.5) => 123,
            Kind::Voice => rng.range16(8_000, 30_000) * 2,
            _ => rng.range16(1024, 65_535),
        };
        let len = u32::try_from(crate::rng::round(len)).unwrap_or(u32::MAX);
        let (start, truth) = (Timestamp::ZERO, Truth::BENIGN);
        Self { kind, seed, client, server, client_port, server_port, server_ours, start, len, truth }
    }

    /// Time between packet 0 and packet `i`.
    pub fn offset(&self, i: u32) -> Span {
        let rtt = 8_000_000 + self.seed % 90_000_000;
        let gap = lengths(self.kind).3 * 1_000;
        let gap = gap / 2 + (self.seed >> 8) % gap.max(1);
        match self.kind {
            Kind::Dns | Kind::DnsLarge | Kind::Ntp | Kind::Ping | Kind::Service(_) => {
                Span::from_nanos(u64::from(i.min(1)) * rtt + u64::from(i.saturating_sub(1)) * 12_000)
            }
            // Three packets set a connection up, then the data flows.
            _ if i < 5 => Span::from_nanos(
                [0, 1, 2, 2, 3].get(i as usize).map_or(0, |n| n * rtt / 2) + u64::from(i) * 50_000,
            ),
            _ => Span::from_nanos(2 * rtt + u64::from(i) * gap),
        }
    }

    /// Whether packet `i` comes from the client.
    pub fn from_client(&self, i: u32) -> bool {
        match self.kind {
            Kind::Https | Kind::Http | Kind::Download | Kind::Upload | Kind::Interactive => {
                tcp::from_client(self, i)
            }
            Kind::Handshake | Kind::TlsOnly | Kind::Slow | Kind::Request => tcp::from_client(self, i),
            _ => udp::from_client(self, i),
        }
    }

    /// Whether packet `i` enters our networks.
    pub fn inbound(&self, i: u32) -> bool {
        self.from_client(i) == self.server_ours
    }

    /// Packet `i`; beyond the last it is the last once more.
    pub fn packet(&self, i: u32) -> Packet {
        let i = i.min(self.len.saturating_sub(1));
        let from_client = self.from_client(i);
        let (src, dst) = if from_client { (self.client, self.server) } else { (self.server, self.client) };
        let inbound = from_client == self.server_ours;
        let nature = match self.truth.nature {
            Nature::Attack if !from_client => Nature::Answer,
            nature => nature,
        };
        let draft = Draft {
            at: self.start.plus(self.offset(i)),
            src,
            dst,
            ttl: ttl(src, !inbound),
            inbound,
            truth: Truth { nature, ..self.truth },
        };
        match self.kind {
            Kind::Https | Kind::Http | Kind::Download | Kind::Upload | Kind::Interactive => {
                tcp::packet(self, i, draft)
            }
            Kind::Handshake | Kind::TlsOnly | Kind::Slow | Kind::Request => tcp::packet(self, i, draft),
            _ => udp::packet(self, i, draft),
        }
    }

    /// Ports in the direction of packet `i`.
    fn ports(&self, from_client: bool) -> (u16, u16) {
        if from_client { (self.client_port, self.server_port) } else { (self.server_port, self.client_port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use wire::packet::{Link, flags, parse};

    fn some(kind: Kind, seed: u64) -> Session {
        let ours = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1));
        let theirs = IpAddr::V4(Ipv4Addr::new(203, 1, 113, 9));
        Session::new(kind, theirs, ours, true, seed, false)
    }

    #[test]
    fn a_connection_shakes_hands_and_its_numbers_add_up() {
        for kind in [Kind::Https, Kind::Http, Kind::Upload, Kind::Interactive, Kind::Request, Kind::TlsOnly] {
            let session = some(kind, 42);
            let mut next = [None::<u32>; 2];
            for i in 0..session.len.min(400) {
                let packet = session.packet(i);
                let tcp = packet.headers.tcp.unwrap();
                let side = usize::from(session.from_client(i));
                if let Some(expected) = next[side] {
                    assert_eq!(packet.extra.seq, expected, "{kind:?} packet {i} of {}", session.len);
                }
                let phantom = u32::from(tcp.flags & (flags::SYN | flags::FIN) != 0);
                next[side] =
                    Some(packet.extra.seq.wrapping_add(packet.headers.payload_len.unwrap() + phantom));
                if tcp.flags & flags::ACK != 0 && tcp.flags & flags::RST == 0 {
                    assert_eq!(Some(packet.extra.ack), next[1 - side], "{kind:?} packet {i} acknowledges");
                }
            }
            assert_eq!(session.packet(0).headers.tcp.unwrap().flags, flags::SYN);
            assert_eq!(session.packet(1).headers.tcp.unwrap().flags, flags::SYN | flags::ACK);
        }
    }

    #[test]
    fn time_never_runs_back_and_every_packet_reads_back() {
        let kinds = [
            Kind::Https,
            Kind::Http,
            Kind::Download,
            Kind::Upload,
            Kind::Interactive,
            Kind::Quic,
            Kind::Dns,
            Kind::DnsLarge,
            Kind::Ntp,
            Kind::Game,
            Kind::Voice,
            Kind::Tunnel,
            Kind::Encapsulated(47),
            Kind::Ping,
            Kind::Handshake,
            Kind::TlsOnly,
            Kind::Slow,
            Kind::Request,
        ];
        for (seed, kind) in (0..).zip(kinds) {
            let session = some(kind, seed);
            let mut last = Timestamp::ZERO;
            for i in 0..session.len.min(300) {
                let packet = session.packet(i);
                assert!(packet.at >= last, "{kind:?} {i}");
                last = packet.at;
                let mut bytes = Vec::new();
                let whole = packet.frame(&mut bytes, 128);
                assert_eq!(
                    parse(Link::Ethernet, &bytes, whole).unwrap().headers,
                    packet.headers,
                    "{kind:?} {i}"
                );
                assert!(whole <= 1514);
            }
        }
    }
}
