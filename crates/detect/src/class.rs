//! Traffic classes: disjoint, and each one expressible as a FlowSpec rule.
//!
//! A class is seen from one host: its peer's port is the *remote* one. The same list serves what a host receives and,
//! with the ports swapped, what it sends; so "answers received" and "requests sent" of a protocol share a class.

use wire::Headers;
use wire::packet::{self, flags};

/// Index into [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub u8);

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "an index type for the constants below")]
        #[derive(Clone, Copy)]
        enum Index { $($name),*, COUNT }
        impl Class {
            $($(#[$doc])* pub const $name: Self = Self(Index::$name as u8);)*
        }
        /// Number of classes without the reflecting protocols.
        const PLAIN: u8 = Index::COUNT as u8;
        const PLAIN_NAMES: [&str; PLAIN as usize] = [$($text),*];
    };
}

classes! {
    /// SYN and none of ACK, RST, FIN.
    TCP_SYN = "tcp-syn",
    /// SYN and ACK.
    TCP_SYNACK = "tcp-synack",
    /// RST, or FIN without payload.
    TCP_RST_FIN = "tcp-rst-fin",
    /// ACK without payload.
    TCP_ACK = "tcp-ack",
    /// ACK with payload.
    TCP_DATA = "tcp-data",
    /// Combinations that no stack sends.
    TCP_ODD = "tcp-odd",
    /// QUIC, either way.
    QUIC = "udp-quic",
    /// Queries to a name server.
    DNS_QUERY = "udp-dns-query",
    /// Any other UDP.
    UDP_OTHER = "udp-other",
    /// Later fragments of UDP.
    UDP_FRAGMENT = "udp-fragment",
    /// Later fragments of anything else.
    IP_FRAGMENT = "ip-fragment",
    /// Echo requests.
    ICMP_ECHO = "icmp-echo",
    /// Unreachable, time exceeded and other errors that quote a packet.
    ICMP_ERROR = "icmp-error",
    /// Other ICMP.
    ICMP_OTHER = "icmp-other",
    /// Generic routing encapsulation.
    GRE = "gre",
    /// Every other protocol.
    OTHER = "other",
}

/// A protocol whose servers are misused as reflectors.
#[derive(Clone, Copy, Debug)]
pub struct Reflector {
    /// NAME in `udp-amplification-NAME`.
    pub name: &'static str,
    /// Ports its servers answer from, as inclusive ranges.
    pub ports: &'static [(u16, u16)],
}

const fn reflector(name: &'static str, ports: &'static [(u16, u16)]) -> Reflector {
    Reflector { name, ports }
}

/// Ports by IANA's registry and US-CERT TA14-017A; the later ones by the papers and advisories that found them.
pub const REFLECTORS: [Reflector; 30] = [
    reflector("dns", &[(53, 53)]),
    reflector("ntp", &[(123, 123)]),
    reflector("memcached", &[(11211, 11211)]),
    reflector("cldap", &[(389, 389)]),
    reflector("ssdp", &[(1900, 1900)]),
    reflector("snmp", &[(161, 161)]),
    reflector("chargen", &[(19, 19)]),
    reflector("qotd", &[(17, 17)]),
    reflector("rip", &[(520, 520)]),
    reflector("tftp", &[(69, 69)]),
    reflector("netbios", &[(137, 138)]),
    reflector("portmap", &[(111, 111)]),
    reflector("mssql", &[(1434, 1434)]),
    reflector("mdns", &[(5353, 5353)]),
    reflector("wsd", &[(3702, 3702)]),
    reflector("coap", &[(5683, 5684)]),
    reflector("ard", &[(3283, 3283)]),
    reflector("sip", &[(5060, 5061)]),
    reflector("stun", &[(3478, 3479)]),
    reflector("ike", &[(500, 500), (4500, 4500)]),
    reflector("openvpn", &[(1194, 1194)]),
    reflector("l2tp", &[(1701, 1701)]),
    reflector("bacnet", &[(47808, 47808)]),
    reflector("dvr", &[(37810, 37810)]),
    reflector("ubnt", &[(10001, 10001)]),
    reflector("plex", &[(32410, 32414)]),
    reflector("slp", &[(427, 427)]),
    reflector("rdp", &[(3389, 3389)]),
    reflector("dtls", &[(4433, 4433)]),
    reflector("ipmi", &[(623, 623)]),
];

