//! A router that sends NetFlow v9.

use base::Timestamp;
use wire::emit::Field;
use wire::emit::netflow9::{Datagram, Header};

use super::{Announce, Exporter, cache::Flow};

/// Templates of IPv4 and IPv6 flows, and of the sampling options.
const FLOWS_V4: u16 = 256;
const FLOWS_V6: u16 = 257;
const OPTIONS: u16 = 258;
/// The sampler that records name.
const SAMPLER: u8 = 5;

/// What both families have behind their addresses (RFC 3954 §8).
const COMMON: [Field; 11] = [
    Field::new(7, 2),
    Field::new(11, 2),
    Field::new(4, 1),
    Field::new(6, 1),
    Field::new(5, 1),
    Field::new(10, 4),
    Field::new(14, 4),
    Field::new(2, 4),
    Field::new(1, 4),
    Field::new(22, 4),
    Field::new(21, 4),
];

impl Exporter {
    pub(super) fn netflow9_templates(&mut self, now: Timestamp) {
        let mut datagram = self.netflow9_begin(now);
        datagram.template(FLOWS_V4, &self.netflow9_fields(true));
        datagram.template(FLOWS_V6, &self.netflow9_fields(false));
        if let Some(n) = self.settings.says() {
            // Scope 1 is the whole system.
            let scope = [Field::new(1, 4)];
            match self.settings.announce {
                Announce::Sampler => {
                    let fields = [Field::new(48, 1), Field::new(49, 1), Field::new(50, 4)];
                    datagram.options_template(OPTIONS, &scope, &fields);
                    datagram.data(OPTIONS, 1, |w| {
                        w.u32(0).u8(SAMPLER).u8(2).u32(n);
                    });
                }
                Announce::Record | Announce::Never => {}
                Announce::Interval | Announce::Spaces => {
                    datagram.options_template(OPTIONS, &scope, &[Field::new(34, 4), Field::new(35, 1)]);
                    datagram.data(OPTIONS, 1, |w| {
                        w.u32(0).u32(n).u8(2);
                    });
                }
            }
        }
        self.emit(now, 0, datagram.finish());
    }

    pub(super) fn netflow9_send(&mut self, now: Timestamp) {
        let flows = std::mem::take(&mut self.pending);
        let (v4, v6): (Vec<Flow>, Vec<Flow>) = flows.iter().partition(|flow| flow.key.src.is_ipv4());
        let mut datagram = self.netflow9_begin(now);
        for (template, lot) in [(FLOWS_V4, v4), (FLOWS_V6, v6)] {
            if lot.is_empty() {
                continue;
            }
            datagram.data(template, u16::try_from(lot.len()).unwrap_or(u16::MAX), |w| {
                for flow in &lot {
                    let Flow { key, .. } = flow;
                    w.addr(key.src).addr(key.dst).u16(key.ports.0).u16(key.ports.1);
                    w.u8(key.protocol).u8(u8::try_from(flow.flags & 0xff).unwrap_or(0)).u8(key.tos);
                    w.u32(key.input.into()).u32(flow.output.into());
                    w.u32(u32::try_from(flow.packets).unwrap_or(u32::MAX));
                    w.u32(u32::try_from(flow.octets).unwrap_or(u32::MAX));
                    w.u32(self.settings.uptime(flow.first)).u32(self.settings.uptime(flow.last));
                    match self.settings.announce {
                        Announce::Sampler => {
                            w.u8(SAMPLER);
                        }
                        Announce::Record => {
                            w.u32(self.settings.says().unwrap_or(1));
                        }
                        _ => {}
                    }
                }
            });
        }
        self.emit(now, flows.len(), datagram.finish());
    }

    fn netflow9_fields(&self, v4: bool) -> Vec<Field> {
        let addresses =
            if v4 { [Field::new(8, 4), Field::new(12, 4)] } else { [Field::new(27, 16), Field::new(28, 16)] };
        let mut fields: Vec<Field> = addresses.into_iter().chain(COMMON).collect();
        match self.settings.announce {
            Announce::Sampler => fields.push(Field::new(48, 1)),
            Announce::Record => fields.push(Field::new(34, 4)),
            _ => {}
        }
        fields
    }

    /// RFC 3954 §5.1: the sequence counts datagrams.
    fn netflow9_begin(&mut self, now: Timestamp) -> Datagram {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        Datagram::new(&Header {
            uptime: self.settings.uptime(now),
            secs: u32::try_from(now.secs()).unwrap_or(u32::MAX),
            sequence,
            source_id: self.settings.domain,
        })
    }
}
