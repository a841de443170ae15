//! An example packet as a snapshot has it: without honest ones nothing that began meanwhile could be priced after a restart.

use std::net::IpAddr;

use base::Timestamp;
use detect::cell::Lasting;
use detect::class::{COUNT, Class};
use detect::sample::Sample;
use serde::{Deserialize, Serialize};
use telemetry::record::{Detail, Snip};
use wire::Headers;
use wire::packet::{Fragment, Tcp};

/// A class by its stable name: numbers may move between versions.
pub(crate) fn class_named(name: &str) -> Option<Class> {
    (0..COUNT).filter_map(|i| u8::try_from(i).ok()).map(Class).find(|c| c.name() == name)
}

/// One example with its hash. There are thousands of them: their fields have places, not names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Example {
    /// The keyed hash that chose it.
    #[serde(rename = "h")]
    hash: u64,
    /// When it was told, and when its last packet was.
    #[serde(rename = "t")]
    at: (Timestamp, Timestamp),
    /// Source and destination.
    #[serde(rename = "a")]
    ends: (IpAddr, IpAddr),
    /// Protocol, length, time to live, DSCP, octets behind the transport header.
    #[serde(rename = "i")]
    ip: (u8, u32, u8, u8, Option<u32>),
    /// Offset, more, don't.
    #[serde(rename = "f")]
    fragment: (u16, bool, bool),
    #[serde(rename = "p")]
    ports: Option<(u16, u16)>,
    #[serde(rename = "c")]
    icmp: Option<(u8, u8)>,
    /// Flags, window, octets of options.
    #[serde(rename = "s")]
    tcp: Option<(u16, u16, u8)>,
    #[serde(rename = "k")]
    class: String,
    /// First octets of the payload.
    #[serde(rename = "o")]
    snip: Vec<u8>,
    /// Packets and octets that it stands for.
    #[serde(rename = "n")]
    counts: (u64, u64),
    /// Exporter and interface.
    #[serde(rename = "e")]
    entry: (u32, Option<u32>),
    /// How long a flow lasted.
    #[serde(rename = "l")]
    lasting: u8,
    /// A flow, several packets, outgoing, unsolicited, unscaled, doubtful.
    #[serde(rename = "b")]
    is: (bool, bool, bool, bool, bool, bool),
}

impl Example {
    pub(crate) fn of((hash, sample): &(u64, Sample)) -> Self {
        let h = &sample.headers;
        Self {
            hash: *hash,
            at: (sample.at, sample.last),
            ends: (h.src, h.dst),
            ip: (h.protocol, h.length, h.ttl, h.dscp, h.payload_len),
            fragment: (h.fragment.offset, h.fragment.more, h.fragment.dont),
            ports: h.ports,
            icmp: h.icmp,
            tcp: h.tcp.map(|tcp| (tcp.flags, tcp.window, tcp.options_len)),
            class: sample.class.name().to_owned(),
            snip: sample.snip.bytes().to_vec(),
            counts: (sample.packets, sample.bytes),
            entry: sample.entry,
            lasting: sample.lasting.0,
            is: (
                sample.detail == Detail::Flow,
                sample.several,
                sample.outgoing,
                sample.unsolicited,
                sample.unscaled,
                sample.doubtful,
            ),
        }
    }

    /// `None`: its class is not known to this version.
    pub(crate) fn read(self) -> Option<(u64, Sample)> {
        let (protocol, length, ttl, dscp, payload_len) = self.ip;
        let (offset, more, dont) = self.fragment;
        let (flow, several, outgoing, unsolicited, unscaled, doubtful) = self.is;
        let headers = Headers {
            src: self.ends.0,
            dst: self.ends.1,
            protocol,
            length,
            ttl,
            dscp,
            fragment: Fragment { offset, more, dont },
            ports: self.ports,
            icmp: self.icmp,
            tcp: self.tcp.map(|(flags, window, options_len)| Tcp { flags, window, options_len }),
            payload_len,
        };
        let sample = Sample {
            at: self.at.0,
            last: self.at.1,
            headers,
            class: class_named(&self.class)?,
            detail: if flow { Detail::Flow } else { Detail::Packet },
            several,
            snip: Snip::of(&self.snip),
            packets: self.counts.0,
            bytes: self.counts.1,
            entry: self.entry,
            outgoing,
            unsolicited,
            lasting: Lasting(self.lasting),
            unscaled,
            doubtful,
        };
        Some((self.hash, sample))
    }
}

/// The `max` with the smallest hashes, in their order.
pub(crate) fn smallest(kept: &[(u64, Sample)], max: usize) -> Vec<&(u64, Sample)> {
    let mut all: Vec<&(u64, Sample)> = kept.iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.at.cmp(&b.1.at)));
    all.truncate(max);
    all
}
