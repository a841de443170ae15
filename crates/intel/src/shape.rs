//! Shapes: what the packets of one sender's program have in common, as a text that stays the same and its hash.
//!
//! What a packet says by itself is its [`Form`]. What only several say together (is the identification constant, does the
//! source port count up?) is watched per form, and both make the canonical text.

use base::hash::Mixer;
use sha2::{Digest, Sha256};
use wire::packet::{ICMP, ICMP6, TCP, UDP};

use crate::packet::{Packet, Segment, options_text, origin};
use crate::tally::Tally;

/// What a packet says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Form {
    v6: bool,
    origin: u8,
    dont: bool,
    protocol: u8,
    /// TCP flags, or ICMP type.
    flags: u16,
    options: u64,
    later_fragment: bool,
    laden: bool,
    /// The port of the service, where packets come from one: answers.
    answers: u16,
}

/// Forms told apart in one vector; packets of further ones have none.
pub(crate) const FORMS_MAX: usize = 64;
/// Packets of a form that are looked at closely: the first ones, then one of [`THIN`].
const CLOSE: u64 = 1 << 14;
const THIN: u64 = 32;

/// A form and what was watched of it.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) form: Form,
    pub(crate) packets: u64,
    seen: u64,
    looked: u64,
    lengths: Tally<u32>,
    windows: Tally<u16>,
    mss: Tally<u16>,
    scales: Tally<u8>,
    fronts: Tally<u64>,
    ids: Steps,
    seqs: Steps,
    src_ports: Steps,
    seq_is_dst: u64,
    id_is_masscan: u64,
    random_payload: u64,
}

/// How a field goes on from packet to packet.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    last: Option<u32>,
    same: u64,
    up: u64,
    zero: u64,
    seen: u64,
}

impl Form {
    pub(crate) fn of(packet: &Packet<'_>, segment: Option<&Segment>, answers: bool) -> Self {
        let h = packet.headers;
        Self {
            v6: h.src.is_ipv6(),
            origin: if packet.single { origin(h.ttl) } else { 0 },
            dont: h.fragment.dont,
            protocol: h.protocol,
            flags: match h.protocol {
                TCP => h.tcp.map_or(0, |tcp| tcp.flags & 0xff),
                ICMP | ICMP6 => h.icmp.map_or(0, |(kind, _)| kind.into()),
                _ => 0,
            },
            options: segment.map_or(0, |segment| segment.options),
            later_fragment: h.fragment.is_later(),
            laden: h.payload_len.is_some_and(|len| len > 0),
            answers: if answers { h.src_port().unwrap_or(0) } else { 0 },
        }
    }
}

