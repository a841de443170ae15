//! What is counted of one vector of an attack.

use base::Timestamp;
use wire::Headers;
use wire::packet::{TCP, UDP};

use crate::packet::Packet;
use crate::tally::Tally;

/// A vector, watched.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) protocol: Dense<u8>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) last: Timestamp,
    pub(crate) src_ports: Dense<u16>,
    pub(crate) dst_ports: Dense<u16>,
    pub(crate) flags: Dense<u8>,
    pub(crate) ttls: Dense<u8>,
    pub(crate) lengths: Tally<u32>,
    pub(crate) offsets: Tally<u16>,
    pub(crate) icmp: Dense<u8>,
    pub(crate) questions: Tally<(String, u16)>,
    pub(crate) forms: Dense<u8>,
    pub(crate) tools: Dense<u8>,
    seen: u64,
}

/// Packets by each value that there is: floods draw ports at random, and looking values up takes time.
#[derive(Clone, Debug)]
pub(crate) struct Dense<K> {
    counts: Vec<u32>,
    of: std::marker::PhantomData<K>,
}

impl<K: Copy + Ord + Into<usize> + TryFrom<usize>> Dense<K> {
    /// For `K` of so many bits.
    fn new(bits: u32) -> Self {
        Self { counts: vec![0; 1 << bits], of: std::marker::PhantomData }
    }

    #[inline]
    fn add(&mut self, value: K, packets: u64) {
        if let Some(count) = self.counts.get_mut(value.into()) {
            *count = count.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
        }
    }

    /// Looks where [`Self::add`] will look.
    #[inline]
    fn approach(&self, value: K) -> u64 {
        self.counts.get(value.into()).copied().unwrap_or(0).into()
    }

    /// Values by count, the most frequent first, equals by value.
    pub(crate) fn ranked(&self) -> Vec<(K, u64)> {
        let there = (0usize..).zip(&self.counts).filter(|(_, n)| **n > 0);
        let mut all: Vec<(K, u64)> =
            there.filter_map(|(value, n)| Some((K::try_from(value).ok()?, u64::from(*n)))).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }

    /// The most frequent ones, at most [`Tally::MAX`].
    pub(crate) fn counts(&self) -> std::collections::BTreeMap<K, u64> {
        let mut all = self.ranked();
        all.truncate(Tally::<u16>::MAX);
        all.into_iter().collect()
    }
}

/// DNS answers and questions whose names are read: the first ones, then one of so many.
const QUESTIONS_CLOSE: u64 = 4096;
const QUESTIONS_THIN: u64 = 64;

impl Vector {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            packets: 0,
            bytes: 0,
            protocol: Dense::new(8),
            started: None,
            last: Timestamp::ZERO,
            src_ports: Dense::new(16),
            dst_ports: Dense::new(16),
            flags: Dense::new(8),
            ttls: Dense::new(8),
            lengths: Tally::new(),
            offsets: Tally::new(),
            icmp: Dense::new(8),
            questions: Tally::new(),
            forms: Dense::new(8),
            tools: Dense::new(8),
            seen: 0,
        }
    }

    /// Looks where [`Self::add`] will look, so that the memory is near by then; the number means nothing.
    #[inline]
    pub(crate) fn approach(&self, headers: &Headers) -> u64 {
        headers.ports.map_or(0, |(src, dst)| self.src_ports.approach(src) ^ self.dst_ports.approach(dst))
    }

    #[inline]
    pub(crate) fn add(&mut self, packet: &Packet<'_>, form: u8, tool: Option<usize>) {
        let (h, n) = (packet.headers, packet.packets);
        self.packets += n;
        self.bytes += packet.bytes;
        self.seen += 1;
        self.started = Some(self.started.map_or(packet.at, |at| at.min(packet.at)));
        self.last = self.last.max(packet.at);
        self.protocol.add(h.protocol, n);
        if let Some((src, dst)) = h.ports {
            self.src_ports.add(src, n);
            self.dst_ports.add(dst, n);
        }
        if let (TCP, Some(tcp)) = (h.protocol, h.tcp) {
            let [_, low] = tcp.flags.to_be_bytes();
            self.flags.add(low, n);
        }
        if let Some((kind, _)) = h.icmp {
            self.icmp.add(kind, n);
        }
        self.lengths.add(h.length, n);
        if packet.single {
            self.ttls.add(h.ttl, n);
            if h.fragment.is_later() || h.fragment.more {
                self.offsets.add(h.fragment.offset.saturating_mul(8), n);
            }
        }
        self.forms.add(form, n);
        if let Some(tool) = tool.and_then(|tool| u8::try_from(tool).ok()) {
            self.tools.add(tool, n);
        }
        if is_dns(h) && (self.seen <= QUESTIONS_CLOSE || self.seen.is_multiple_of(QUESTIONS_THIN)) {
            question(packet.payload).into_iter().for_each(|question| self.questions.add(question, n));
        }
    }
}

const fn is_dns(h: &Headers) -> bool {
    h.protocol == UDP && matches!(h.ports, Some((53, _) | (_, 53)))
}

/// Name and type of the first question (RFC 1035 §4.1.2), printable characters only, in lower case.
fn question(message: &[u8]) -> Option<(String, u16)> {
    let [_, _, _, _, 0, 1..=u8::MAX, ..] = message else { return None };
    let mut rest = message.get(12..)?;
    let mut name = String::new();
    loop {
        let (length, after) = rest.split_first()?;
        match *length {
            0 => {
                let [high, low, ..] = after else { return None };
                return Some((name, u16::from_be_bytes([*high, *low])));
            }
            // A name is no longer than 255 octets; a question has no pointers.
            1..=63 if name.len() < 255 => {
                let (label, next) = after.split_at_checked(usize::from(*length))?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.extend(label.iter().map(|octet| match octet {
                    b'!'..=b'~' => char::from(octet.to_ascii_lowercase()),
                    _ => '?',
                }));
                rest = next;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_damage_is_none() {
        let message = b"\x3b\x76\x83\x80\0\x01\0\x07\0\0\0\0\x08PizzaSEO\x03com\0\0\x2e\0\x01";
        assert_eq!(question(message), Some(("pizzaseo.com".into(), 46)));
        for cut in 0..message.len() - 2 {
            assert_eq!(question(&message[..cut]), None, "{cut}");
        }
        let mut pointer = message.to_vec();
        pointer[12] = 0xc0;
        assert_eq!(question(&pointer), None);
    }
}