/// Servers of games that answer queries: Source and GoldSrc, Call of Duty, Quake, FiveM, TeamSpeak, Mumble.
pub const GAME_PORTS: [(u16, u16); 7] = [
    (27005, 27050),
    (28960, 28965),
    (26000, 26001),
    (30120, 30120),
    (9987, 9987),
    (64738, 64738),
    (7777, 7778),
];

/// Index of the class "answers of game servers".
const GAME: u8 = PLAIN + 30;

/// Number of classes.
pub const COUNT: usize = PLAIN as usize + REFLECTORS.len() + 1;

impl Class {
    /// Answers of a reflecting protocol.
    pub fn reflector(self) -> Option<&'static str> {
        if self.0 == GAME {
            return Some("game");
        }
        let index = self.0.checked_sub(PLAIN)?;
        REFLECTORS.get(usize::from(index)).map(|r| r.name)
    }

    /// The class of a reflecting protocol's answers by its name.
    pub fn of_reflector(name: &str) -> Option<Self> {
        (0..COUNT).filter_map(|i| u8::try_from(i).ok()).map(Self).find(|c| c.reflector() == Some(name))
    }

    /// Stable name, for baselines and explanations.
    pub fn name(self) -> &'static str {
        match PLAIN_NAMES.get(usize::from(self.0)) {
            Some(name) => name,
            None => self.reflector().unwrap_or("other"),
        }
    }

    /// Whether this is TCP, by its flags.
    pub const fn is_tcp(self) -> bool {
        self.0 <= Self::TCP_ODD.0
    }

    /// Position in tables by class.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// From remote port to class, made once.
#[derive(Clone, Debug)]
pub struct Classifier {
    by_port: alloc::vec::Vec<u8>,
    /// Bit by port: whether `by_port` says anything of it. An eighth as large, so that it stays near.
    known: alloc::vec::Vec<u64>,
}

impl Default for Classifier {
    fn default() -> Self {
        let mut by_port = alloc::vec![Class::UDP_OTHER.0; 1 << 16];
        let mut set = |(from, to): (u16, u16), class: u8| {
            if let Some(slots) = by_port.get_mut(usize::from(from)..=usize::from(to)) {
                slots.fill(class);
            }
        };
        for (index, reflector) in (PLAIN..).zip(&REFLECTORS) {
            reflector.ports.iter().for_each(|range| set(*range, index));
        }
        GAME_PORTS.iter().for_each(|range| set(*range, GAME));
        let bits = |ports: &[u8]| {
            let known = (0u32..).zip(ports).filter(|(_, class)| **class != Class::UDP_OTHER.0);
            known.fold(0u64, |bits, (at, _)| bits | 1 << at)
        };
        let known = by_port.chunks(64).map(bits).collect();
        Self { by_port, known }
    }
}

impl Classifier {
    /// The class of a packet that a host receives, or of a flow of `several` whose flags were all put together.
    #[inline]
    pub fn received(&self, headers: &Headers, several: bool) -> Class {
        self.class(headers, headers.ports, several)
    }

    /// The class of a packet or flow that a host sends, under the name of the answer it asks for.
    #[inline]
    pub fn sent(&self, headers: &Headers, several: bool) -> Class {
        self.class(headers, headers.ports.map(|(src, dst)| (dst, src)), several)
    }

