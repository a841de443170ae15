//! NetFlow v9 and IPFIX messages: templates are learned, data sets decoded, parked or given up, each by itself.

use base::{Span, Timestamp};
use wire::netflow9::{self, Set, Sets};
use wire::{Reader, ipfix};

use crate::exporter::Exporter;
use crate::plan::Values;
use crate::record::Record;
use crate::store::{Allowance, Template};
use crate::told::{Format, Told};
use crate::{data, options};

/// What a message's header says to its sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) at: Timestamp,
    pub(crate) format: Format,
    pub(crate) domain: u32,
    /// When it was exported, by the exporter's clock.
    pub(crate) export: Timestamp,
    /// The exporter's uptime then; IPFIX does not tell.
    pub(crate) uptime: Option<u32>,
}

impl Message {
    pub(crate) const fn key(&self) -> (Format, u32) {
        (self.format, self.domain)
    }
}

/// Decodes a NetFlow v9 packet. The header's count is not believed (T19).
pub(crate) fn netflow9(
    exporter: &mut Exporter,
    at: Timestamp,
    bytes: &[u8],
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let mut r = Reader::new(bytes);
    let header = match netflow9::Header::parse(&mut r) {
        Ok(header) => header,
        Err(fault) => return exporter.stats.faults.count(fault.name()),
    };
    let message = Message {
        at,
        format: Format::Netflow9,
        domain: header.source_id,
        export: Timestamp::from_secs(u64::from(header.unix_secs)),
        uptime: Some(header.uptime),
    };
    let key = (Format::Netflow9, 0, header.source_id);
    exporter.sequence(key, header.sequence, Some(1), Some(header.uptime), true);
    walk(exporter, message, r, sink);
}

/// Decodes an IPFIX message.
pub(crate) fn ipfix(
    exporter: &mut Exporter,
    at: Timestamp,
    bytes: &[u8],
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let mut r = Reader::new(bytes);
    let header = match ipfix::Header::parse(&mut r) {
        Ok(header) => header,
        Err(fault) => return exporter.stats.faults.count(fault.name()),
    };
    let claimed = usize::from(header.length).saturating_sub(ipfix::HEADER_LEN);
    if claimed > r.len() {
        exporter.stats.faults.count("message_length");
    } else if claimed < r.len() {
        exporter.stats.faults.count("trailing");
    }
    let body = r.rest().get(..claimed).unwrap_or_else(|| r.rest());
    let message = Message {
        at,
        format: Format::Ipfix,
        domain: header.domain,
        export: Timestamp::from_secs(u64::from(header.export_time)),
        uptime: None,
    };
    let units = walk(exporter, message, Reader::new(body), sink);
    exporter.sequence((Format::Ipfix, 0, header.domain), header.sequence, units, None, false);
}

/// Walks the sets. Returns how many data records there were, if that can be known.
fn walk(
    exporter: &mut Exporter,
    message: Message,
    body: Reader<'_>,
    sink: &mut impl FnMut(&Told, Option<&Record>),
) -> Option<u32> {
    let mut sets = Sets::new(body);
    let mut allowance = Allowance::new();
    let mut units = Some(0u32);
    while let Some(set) = sets.next_set() {
        let set = match set {
            Ok(set) => set,
            Err(fault) => {
                exporter.stats.faults.count(fault.name());
                break;
            }
        };
        if set.cut {
            exporter.stats.faults.count("set_length");
        }
        exporter.stats.work += 4;
        match (message.format, set.id) {
            (Format::Netflow9, 0 | 1) | (Format::Ipfix, 2 | 3) => {
                templates(exporter, message, set, &mut allowance, sink);
            }
            (_, 256..) => {
                let records = data(exporter, message, set.id, set.body.rest(), &mut allowance, sink);
                units = units.zip(records).map(|(a, b)| a.saturating_add(b));
            }
            _ => exporter.stats.faults.count("set_id"),
        }
    }
    units
}

