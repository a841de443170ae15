//! A sample as a line.

use std::fmt;

use base::Timestamp;
use dataplane::Sample;
use serde::Serialize;
use wire::packet::{self, Link};

use super::session::Clock;

#[derive(Serialize)]
pub(super) struct Line<'s> {
    at: String,
    class: &'static str,
    verdict: &'static str,
    rule: Option<&'s str>,
    sampled_one_in: u32,
    src: Option<String>,
    dst: Option<String>,
    protocol: Option<u8>,
    ttl: Option<u8>,
    frame_bytes: u32,
    interface_index: u32,
    set: String,
}

impl<'s> Line<'s> {
    pub(super) fn of(sample: &'s Sample, clock: Clock) -> Self {
        let at: Timestamp = clock.wall(sample.at);
        let parsed = packet::parse(Link::Ethernet, &sample.octets, sample.length).ok();
        let headers = parsed.map(|parsed| parsed.headers);
        let end = |address: std::net::IpAddr, port: Option<u16>| match port {
            Some(port) => std::net::SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        Self {
            at: at.to_string(),
            class: sample.class.as_str(),
            verdict: sample.place,
            rule: sample.rule.as_deref(),
            sampled_one_in: sample.rate,
            src: headers.map(|h| end(h.src, h.src_port())),
            dst: headers.map(|h| end(h.dst, h.dst_port())),
            protocol: headers.map(|h| h.protocol),
            ttl: headers.map(|h| h.ttl),
            frame_bytes: sample.length,
            interface_index: sample.interface,
            set: sample.digest.iter().map(|octet| format!("{octet:02x}")).collect(),
        }
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Some(packet::TCP) => "TCP".into(),
            Some(packet::UDP) => "UDP".into(),
            Some(packet::ICMP) => "ICMP".into(),
            Some(packet::ICMP6) => "ICMPv6".into(),
            Some(other) => format!("protocol {other}"),
            None => "not IP".into(),
        };
        let (src, dst) = (self.src.as_deref().unwrap_or("?"), self.dst.as_deref().unwrap_or("?"));
        write!(f, "{} {:<9} 1/{} {protocol} {src} > {dst}", self.at, self.verdict, self.sampled_one_in)?;
        write!(f, " {} bytes", self.frame_bytes)?;
        self.rule.map_or(Ok(()), |rule| write!(f, " rule {rule}"))
    }
}
