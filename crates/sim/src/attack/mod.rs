//! The packets of an attack, as the tools of the trade send them.
//!
//! Constant choices of a tool (its window, its options, its sizes) follow from the seed of the event; what it draws anew
//! for each packet comes from the stream.

mod tcp;
mod udp;

pub mod reflector;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Timestamp;
use base::hash::Mixer;
use base::prefix::bits_of;

use crate::event::{Direction, Event, Kind};
use crate::packet::{Draft, Nature, Packet, Truth};
use crate::population::{Population, internet, ttl};
use crate::rng::Rng;
use crate::session::{self, Session};

/// One event at work.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The line of the script.
    pub event: Event,
    /// Its number.
    pub index: u16,
    seed: u64,
}

/// What an event makes at one instant.
#[derive(Clone, Copy, Debug)]
pub enum Made {
    /// Packets were appended.
    Packets,
    /// A conversation begins.
    Session(Session),
}

impl Attack {
    /// Number `index` of the script of this world.
    pub fn new(event: Event, index: u16, seed: u64) -> Self {
        let seed = Mixer::new(seed).with(0x6174_7461).with(u64::from(index)).finish();
        Self { event, index, seed }
    }

    /// Appends what happens at `at`, in the order of time, or gives the conversation that begins.
    pub fn make(&self, people: &Population, rng: &mut Rng, at: Timestamp, out: &mut Vec<Packet>) -> Made {
        match self.session(people, rng, at, false) {
            Some(session) => Made::Session(session),
            None => {
                self.packets(rng, at, out);
                Made::Packets
            }
        }
    }

    /// One packet at `at`, drawn at random from all that the event makes.
    pub fn one(
        &self,
        people: &Population,
        rng: &mut Rng,
        at: Timestamp,
        room: &mut Vec<Packet>,
    ) -> Option<Packet> {
        /// More packets than any call makes at once.
        const MOST: u64 = 6;
        if let Some(session) = self.session(people, rng, at, true) {
            let mut packet = session.packet(u32::try_from(rng.below(u64::from(session.len))).unwrap_or(0));
            packet.at = at;
            return Some(packet);
        }
        // A larger lot is more likely to be hit.
        for _ in 0..64 {
            room.clear();
            self.packets(rng, at, room);
            let place = usize::try_from(rng.below(MOST)).unwrap_or(0);
            if let Some(packet) = room.get(place) {
                return Some(Packet { at, ..*packet });
            }
        }
        None
    }

    fn packets(&self, rng: &mut Rng, at: Timestamp, out: &mut Vec<Packet>) {
        let from = out.len();
        match self.event.kind {
            Kind::UdpFlood
            | Kind::UdpFragmentFlood
            | Kind::IpFragmentFlood
            | Kind::IcmpFlood
            | Kind::GreFlood => {
                udp::flood(self, rng, at, out);
            }
            Kind::OtherProtocolFlood | Kind::QuicFlood | Kind::DnsQueryFlood => {
                udp::flood(self, rng, at, out)
            }
            Kind::Amplification(reflector) => udp::reflected(self, reflector, rng, at, out),
            Kind::Elephant { receives } => out.push(self.elephant(receives, at)),
            _ => tcp::flood(self, rng, at, out),
        }
        if rng.chance(self.event.answers)
            && let Some(answer) = out.get(from).and_then(|first| self.answer(first))
        {
            out.push(answer);
        }
    }

    /// Packets towards the target that one call of [`Attack::make`] gives on average, and packets in all.
    pub fn size(&self, people: &Population) -> (f64, f64) {
        const PROBES: u32 = 200;
        if matches!(self.event.kind, Kind::Elephant { .. }) {
            return (2.0 / 3.0, 1.0);
        }
        let mut rng = Rng::part(self.seed, 0x7369_7a65);
        let (mut towards, mut all) = (0.0, 0.0);
        let mut out = Vec::new();
        for _ in 0..PROBES {
            out.clear();
            match self.make(people, &mut rng, Timestamp::ZERO, &mut out) {
                Made::Packets => {
                    let ahead = self.event.direction == Direction::In;
                    all += count(out.len());
                    towards += count(out.iter().filter(|p| p.inbound == ahead).count());
                }
                Made::Session(session) => {
                    let seen = session.len.min(300);
                    let inbound = (0..seen).filter(|&i| session.inbound(i)).count();
                    all += f64::from(session.len);
                    towards += count(inbound).max(1.0) * f64::from(session.len) / f64::from(seen.max(1));
                }
            }
        }
        (towards / f64::from(PROBES), all / f64::from(PROBES))
    }