    #[inline]
    fn class(&self, headers: &Headers, ports: Option<(u16, u16)>, several: bool) -> Class {
        match headers.protocol {
            packet::UDP => match ports {
                Some((remote, local)) => self.udp(remote, local),
                None if headers.fragment.is_later() => Class::UDP_FRAGMENT,
                None => Class::UDP_OTHER,
            },
            _ if headers.fragment.is_later() => Class::IP_FRAGMENT,
            packet::TCP => match headers.tcp {
                Some(tcp) => {
                    let bare = BARE_MAX + if headers.dst.is_ipv6() { 20 } else { 0 };
                    let laden = headers.length > bare;
                    match headers.payload_len {
                        _ if several => tcp_flow_class(tcp.flags, laden),
                        Some(len) => tcp_class(tcp.flags, len > 0),
                        // A flow of one packet.
                        None => tcp_class(tcp.flags, laden || tcp.flags & flags::PSH != 0),
                    }
                }
                // A first fragment too short for the flags (RFC 1858 §3).
                None => Class::TCP_ODD,
            },
            packet::ICMP => match headers.icmp {
                Some((8, _)) => Class::ICMP_ECHO,
                Some((3 | 4 | 5 | 11 | 12, _)) => Class::ICMP_ERROR,
                _ => Class::ICMP_OTHER,
            },
            packet::ICMP6 => match headers.icmp {
                Some((128, _)) => Class::ICMP_ECHO,
                Some((1..=4, _)) => Class::ICMP_ERROR,
                _ => Class::ICMP_OTHER,
            },
            packet::GRE => Class::GRE,
            _ => Class::OTHER,
        }
    }

    #[inline]
    fn knows(&self, port: u16) -> bool {
        self.known.get(usize::from(port / 64)).is_some_and(|bits| bits >> (port % 64) & 1 == 1)
    }

    /// A client's port may be any number above 1023: what it asks of a known service decides first.
    #[inline]
    fn udp(&self, remote: u16, local: u16) -> Class {
        match (remote, local) {
            (1024.., 53) => Class::DNS_QUERY,
            (443, _) | (1024.., 443) => Class::QUIC,
            _ if !self.knows(remote) => Class::UDP_OTHER,
            _ => self.by_port.get(usize::from(remote)).map_or(Class::UDP_OTHER, |c| Class(*c)),
        }
    }
}

/// Mean IPv4 length up to which packets carry TCP options and nothing else; the header of IPv6 is longer by twenty octets.
const BARE_MAX: u32 = 64;

fn tcp_class(bits: u16, payload: bool) -> Class {
    let syn = bits & flags::SYN != 0;
    let ack = bits & flags::ACK != 0;
    let rst = bits & flags::RST != 0;
    let fin = bits & flags::FIN != 0;
    match (syn, ack, rst, fin) {
        (true, false, false, false) => Class::TCP_SYN,
        (true, true, false, false) => Class::TCP_SYNACK,
        (true, ..) => Class::TCP_ODD,
        (false, _, true, _) => Class::TCP_RST_FIN,
        (false, true, false, true) if !payload => Class::TCP_RST_FIN,
        (false, true, false, false) if !payload => Class::TCP_ACK,
        (false, true, ..) => Class::TCP_DATA,
        (false, false, false, true) if bits & (flags::PSH | flags::URG) == 0 => Class::TCP_RST_FIN,
        _ => Class::TCP_ODD,
    }
}

