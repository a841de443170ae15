//! The coarse kinds of packet that one rule can hold: never wider than what the attack shows.

use alloc::vec;
use alloc::vec::Vec;

use base::Prefix;
use rules::{Flags, Fragments, Match};
use wire::packet::{TCP, flags};

use super::row::Row;

/// TCP segments by the four flags that steer a connection; the groups do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Segment {
    Syn,
    SynAck,
    Ack,
    Rst,
    Fin,
    /// What no honest stack sends.
    Odd,
}

/// What follows the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A fragment without transport header.
    Later,
    Tcp(Segment),
    /// Anything else, with whatever ports or types it has.
    Plain,
}

/// One kind of packet, of one family and, for outgoing attacks, of one own host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) v4: bool,
    pub(crate) own: Option<Prefix>,
    pub(crate) protocol: u8,
    pub(crate) kind: Kind,
}

const STEERING: u16 = flags::SYN | flags::ACK | flags::RST | flags::FIN;

impl Segment {
    fn of(found: u16) -> Self {
        match found & STEERING {
            flags::SYN => Self::Syn,
            v if v == flags::SYN | flags::ACK => Self::SynAck,
            flags::ACK => Self::Ack,
            v if v == flags::FIN | flags::ACK => Self::Fin,
            v if v & !flags::ACK == flags::RST => Self::Rst,
            _ => Self::Odd,
        }
    }

    pub(crate) fn tests(self) -> Vec<Flags> {
        let exact = |value| Flags { value, mask: STEERING };
        let set = |value| Flags { value, mask: value };
        match self {
            Self::Syn => vec![exact(flags::SYN)],
            Self::SynAck => vec![exact(flags::SYN | flags::ACK)],
            Self::Ack => vec![exact(flags::ACK)],
            Self::Fin => vec![exact(flags::FIN | flags::ACK)],
            Self::Rst => vec![Flags { value: flags::RST, mask: flags::SYN | flags::RST | flags::FIN }],
            Self::Odd => vec![
                exact(0),
                exact(flags::FIN),
                set(flags::SYN | flags::FIN),
                set(flags::SYN | flags::RST),
                set(flags::RST | flags::FIN),
            ],
        }
    }
}

impl Shape {
    pub(crate) fn of(row: &Row, own: Option<Prefix>) -> Self {
        let kind = if row.is_later() {
            Kind::Later
        } else {
            match row.flags {
                // A whole connection in one flow record: its flags tell of no single packet.
                Some(found) if row.protocol == TCP && !(row.flow && is_connection(found)) => {
                    Kind::Tcp(Segment::of(found))
                }
                _ => Kind::Plain,
            }
        };
        Self { v4: row.dst.is_ipv4(), own, protocol: row.protocol, kind }
    }

    /// How many tight facts pull towards a narrow rule; more have to be earned by sparing honest traffic. The length of
    /// a bare segment is its generator's, so it counts there besides address and port; that of a datagram or fragment
    /// is the payload's and differs from reflector to reflector.
    pub(crate) const fn tight_enough(&self) -> f64 {
        match self.kind {
            Kind::Tcp(_) => 3.0,
            Kind::Later | Kind::Plain => 2.0,
        }
    }

    /// The match that holds this shape and nothing else, destination aside.
    pub(crate) fn matches(&self) -> Match {
        let mut m = Match { src: self.own, protocol: Some(self.protocol), ..Match::default() };
        match self.kind {
            Kind::Later => m.fragment = Some(Fragments { is: true, ..Fragments::default() }),
            Kind::Tcp(segment) => m.tcp_flags = Some(segment.tests()),
            Kind::Plain => {}
        }
        m
    }
}

fn is_connection(found: u16) -> bool {
    found & flags::SYN != 0 && found & flags::ACK != 0 && found & (flags::PSH | flags::FIN | flags::RST) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_of_flags_is_in_exactly_one_group() {
        let groups = [Segment::Syn, Segment::SynAck, Segment::Ack, Segment::Rst, Segment::Fin, Segment::Odd];
        for found in 0..=0xffu16 {
            let hit: Vec<Segment> =
                groups.into_iter().filter(|g| g.tests().iter().any(|t| found & t.mask == t.value)).collect();
            assert_eq!(hit, [Segment::of(found)], "flags {found:#04x}");
        }
    }
}
