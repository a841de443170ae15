//! Link types by their number (<https://www.tcpdump.org/linktypes.html>).

use wire::packet::Link;

/// How packets of this link type begin; `None` for those that we cannot read.
pub const fn of(number: u32) -> Option<Link> {
    match number {
        // BSD loopback, in host order or network order.
        0 | 108 => Some(Link::Null),
        1 => Some(Link::Ethernet),
        // PPP, PPP in HDLC-like framing.
        9 | 50 => Some(Link::Ppp),
        // RAW under its old numbers and its own; IPv4 and IPv6 alone.
        12 | 14 | 101 | 228 | 229 => Some(Link::Ip),
        113 => Some(Link::LinuxSll),
        219 => Some(Link::Mpls),
        276 => Some(Link::LinuxSll2),
        _ => None,
    }
}

/// The number of a link type, for writing.
pub const fn number(link: Link) -> u32 {
    match link {
        Link::Null => 0,
        Link::Ethernet => 1,
        Link::Ppp => 9,
        Link::Ip => 101,
        Link::LinuxSll => 113,
        Link::Mpls => 219,
        Link::LinuxSll2 => 276,
    }
}

/// Octets before the network layer, for frames that carry no IP.
pub const fn header_len(link: Link) -> u32 {
    match link {
        Link::Ethernet => 14,
        Link::Ip => 0,
        Link::Null | Link::Ppp | Link::Mpls => 4,
        Link::LinuxSll => 16,
        Link::LinuxSll2 => 20,
    }
}

/// The name of a link type people meet and we cannot read.
pub const fn name(number: u32) -> &'static str {
    match number {
        3 => "AX.25",
        6 => "token ring",
        8 => "SLIP",
        10 => "FDDI",
        51 => "PPPoE",
        104 => "Cisco HDLC",
        105 => "IEEE 802.11",
        107 => "frame relay",
        127 => "IEEE 802.11 with radiotap",
        147..=162 => "private use",
        163 => "IEEE 802.11 with AVS",
        187 => "Bluetooth",
        189 | 220 => "USB",
        192 => "PPI",
        195 | 230 => "IEEE 802.15.4",
        239 => "NFLOG",
        251 => "Bluetooth LE",
        _ => "unknown",
    }
}