/// Exporters put the flags of all packets of a flow together: a whole connection shows SYN, ACK, PSH and FIN at once.
fn tcp_flow_class(bits: u16, laden: bool) -> Class {
    let has = |flag: u16| bits & flag != 0;
    match (has(flags::SYN), has(flags::ACK)) {
        _ if has(flags::ACK) && has(flags::PSH) => Class::TCP_DATA,
        // Opened and closed again, or refused: a connection that came to an end.
        (true, true) if has(flags::FIN | flags::RST) => Class::TCP_ACK,
        // The server's side of a connection, not the same SYN-ACK again and again.
        (true, true) if laden => Class::TCP_DATA,
        // All but the last segments of what is sent go without PSH.
        (false, true) if laden && !has(flags::RST) => Class::TCP_DATA,
        (true, false) if has(flags::RST) => Class::TCP_SYN,
        _ => tcp_class(bits, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use core::net::{IpAddr, Ipv6Addr};

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<_> = (0..COUNT).map(|i| Class(u8::try_from(i).unwrap()).name()).collect();
        assert_eq!(names.len(), COUNT);
        assert_eq!(Class::of_reflector("ipmi").and_then(Class::reflector), Some("ipmi"));
        assert_eq!(Class::of_reflector("game").and_then(Class::reflector), Some("game"));
        const { assert!(COUNT <= 64, "the shard packs a class into six bits") };
    }

    #[test]
    fn a_clients_port_does_not_make_it_a_reflector() {
        let classifier = Classifier::default();
        assert_eq!(classifier.udp(27015, 53), Class::DNS_QUERY);
        assert_eq!(classifier.udp(53, 27015).reflector(), Some("dns"));
        assert_eq!(classifier.udp(123, 123).reflector(), Some("ntp"));
        assert_eq!(classifier.udp(50000, 443), Class::QUIC);
        assert_eq!(classifier.udp(50000, 50001), Class::UDP_OTHER);
    }

    #[test]
    fn a_whole_connection_in_one_flow_is_nothing_odd() {
        let all = flags::SYN | flags::ACK | flags::PSH | flags::FIN;
        assert_eq!(tcp_class(all, false), Class::TCP_ODD);
        assert_eq!(tcp_flow_class(all, true), Class::TCP_DATA);
        assert_eq!(tcp_flow_class(flags::SYN | flags::ACK | flags::RST, false), Class::TCP_ACK);
        assert_eq!(tcp_flow_class(flags::SYN | flags::RST, false), Class::TCP_SYN);
        assert_eq!(tcp_flow_class(flags::SYN, false), Class::TCP_SYN);
        assert_eq!(tcp_flow_class(flags::SYN | flags::ACK, false), Class::TCP_SYNACK);
        assert_eq!(tcp_flow_class(flags::SYN | flags::ACK, true), Class::TCP_DATA);
        assert_eq!(tcp_flow_class(flags::ACK, false), Class::TCP_ACK);
        assert_eq!(tcp_flow_class(flags::ACK, true), Class::TCP_DATA);
        assert_eq!(tcp_flow_class(flags::RST | flags::ACK, true), Class::TCP_RST_FIN);
        assert_eq!(tcp_flow_class(flags::SYN | flags::FIN, false), Class::TCP_ODD);
    }

    #[test]
    fn a_flow_with_payload_is_data_though_nobody_says_how_much() {
        let classifier = Classifier::default();
        let flow = |bits: u16, length: u32, v4: bool| {
            let addr = if v4 { IpAddr::from([198, 18, 0, 1]) } else { Ipv6Addr::LOCALHOST.into() };
            let tcp = Some(packet::Tcp { flags: bits, window: 0, options_len: 0 });
            Headers { src: addr, dst: addr, protocol: packet::TCP, tcp, length, ..Headers::NOTHING }
        };
        let of =
            |headers: &Headers| (classifier.received(headers, false), classifier.received(headers, true));
        let asks = flow(flags::PSH | flags::ACK, 60, true);
        assert_eq!(of(&asks), (Class::TCP_DATA, Class::TCP_DATA));
        let segment = flow(flags::ACK, 1_500, true);
        assert_eq!(of(&segment), (Class::TCP_DATA, Class::TCP_DATA));
        for (length, v4) in [(52, true), (72, false)] {
            let acknowledges = flow(flags::ACK, length, v4);
            assert_eq!(of(&acknowledges), (Class::TCP_ACK, Class::TCP_ACK));
        }
        let accepts = flow(flags::SYN | flags::ACK, 80, false);
        assert_eq!(of(&accepts), (Class::TCP_SYNACK, Class::TCP_SYNACK));
    }

    #[test]
    fn flags_fall_into_one_class_each() {
        assert_eq!(tcp_class(flags::SYN | flags::ECE | flags::CWR, false), Class::TCP_SYN);
        assert_eq!(tcp_class(flags::SYN | flags::ACK, false), Class::TCP_SYNACK);
        assert_eq!(tcp_class(flags::RST | flags::ACK, false), Class::TCP_RST_FIN);
        assert_eq!(tcp_class(flags::FIN | flags::ACK, false), Class::TCP_RST_FIN);
        assert_eq!(tcp_class(flags::FIN | flags::ACK | flags::PSH, true), Class::TCP_DATA);
        assert_eq!(tcp_class(0, false), Class::TCP_ODD);
        assert_eq!(tcp_class(flags::FIN | flags::PSH | flags::URG, false), Class::TCP_ODD);
        assert_eq!(tcp_class(flags::SYN | flags::FIN, false), Class::TCP_ODD);
    }
}
