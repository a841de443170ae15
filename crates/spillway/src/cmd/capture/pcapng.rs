//! Samples as a pcapng file: what is known of each stands in its comment.

use std::path::Path;

use dataplane::Sample;
use wire::packet::Link;

use super::Sink;
use super::session::Clock;
use crate::capture::{Packet, Writer};

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

pub(super) struct File {
    writer: Writer,
    packets: u64,
    clock: Clock,
}

impl File {
    pub(super) fn create(path: &Path, interface: &str, clock: Clock) -> anyhow::Result<Self> {
        let description =
            "samples of an XDP data plane; each packet's comment has verdict, rule and sampling rate";
        Ok(Self { writer: Writer::described(path, interface, description)?, packets: 0, clock })
    }
}

/// `verdict=dropped rule=ID sampled=1/64 set=0123456789abcdef`.
fn comment(sample: &Sample) -> String {
    let rule = sample.rule.as_ref().map(|rule| format!(" rule={rule}")).unwrap_or_default();
    let set: String = sample.digest.iter().map(|octet| format!("{octet:02x}")).collect();
    format!(
        "verdict={}{rule} sampled=1/{} set={set} class={}",
        sample.place,
        sample.rate,
        sample.class.as_str()
    )
}

impl Sink for File {
    fn take(&mut self, sample: &Sample) -> anyhow::Result<()> {
        self.packets += 1;
        let packet = Packet {
            number: self.packets,
            at: self.clock.wall(sample.at),
            link: Link::Ethernet,
            link_number: ETHERNET,
            original_len: sample.length,
            interface: 0,
            bytes: &sample.octets,
        };
        self.writer.write_with(&packet, Some(&comment(sample)))
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> anyhow::Result<()> {
        self.writer.finish()
    }
}
