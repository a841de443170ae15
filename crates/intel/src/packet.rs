//! One packet as the intelligence part looks at it: what rules can ask, and what they cannot.

use base::Timestamp;
use wire::Headers;
use wire::packet::{ICMP, ICMP6, TCP};

/// A packet, or a flow's summary, that reached a target or left it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Capture time.
    pub at: Timestamp,
    /// Headers.
    pub headers: &'a Headers,
    /// Captured octets from the IP header on; empty where only fields were told.
    pub ip: &'a [u8],
    /// Captured octets behind the IP headers; empty likewise.
    pub transport: &'a [u8],
    /// Captured octets behind the TCP or UDP header.
    pub payload: &'a [u8],
    /// Packets it stands for.
    pub packets: u64,
    /// Layer-3 octets it stands for.
    pub bytes: u64,
    /// Whether the headers are those of one packet, not of a flow.
    pub single: bool,
}

/// Options told apart, in the order of the header; further ones are not looked at.
pub(crate) const OPTIONS_MAX: usize = 10;

/// What a TCP header says besides flags and window (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    /// Kinds of options in order, five bits each, the first in the lowest; 0 ends (kind 0 itself ends the list too).
    pub(crate) options: u64,
    /// RFC 9293 §3.7.1.
    pub(crate) mss: Option<u16>,
    /// RFC 7323 §2.2.
    pub(crate) scale: Option<u8>,
}

impl<'a> Packet<'a> {
    /// Identification of IPv4 (RFC 791 §3.1).
    pub(crate) fn id(&self) -> Option<u16> {
        match self.ip {
            [0x40..=0x4f, _, _, _, high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    /// The TCP header, where all of its fixed part was seen.
    pub(crate) fn segment(&self) -> Option<Segment> {
        if self.headers.protocol != TCP {
            return None;
        }
        let [_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3] = *self.transport.first_chunk::<12>()?;
        let length = usize::from(self.headers.tcp?.options_len);
        let octets = self.transport.get(20..20 + length).or_else(|| self.transport.get(20..)).unwrap_or(&[]);
        let mut segment = Segment {
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            ..Segment::default()
        };
        segment.read_options(octets);
        Some(segment)
    }

    /// What an ICMP error quotes, from the quoted IP header on (RFC 792, RFC 4443 §3).
    pub fn quoted(&self) -> Option<&'a [u8]> {
        quoted(self.headers, self.transport)
    }
}

/// What an ICMP error quotes, from the quoted IP header on (RFC 792, RFC 4443 §3); `None`: it is no error, or too short.
pub fn quoted<'a>(headers: &Headers, transport: &'a [u8]) -> Option<&'a [u8]> {
    let kind = headers.icmp?.0;
    let error = match headers.protocol {
        ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        ICMP6 => matches!(kind, 1..=4),
        _ => false,
    };
    if error { transport.get(8..) } else { None }
}

impl Segment {
    fn read_options(&mut self, mut octets: &[u8]) {
        for place in 0..OPTIONS_MAX {
            let (kind, rest) = match octets {
                [] | [0, ..] => return,
                [1, rest @ ..] => (1, rest),
                [kind, length, ..] => {
                    // A length below 2 would never end; what is cut is not there.
                    let Some((option, rest)) = octets.split_at_checked(usize::from(*length).max(2)) else {
                        return;
                    };
                    match option {
                        [2, 4, high, low] => self.mss = Some(u16::from_be_bytes([*high, *low])),
                        [3, 3, scale] => self.scale = Some(*scale),
                        _ => {}
                    }
                    (*kind, rest)
                }
                [_] => return,
            };
            self.options |= u64::from(kind.min(31)) << (5 * place);
            octets = rest;
        }
    }
}

/// The time to live that a packet most likely left with: 32, 64, 128 or 255.
pub(crate) const fn origin(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    }
}

/// Names of options in short, as p0f writes them; others by number.
pub(crate) fn options_text(options: u64) -> String {
    let kinds = (0..OPTIONS_MAX).map(|place| options >> (5 * place) & 31).take_while(|kind| *kind != 0);
    let names: Vec<String> = kinds
        .map(|kind| match kind {
            1 => "nop".into(),
            2 => "mss".into(),
            3 => "ws".into(),
            4 => "sok".into(),
            5 => "sack".into(),
            8 => "ts".into(),
            other => format!("o{other}"),
        })
        .collect();
    if names.is_empty() { "-".into() } else { names.join(",") }
}

/// The other way round; `None` for a name that nobody uses.
pub(crate) fn options_of(text: &str) -> Option<u64> {
    if text == "-" {
        return Some(0);
    }
    text.split(',').zip(0..OPTIONS_MAX).try_fold(0, |options, (name, place)| {
        let kind: u64 = match name {
            "nop" => 1,
            "mss" => 2,
            "ws" => 3,
            "sok" => 4,
            "sack" => 5,
            "ts" => 8,
            other => other.strip_prefix('o')?.parse().ok().filter(|kind| *kind < 32)?,
        };
        Some(options | kind << (5 * place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_options_lead_back() {
        for text in ["-", "mss,sok,ts,nop,ws", "nop,nop,ts", "o30,sack"] {
            assert_eq!(options_text(options_of(text).unwrap()), text);
        }
        assert_eq!(options_of("mss,foo"), None);
    }

    #[test]
    fn options_are_read_in_order_and_damage_ends_them() {
        let read = |octets: &[u8]| {
            let mut segment = Segment::default();
            segment.read_options(octets);
            (options_text(segment.options), segment.mss, segment.scale)
        };
        let linux = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
        assert_eq!(read(&linux), ("mss,sok,ts,nop,ws".into(), Some(1460), Some(7)));
        assert_eq!(read(&[]), ("-".into(), None, None));
        assert_eq!(read(&[8, 0, 0, 0]).0, "ts");
        assert_eq!(read(&[2, 200, 1]), ("-".into(), None, None));
        assert_eq!(read(&[1; 40]).0, ["nop"; OPTIONS_MAX].join(","));
    }
}
