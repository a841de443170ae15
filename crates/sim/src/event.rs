//! The script: what happens to whom, when, and how much of it.

use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use serde::Serialize;

use crate::attack::reflector::Reflector;
use crate::session;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// SYNs from forged addresses, or from one's own.
    SynFlood {
        /// Whether the sources are drawn at random.
        forged: bool,
    },
    /// ACKs and data of connections that never were.
    AckFlood,
    /// RSTs and FINs.
    RstFinFlood,
    /// Combinations that no stack sends.
    OddFlagsFlood,
    /// Servers answering SYNs that somebody forged in the victim's name.
    SynAckReflection,
    /// Censors' block pages for requests forged in the victim's name.
    MiddleboxReflection,
    /// Handshakes without requests.
    ConnectionFlood,
    /// Requests that never end.
    Slow,
    /// TLS handshakes, then a reset.
    TlsHandshakeFlood,
    /// Requests by bots.
    HttpFlood,
    /// UDP to any port.
    UdpFlood,
    /// Later fragments of UDP, belonging to nothing.
    UdpFragmentFlood,
    /// Fragments of any protocol.
    IpFragmentFlood,
    /// Echo requests.
    IcmpFlood,
    /// GRE with an inner packet.
    GreFlood,
    /// A protocol that the victim does not speak.
    OtherProtocolFlood,
    /// QUIC initials.
    QuicFlood,
    /// Questions for names that do not exist.
    DnsQueryFlood,
    /// SYNs to one port of very many hosts.
    Scan,
    /// Answers to questions forged in the victim's name.
    Amplification(&'static Reflector),
    /// Honest conversations, many at once: not an attack.
    Crowd {
        /// What they talk.
        session: session::Kind,
        /// Whether the target serves (else it asks).
        serves: bool,
    },
    /// One honest conversation that is very large: not an attack.
    Elephant {
        /// Whether our host receives it.
        receives: bool,
    },
}

impl Kind {
    /// By the vectors' names of the interface; `None` for what is no attack.
    pub fn vector(&self) -> Option<String> {
        let name = match self {
            Self::SynFlood { .. } => "tcp-syn-flood",
            Self::AckFlood => "tcp-ack-flood",
            Self::RstFinFlood => "tcp-rst-fin-flood",
            Self::OddFlagsFlood => "tcp-odd-flags-flood",
            Self::SynAckReflection => "tcp-synack-reflection",
            Self::MiddleboxReflection => "tcp-middlebox-reflection",
            Self::ConnectionFlood => "tcp-connection-flood",
            Self::Slow => "tcp-slow",
            Self::TlsHandshakeFlood => "tls-handshake-flood",
            Self::HttpFlood => "http-flood",
            Self::UdpFlood => "udp-flood",
            Self::UdpFragmentFlood => "udp-fragment-flood",
            Self::IpFragmentFlood => "ip-fragment-flood",
            Self::IcmpFlood => "icmp-flood",
            Self::GreFlood => "gre-flood",
            Self::OtherProtocolFlood => "other-protocol-flood",
            Self::QuicFlood => "quic-flood",
            Self::DnsQueryFlood => "dns-query-flood",
            Self::Scan => "scan",
            Self::Amplification(reflector) => return Some(format!("udp-amplification-{}", reflector.name)),
            Self::Crowd { .. } | Self::Elephant { .. } => return None,
        };
        Some(name.into())
    }
}

/// How the rate runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All the time.
    Steady,
    /// On for a while in each period.
    Pulses {
        /// How long.
        on: Span,
        /// From beginning to beginning.
        period: Span,
    },
    /// From nothing to the full rate, linearly.
    Ramp {
        /// Until full.
        over: Span,
    },
}