/// Learns the templates of a set. A damaged record costs itself and those behind it in the set.
fn templates(
    exporter: &mut Exporter,
    message: Message,
    set: Set<'_>,
    allowance: &mut Allowance,
    sink: &mut impl FnMut(&Told, Option<&Record>),
) {
    let mut body = set.body;
    let next = match (message.format, set.id) {
        (Format::Netflow9, 0) => netflow9::template,
        (Format::Netflow9, _) => netflow9::options_template,
        (_, 2) => ipfix::template,
        _ => ipfix::options_template,
    };
    while let Some(template) = next(&mut body) {
        let Ok(template) = template else { return exporter.stats.faults.count("template") };
        if template.count == 0 && message.format == Format::Ipfix {
            exporter.stats.withdrawals_ignored += 1;
            continue;
        }
        let stats = &mut exporter.stats;
        match exporter.store.define(message.key(), &template, message.at, stats, allowance) {
            Ok(()) => {
                for parked in exporter.waiting.claim(message.key(), template.id, &mut exporter.stats) {
                    exporter.stats.sets_replayed += 1;
                    data(exporter, parked.message, parked.id, &parked.body, allowance, sink);
                }
            }
            Err(why) => exporter.stats.faults.count(why),
        }
    }
}

/// Decodes a data set, or parks it. Returns how many records it had, if that can be known.
fn data(
    exporter: &mut Exporter,
    message: Message,
    id: u16,
    body: &[u8],
    allowance: &mut Allowance,
    sink: &mut impl FnMut(&Told, Option<&Record>),
) -> Option<u32> {
    let Some(template) = exporter.store.find(message.key(), id, message.at) else {
        exporter.waiting.park(message, id, body, &mut exporter.stats);
        return None;
    };
    if template.scopes.is_some() {
        records(exporter, body, &template, |exporter, values, record| {
            options::record(exporter, message, values, record, allowance);
        })
    } else if template.is_traffic() {
        let mut context = data::Context::new(exporter, message, &template);
        records(exporter, body, &template, |exporter, values, record| {
            data::record(exporter, &mut context, values, record, sink);
        })
    } else {
        records(exporter, body, &template, |exporter, _, _| exporter.stats.events += 1)
    }
}

/// Reads the records of a set.
#[inline]
fn records(
    exporter: &mut Exporter,
    body: &[u8],
    template: &Template,
    mut take: impl FnMut(&mut Exporter, &Values, &[u8]),
) -> Option<u32> {
    let plan = &template.plan;
    let mut values = Values::new();
    let mut n = 0u32;
    if let Some(len) = plan.fixed_len() {
        for record in body.chunks_exact(len.max(1)) {
            plan.read_fixed(record, &mut values);
            take(exporter, &values, record);
            n += 1;
        }
        exporter.stats.work += u64::from(n) * plan.cost() as u64;
    } else {
        let mut r = Reader::new(body);
        while r.len() >= plan.min_len && !padding(&r) {
            let record = r.rest();
            exporter.stats.work += plan.cost() as u64;
            if plan.read_variable(&mut r, &mut values).is_err() {
                exporter.stats.faults.count("record");
                exporter.stats.undecodable_bytes += record.len() as u64;
                return None;
            }
            take(exporter, &values, record);
            n += 1;
        }
    }
    if n == 0 && !body.iter().all(|b| *b == 0) {
        exporter.stats.faults.count("record");
        exporter.stats.undecodable_bytes += body.len() as u64;
    }
    Some(n)
}

/// Up to three zero octets at the end of a set, even where the shortest record would be no longer (T3).
fn padding(r: &Reader<'_>) -> bool {
    r.len() < 4 && r.rest().iter().all(|b| *b == 0)
}

/// Time passes: what waited too long is given up, templates grow old.
pub(crate) fn expire(exporter: &mut Exporter, now: Timestamp) {
    exporter.waiting.expire(now, &mut exporter.stats);
    if now.since(exporter.tidied) >= TIDY {
        exporter.tidied = now;
        exporter.store.expire(now, &mut exporter.stats);
    }
}

/// How often templates are looked through for old ones.
const TIDY: Span = Span::from_secs(300);
