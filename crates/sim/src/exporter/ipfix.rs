//! A router that sends IPFIX.

use base::Timestamp;
use wire::emit::Field;
use wire::emit::ipfix::{Header, Message};

use super::{Announce, Exporter, cache::Flow};

/// Templates of IPv4 and IPv6 flows, and of the sampling options.
const FLOWS_V4: u16 = 256;
const FLOWS_V6: u16 = 257;
const OPTIONS: u16 = 258;
/// The selector that records name.
const SELECTOR: u64 = 5;

/// What both families have behind their addresses: ports, protocol, flags, class, interfaces, counts, times.
const COMMON: [Field; 11] = [
    Field::new(7, 2),
    Field::new(11, 2),
    Field::new(4, 1),
    Field::new(6, 2),
    Field::new(5, 1),
    Field::new(10, 4),
    Field::new(14, 4),
    Field::new(2, 8),
    Field::new(1, 8),
    Field::new(152, 8),
    Field::new(153, 8),
];

impl Exporter {
    pub(super) fn ipfix_templates(&mut self, now: Timestamp) {
        let mut message = self.ipfix_begin(now);
        let mut records = 0;
        message.template(FLOWS_V4, &self.ipfix_fields(true));
        message.template(FLOWS_V6, &self.ipfix_fields(false));
        if let Some(n) = self.settings.says() {
            // The scope is the observation domain, or the selector.
            let domain = [Field::new(149, 4)];
            match self.settings.announce {
                Announce::Interval => {
                    message.options_template(OPTIONS, &domain, &[Field::new(34, 4), Field::new(35, 1)]);
                    message.data(OPTIONS, |w| {
                        w.u32(self.settings.domain).u32(n).u8(2);
                    });
                    records = 1;
                }
                Announce::Spaces => {
                    // RFC 5477 §8.2: algorithm 1 is systematic count-based.
                    let fields = [Field::new(304, 2), Field::new(305, 4), Field::new(306, 4)];
                    message.options_template(OPTIONS, &domain, &fields);
                    message.data(OPTIONS, |w| {
                        w.u32(self.settings.domain).u16(1).u32(1).u32(n.saturating_sub(1));
                    });
                    records = 1;
                }
                Announce::Sampler => {
                    let fields = [Field::new(304, 2), Field::new(305, 4), Field::new(306, 4)];
                    message.options_template(OPTIONS, &[Field::new(302, 8)], &fields);
                    message.data(OPTIONS, |w| {
                        w.u64(SELECTOR).u16(1).u32(1).u32(n.saturating_sub(1));
                    });
                    records = 1;
                }
                Announce::Record | Announce::Never => {}
            }
        }
        self.sequence = self.sequence.wrapping_add(records);
        self.emit(now, 0, message.finish());
    }

    pub(super) fn ipfix_send(&mut self, now: Timestamp) {
        let flows = std::mem::take(&mut self.pending);
        let (v4, v6): (Vec<Flow>, Vec<Flow>) = flows.iter().partition(|flow| flow.key.src.is_ipv4());
        let mut message = self.ipfix_begin(now);
        for (template, lot) in [(FLOWS_V4, v4), (FLOWS_V6, v6)] {
            if lot.is_empty() {
                continue;
            }
            message.data(template, |w| {
                for flow in &lot {
                    let Flow { key, .. } = flow;
                    let ports = if flow.is_icmp() { (0, 0) } else { key.ports };
                    w.addr(key.src).addr(key.dst).u16(ports.0).u16(ports.1);
                    w.u8(key.protocol).u16(flow.flags).u8(key.tos);
                    w.u32(key.input.into()).u32(flow.output.into());
                    w.u64(flow.packets).u64(flow.octets);
                    w.u64(flow.first.nanos() / 1_000_000).u64(flow.last.nanos() / 1_000_000);
                    w.u16(if flow.is_icmp() { key.ports.1 } else { 0 });
                    match self.settings.announce {
                        Announce::Sampler => {
                            w.u64(SELECTOR);
                        }
                        Announce::Record => {
                            w.u32(self.settings.says().unwrap_or(1));
                        }
                        _ => {}
                    }
                }
            });
        }
        self.sequence = self.sequence.wrapping_add(u32::try_from(flows.len()).unwrap_or(0));
        self.emit(now, flows.len(), message.finish());
    }

    fn ipfix_fields(&self, v4: bool) -> Vec<Field> {
        let addresses =
            if v4 { [Field::new(8, 4), Field::new(12, 4)] } else { [Field::new(27, 16), Field::new(28, 16)] };
        let mut fields: Vec<Field> = addresses.into_iter().chain(COMMON).collect();
        fields.push(if v4 { Field::new(32, 2) } else { Field::new(139, 2) });
        match self.settings.announce {
            Announce::Sampler => fields.push(Field::new(302, 8)),
            Announce::Record => fields.push(Field::new(34, 4)),
            _ => {}
        }
        fields
    }

    /// RFC 7011 §3.1: the sequence counts data records before this message.
    fn ipfix_begin(&self, now: Timestamp) -> Message {
        Message::new(&Header {
            export_time: u32::try_from(now.secs()).unwrap_or(u32::MAX),
            sequence: self.sequence,
            domain: self.settings.domain,
        })
    }
}