    /// A number that this event has chosen once for all.
    fn fixed(&self, part: u64) -> Rng {
        Rng::part(self.seed, part)
    }

    /// One of the addresses that suffer.
    fn victim(&self, rng: &mut Rng) -> IpAddr {
        let target = &self.event.target;
        let free = bits_of(target.addr()) - target.bits();
        match target.addr() {
            IpAddr::V4(v4) if free > 0 => {
                let low = rng.u32() & u32::MAX.checked_shr(32 - u32::from(free)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | low))
            }
            // Inside a prefix of IPv6 the carpet falls on the first 256 addresses of its first 256 networks.
            IpAddr::V6(v6) if free >= 64 => {
                let low = u128::from(rng.u8()) << 64 | u128::from(rng.u8());
                let low = if free > 64 { low } else { low & 0xff };
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | low))
            }
            addr => addr,
        }
    }

    /// One of the sources, each with its own way to us; for what goes out, one of our hosts.
    fn source(&self, rng: &mut Rng) -> IpAddr {
        if self.event.direction == Direction::Out {
            let at = usize::try_from(rng.below(self.event.own.len() as u64)).unwrap_or(0);
            return self.event.own.get(at).copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        }
        let number = rng.below(u64::from(self.event.sources.max(1)));
        internet(Mixer::new(self.seed).with(7).with(number).finish(), self.event.target.addr())
    }

    fn draft(&self, at: Timestamp, src: IpAddr, dst: IpAddr) -> Draft {
        let inbound = self.event.direction == Direction::In;
        Draft { at, src, dst, ttl: ttl(src, !inbound), inbound, truth: self.truth() }
    }

    const fn truth(&self) -> Truth {
        let nature = match self.event.kind {
            Kind::Crowd { .. } | Kind::Elephant { .. } => Nature::Benign,
            _ => Nature::Attack,
        };
        Truth { nature, event: Some(self.index) }
    }

    /// The packet of the one large transfer whose turn it is: two of three go towards the target.
    fn elephant(&self, receives: bool, at: Timestamp) -> Packet {
        let mut fixed = self.fixed(4);
        let ours = self.victim(&mut fixed);
        let theirs = self.source(&mut fixed);
        let (client, server) = if receives { (ours, theirs) } else { (theirs, ours) };
        let mut session = Session::new(session::Kind::Download, client, server, !receives, self.seed, false);
        session.len = u32::MAX / 2;
        session.truth = self.truth();
        let turn = crate::rng::round(at.since(self.event.start).as_secs_f64() * self.event.pps * 1.5);
        let mut packet = session.packet(5 + u32::try_from(turn).unwrap_or(0));
        packet.at = at;
        packet
    }

    fn session(&self, people: &Population, rng: &mut Rng, at: Timestamp, by_size: bool) -> Option<Session> {
        let (kind, serves) = match self.event.kind {
            Kind::ConnectionFlood => (session::Kind::Handshake, true),
            Kind::TlsHandshakeFlood => (session::Kind::TlsOnly, true),
            Kind::Slow => (session::Kind::Slow, true),
            Kind::HttpFlood => (session::Kind::Request, true),
            Kind::Crowd { session, serves } => (session, serves),
            _ => return None,
        };
        let ours = self.victim(rng);
        let theirs = match self.event.kind {
            Kind::Crowd { .. } if serves => people.remote(ours, rng),
            Kind::Crowd { .. } => people.cloud(ours, rng),
            _ => self.source(rng),
        };
        let (client, server) = if serves { (theirs, ours) } else { (ours, theirs) };
        let mut session = Session::new(kind, client, server, serves, rng.bits(), by_size);
        if let Some(port) = self.event.port {
            session.server_port = port;
        }
        session.start = at;
        session.truth = self.truth();
        Some(session)
    }

    /// What the victim sends back.
    fn answer(&self, to: &Packet) -> Option<Packet> {
        if to.headers.fragment.is_later() || self.event.direction == Direction::Out {
            return None;
        }
        let mut draft =
            self.draft(to.at.plus(base::Span::from_nanos(180_000)), to.headers.dst, to.headers.src);
        draft.inbound = false;
        draft.ttl = 63;
        draft.truth.nature = Nature::Answer;
        Some(match self.event.kind {
            Kind::SynFlood { .. } | Kind::AckFlood | Kind::SynAckReflection => tcp::answer(to, draft),
            _ => udp::answer(to, draft),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
const fn count(n: usize) -> f64 {
    n as f64
}
