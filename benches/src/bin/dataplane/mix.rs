//! Rules as operators have them, and packets that meet them, from a seed.

use std::fmt::Write as _;

/// Numbers that look random.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from((self.0 >> 11) % u64::from(n.max(1))).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, all: &[T], otherwise: T) -> T {
        let at = usize::try_from(self.below(u32::try_from(all.len()).unwrap_or(1))).unwrap_or(0);
        all.get(at).copied().unwrap_or(otherwise)
    }
}

/// A rule, and a packet that meets it.
pub(crate) struct Pair {
    pub(crate) rule: String,
    pub(crate) packet: Packet,
}

/// A packet over IPv4.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) src: [u8; 4],
    pub(crate) dst: [u8; 4],
    pub(crate) protocol: u8,
    pub(crate) ports: (u16, u16),
    pub(crate) flags: u8,
    pub(crate) length: u16,
}

fn octet(n: u32) -> u8 {
    u8::try_from(n & 255).unwrap_or(0)
}

fn port(n: u32) -> u16 {
    u16::try_from(n & 65_535).unwrap_or(0)
}

impl Packet {
    /// One that meets no rule.
    pub(crate) const FIXED: Self = Self {
        src: [198, 18, 0, 1],
        dst: [203, 0, 3, 77],
        protocol: 17,
        ports: (49_153, 4321),
        flags: 0x10,
        length: 60,
    };

    /// Any.
    pub(crate) fn random(r: &mut Random) -> Self {
        Self {
            src: [octet(1 + r.below(220)), octet(r.below(256)), octet(r.below(256)), octet(r.below(256))],
            dst: [203, 0, octet(r.below(64)), octet(r.below(256))],
            protocol: if r.below(2) == 0 { 6 } else { 17 },
            ports: (port(r.below(65_536)), port(r.below(65_536))),
            flags: r.one_of(&[0x02, 0x10, 0x12, 0x18, 0x04], 0x10),
            length: port(40 + r.below(1400)),
        }
    }

    /// As a frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut b = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        b.extend(self.length.to_be_bytes());
        b.extend([0, 0, 0, 0, 64, self.protocol, 0, 0]);
        b.extend(self.src);
        b.extend(self.dst);
        // The network stack looks at the header's checksum (RFC 1071).
        let words = b.get(14..34).unwrap_or(&[]).chunks(2);
        let sum: u32 = words.map(|w| w.iter().fold(0, |word, octet| word << 8 | u32::from(*octet))).sum();
        let sum = !port((sum & 0xffff) + (sum >> 16));
        b.splice(24..26, sum.to_be_bytes());
        b.extend(self.ports.0.to_be_bytes());
        b.extend(self.ports.1.to_be_bytes());
        b.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, self.flags, 4, 0]);
        b.resize(74, 0);
        b
    }
}

/// 55 % amplification ports to a host, 20 % port and length ranges, 12 % SYNs to a port, 10 % source networks to a /24, 3 %
/// source networks with flags.
pub(crate) fn pair(r: &mut Random) -> Pair {
    let mut packet = Packet::random(r);
    let [a, b, c, d] = packet.dst;
    let mut rule = String::new();
    let say = match r.below(100) {
        0..55 => {
            packet.protocol = 17;
            packet.ports.0 = r.one_of(&[53, 123, 389, 1900, 11_211, 161, 19, 17], 53);
            write!(rule, "dst {a}.{b}.{c}.{d}/32 proto udp src-port {}", packet.ports.0)
        }
        55..75 => {
            packet.protocol = 17;
            let (p, l) = (u32::from(packet.ports.1), u32::from(packet.length));
            let (to, most) = ((p + r.below(5000)).min(65_535), l + r.below(400));
            write!(rule, "dst {a}.{b}.{c}.{d}/32 proto udp dst-port {p}-{to} length {l}-{most}")
        }
        75..87 => {
            (packet.protocol, packet.flags, packet.length) = (6, 0x02, port(40 + r.below(40)));
            let (p, l) = (packet.ports.1, packet.length);
            write!(rule, "dst {a}.{b}.{c}.{d}/32 proto tcp dst-port {p} tcp-flags syn/syn+ack length {l}")
        }
        87..97 => {
            let [x, y, ..] = packet.src;
            write!(rule, "dst {a}.{b}.{c}.0/24 src {x}.{}.0.0/12", y & 0xf0)
        }
        _ => {
            packet.protocol = 6;
            packet.flags = 0x02;
            let [x, y, z, _] = packet.src;
            write!(rule, "src {x}.{y}.{z}.0/24 tcp-flags syn/syn+ack")
        }
    };
    debug_assert!(say.is_ok());
    Pair { rule, packet }
}

/// So many rules as a file, and the packets of a fifth of all turns that meet them.
pub(crate) fn rules(count: usize) -> (String, Vec<Packet>) {
    let mut r = Random::new(7);
    let pairs: Vec<Pair> = (0..count).map(|_| pair(&mut r)).collect();
    let text = pairs.iter().enumerate().map(|(i, p)| format!("r{i} {} -> drop\n", p.rule)).collect();
    let packets = (0..4096)
        .map(|i| match (i % 5, pairs.get(i % pairs.len().max(1))) {
            (0, Some(pair)) => pair.packet,
            _ => Packet::random(&mut r),
        })
        .collect();
    (text, packets)
}