impl Shape {
    pub(crate) const fn new(form: Form) -> Self {
        Self {
            form,
            packets: 0,
            seen: 0,
            looked: 0,
            lengths: Tally::new(),
            windows: Tally::new(),
            mss: Tally::new(),
            scales: Tally::new(),
            fronts: Tally::new(),
            ids: Steps::NONE,
            seqs: Steps::NONE,
            src_ports: Steps::NONE,
            seq_is_dst: 0,
            id_is_masscan: 0,
            random_payload: 0,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, packet: &Packet<'_>, segment: Option<&Segment>) {
        self.packets += packet.packets;
        self.seen += 1;
        if self.seen <= CLOSE || self.seen.is_multiple_of(THIN) {
            self.look(packet, segment);
        }
    }

    fn look(&mut self, packet: &Packet<'_>, segment: Option<&Segment>) {
        let h = packet.headers;
        self.looked += 1;
        self.lengths.add(h.length, 1);
        // Steps mean something between packets that follow each other.
        let close = self.seen <= CLOSE;
        let id = packet.id();
        if let Some(id) = id {
            self.ids.step(id.into(), close);
        }
        if let Some(port) = h.src_port() {
            self.src_ports.step(port.into(), close);
        }
        if let (Some(tcp), Some(segment)) = (h.tcp, segment) {
            self.windows.add(tcp.window, 1);
            self.seqs.step(segment.seq, close);
            segment.mss.into_iter().for_each(|mss| self.mss.add(mss, 1));
            segment.scale.into_iter().for_each(|scale| self.scales.add(scale, 1));
            if let std::net::IpAddr::V4(dst) = h.dst {
                self.seq_is_dst += u64::from(segment.seq == dst.to_bits());
                let word = dst.to_bits() ^ u32::from(h.dst_port().unwrap_or(0)) ^ segment.seq;
                self.id_is_masscan += u64::from(id.is_some_and(|id| u32::from(id) == word & 0xffff));
            }
        }
        if let Some(front) = packet.payload.get(..FRONT.min(packet.payload.len())).filter(|f| !f.is_empty()) {
            let hash = front.chunks(8).fold(Mixer::new(0x6672_6f6e), |mix, part| {
                mix.with(part.iter().fold(0, |word, octet| word << 8 | u64::from(*octet)))
            });
            self.fronts.add(hash.finish(), 1);
            self.random_payload += u64::from(looks_random(packet.payload));
        }
    }

    /// The canonical text; its fields keep their order and names for ever.
    pub(crate) fn text(&self) -> String {
        let form = &self.form;
        let mut text = format!(
            "ip={} ttl={} proto={}",
            if form.v6 { 6 } else { 4 },
            form.origin,
            match form.protocol {
                TCP => "tcp".into(),
                UDP => "udp".into(),
                ICMP => "icmp".into(),
                ICMP6 => "icmp6".into(),
                other => other.to_string(),
            }
        );
        let mut say = |name: &str, value: String| {
            text.push(' ');
            text.push_str(name);
            text.push('=');
            text.push_str(&value);
        };
        if !form.v6 {
            say("df", u8::from(form.dont).to_string());
            say("id", self.id_class().into());
        }
        say("len", some(self.lengths.few(FEW, MOST)));
        if form.later_fragment {
            say("frag", "later".into());
        }
        if form.protocol == TCP {
            say("flags", flags_text(form.flags));
            say("win", some(self.windows.few(FEW, MOST)));
            say("opts", options_text(form.options));
            if self.mss.total() > 0 {
                say("mss", some(self.mss.few(FEW, MOST)));
            }
            if self.scales.total() > 0 {
                say("ws", some(self.scales.few(FEW, MOST)));
            }
            say("seq", self.seq_class().into());
        } else if matches!(form.protocol, ICMP | ICMP6) {
            say("type", form.flags.to_string());
        }
        if matches!(form.protocol, TCP | UDP) && !form.later_fragment {
            say(
                "sport",
                if form.answers > 0 { form.answers.to_string() } else { self.src_ports.class().into() },
            );
            say("payload", self.payload_class());
        }
        text
    }

    fn id_class(&self) -> &'static str {
        if self.id_is_masscan * 10 >= self.looked * 9 && self.looked >= 3 {
            return "masscan";
        }
        if self.ids.last == Some(54_321) && self.ids.class() == "const" {
            return "54321";
        }
        self.ids.class()
    }

    fn seq_class(&self) -> &'static str {
        if self.seq_is_dst * 10 >= self.looked * 9 { "dst" } else { self.seqs.class() }
    }

    fn payload_class(&self) -> String {
        if !self.form.laden {
            return "-".into();
        }
        if let Some([one]) = self.fronts.few(1, MOST).as_deref() {
            return format!("{one:016x}");
        }
        if self.random_payload * 10 >= self.fronts.total() * 9 { "random".into() } else { "mixed".into() }
    }
}

/// SHA-256 of a canonical text.
pub fn shape_id(text: &str) -> String {
    Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Octets of payload that are compared.
const FRONT: usize = 16;
/// Values that are named one by one.
const FEW: usize = 3;
/// Share of packets that they have to have.
const MOST: f64 = 0.9;

fn some<K: ToString>(few: Option<Vec<K>>) -> String {
    few.map_or_else(
        || "*".into(),
        |values| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    )
}

fn flags_text(bits: u16) -> String {
    let names = "FSRPAUEC".chars().enumerate();
    let set: String = names.filter(|(at, _)| bits >> at & 1 == 1).map(|(_, name)| name).collect();
    if set.is_empty() { "-".into() } else { set }
}

/// Random octets show few doubles: of 32 draws from 256, 30.1 different ones are expected, with a deviation of 1.3.
pub(crate) fn looks_random(payload: &[u8]) -> bool {
    let Some(front) = payload.first_chunk::<32>() else { return false };
    let mut seen = [0u64; 4];
    for octet in front {
        if let Some(word) = seen.get_mut(usize::from(octet >> 6)) {
            *word |= 1 << (octet & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum::<u32>() >= 26
}

impl Steps {
    const NONE: Self = Self { last: None, same: 0, up: 0, zero: 0, seen: 0 };

    fn step(&mut self, value: u32, follows: bool) {
        self.seen += 1;
        self.zero += u64::from(value == 0);
        if let Some(last) = self.last.replace(value) {
            self.same += u64::from(value == last);
            self.up += u64::from(follows && value.wrapping_sub(last).wrapping_sub(1) < 4);
        }
    }

    fn class(&self) -> &'static str {
        let most = |count: u64| count * 10 >= self.seen.saturating_sub(1) * 8 && count > 0;
        if self.seen == 0 {
            "-"
        } else if most(self.zero) {
            "0"
        } else if self.seen < 3 {
            "*"
        } else if most(self.same) {
            "const"
        } else if most(self.up) {
            "inc"
        } else {
            "random"
        }
    }
}