/// Whither it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// One event of the script.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it is called in reports.
    pub name: String,
    /// What happens.
    pub kind: Kind,
    /// Whither it goes.
    pub direction: Direction,
    /// Who suffers it; each address of a prefix in turn.
    pub target: Prefix,
    /// Own hosts that do it, where it goes out.
    pub own: Vec<IpAddr>,
    /// The port it is aimed at; without it, what is usual.
    pub port: Option<u16>,
    /// First packet.
    pub start: Timestamp,
    /// How long.
    pub span: Span,
    /// Packets per second towards the target, while on.
    pub pps: f64,
    /// How the rate runs.
    pub shape: Shape,
    /// Different sources, where they are not forged.
    pub sources: u32,
    /// Share of its packets that the victim answers.
    pub answers: f64,
}

impl Event {
    /// An incoming event with ordinary properties.
    pub fn new(kind: Kind, target: Prefix, start: Timestamp, span: Span, pps: f64) -> Self {
        let name = kind.vector().unwrap_or_else(|| "crowd".into());
        let sources = match kind {
            Kind::SynAckReflection => 6_000,
            Kind::Amplification(reflector) => reflector.sources,
            Kind::Crowd { .. } => 20_000,
            Kind::Elephant { .. } => 1,
            Kind::Slow => 300,
            _ => 4_000,
        };
        let answers = match kind {
            Kind::SynFlood { .. } | Kind::AckFlood | Kind::SynAckReflection => 0.15,
            Kind::IcmpFlood | Kind::DnsQueryFlood => 0.3,
            Kind::UdpFlood | Kind::Amplification(_) => 0.002,
            _ => 0.0,
        };
        let (direction, own, port, shape) = (Direction::In, Vec::new(), None, Shape::Steady);
        Self { name, kind, direction, target, own, port, start, span, pps, shape, sources, answers }
    }

    /// The same, from these own hosts to a remote target.
    #[must_use]
    pub fn outgoing(mut self, own: Vec<IpAddr>) -> Self {
        self.direction = Direction::Out;
        self.own = own;
        self.answers = 0.0;
        self
    }

    /// The same, aimed at a port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The same, with another course.
    #[must_use]
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The same, from so many sources.
    #[must_use]
    pub const fn sources(mut self, sources: u32) -> Self {
        self.sources = sources;
        self
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// When it is over.
    pub const fn end(&self) -> Timestamp {
        self.start.plus(self.span)
    }

    /// Which part of the full rate runs at `at`.
    pub fn level(&self, at: Timestamp) -> f64 {
        if at < self.start || at >= self.end() {
            return 0.0;
        }
        let since = at.since(self.start);
        match self.shape {
            Shape::Steady => 1.0,
            Shape::Pulses { on, period } => {
                let phase = since.nanos() % period.nanos().max(1);
                f64::from(u8::from(phase < on.nanos()))
            }
            Shape::Ramp { over } => (since.as_secs_f64() / over.as_secs_f64().max(1e-9)).min(1.0),
        }
    }

    /// The truth about it, to be told.
    pub fn story(&self) -> Story {
        let vector = self.kind.vector();
        Story {
            name: self.name.clone(),
            attack: vector.is_some(),
            vectors: vector.into_iter().collect(),
            target: self.target,
            direction: self.direction,
            own: self.own.clone(),
            port: self.port,
            start: self.start,
            end: self.end(),
            pps: self.pps,
        }
    }
}

/// Ground truth of one event.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// What it is called.
    pub name: String,
    /// Whether it is an attack at all.
    pub attack: bool,
    /// Vectors by the interface's names.
    pub vectors: Vec<String>,
    /// Who suffers it.
    pub target: Prefix,
    /// Whither it goes.
    pub direction: Direction,
    /// Own hosts that do it.
    pub own: Vec<IpAddr>,
    /// The port it is aimed at.
    pub port: Option<u16>,
    /// First packet.
    pub start: Timestamp,
    /// Behind the last packet.
    pub end: Timestamp,
    /// Packets per second while on.
    pub pps: f64,
}
