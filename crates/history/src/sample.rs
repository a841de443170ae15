//! One sample, as it is handed in and comes out.

use std::net::IpAddr;

use base::Timestamp;

/// Which way its packets went, seen from the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Towards the target.
    In,
    /// From the target.
    Out,
}

impl Direction {
    /// As segments write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Packets or a flow between an own host and another one.
///
/// The foreign address is kept as it is handed in: who hands it in decides about pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// When it was received.
    pub at: Timestamp,
    /// The own host.
    pub target: IpAddr,
    /// The other end.
    pub foreign: IpAddr,
    /// Which way.
    pub direction: Direction,
    /// IP protocol number.
    pub protocol: u8,
    /// Port of the target, where there is one.
    pub target_port: Option<u16>,
    /// Port of the other end.
    pub foreign_port: Option<u16>,
    /// TCP flags.
    pub tcp_flags: Option<u16>,
    /// Class of traffic.
    pub class: &'a str,
    /// Packets, scaled.
    pub packets: u64,
    /// Octets of layer 3, scaled.
    pub bytes: u64,
    /// N of 1:N; `None`: nobody said.
    pub rate: Option<u32>,
    /// Autonomous system of the other end.
    pub asn: Option<u32>,
    /// Country of the other end.
    pub country: Option<&'a str>,
    /// Attack that the target was under.
    pub attack: Option<&'a str>,
    /// Customer whose network it is.
    pub customer: Option<&'a str>,
    /// Who told.
    pub exporter: IpAddr,
    /// Interface it came in by.
    pub input_if: Option<u32>,
    /// Interface it left by.
    pub output_if: Option<u32>,
}
