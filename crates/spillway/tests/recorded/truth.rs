//! What each recording holds, as its publisher and the test data's table say.

use std::net::IpAddr;

use wire::packet::{TCP, UDP, flags};

use super::frames::Frame;

/// A recorded attack.
pub(crate) struct Recorded {
    pub(crate) file: &'static str,
    pub(crate) victim: &'static str,
    /// The largest vector.
    pub(crate) vector: &'static str,
    /// Others that may be named beside it.
    pub(crate) also: &'static [&'static str],
    /// Which packets are the attack, where the table says it packet by packet.
    pub(crate) packets: Option<Packets>,
}

/// How many attack packets there are, and how to know them.
pub(crate) struct Packets {
    pub(crate) count: usize,
    pub(crate) is_attack: fn(&Frame, IpAddr) -> bool,
    /// Ordinary traffic that no filter may touch; what is neither is a by-product of the attack.
    pub(crate) is_ordinary: fn(&Frame, IpAddr) -> bool,
}

/// The must-detect cases.
pub(crate) const ATTACKS: &[Recorded] = &[
    Recorded {
        file: "tcp-syn-flood-spoofed-port25565.pcap",
        victim: "10.10.10.10",
        vector: "tcp-syn-flood",
        also: &[],
        packets: Some(Packets { count: 37_841, is_attack: syn, is_ordinary: nothing }),
    },
    Recorded {
        file: "tcp-synack-reflection.pcap",
        victim: "10.10.10.10",
        vector: "tcp-synack-reflection",
        // "RST and ICMP unreachable are part of the same backscatter"
        also: &["tcp-rst-fin-flood", "icmp-flood"],
        packets: Some(Packets { count: 6_651, is_attack: syn_ack, is_ordinary: unrelated_udp }),
    },
    Recorded {
        file: "udp-ike-natt4500-reflection.pcap",
        victim: "10.10.10.10",
        vector: "udp-amplification-ike",
        also: &[],
        packets: Some(Packets { count: 3_984, is_attack: from_4500, is_ordinary: nothing }),
    },
    Recorded {
        file: "udp-snmp161-amplification.pcap",
        victim: "10.10.10.10",
        vector: "udp-amplification-snmp",
        also: &["icmp-flood"],
        packets: Some(Packets { count: 4_079, is_attack: from_161, is_ordinary: nothing }),
    },
    Recorded {
        file: "udp-dns-rrsig-amplification-fragmented-with-background.pcap",
        victim: "10.10.10.10",
        vector: "udp-amplification-dns",
        also: &[],
        packets: Some(Packets { count: 1_249, is_attack: rrsig, is_ordinary: not_rrsig }),
    },
    Recorded {
        file: "tcp-syn-flood-with-payload-100B.pcap",
        victim: "10.0.1.12",
        vector: "tcp-syn-flood",
        also: &[],
        packets: None,
    },
    Recorded {
        file: "tcp-syn-flood-cicddos2019-twoway.pcap",
        victim: "192.168.50.4",
        vector: "tcp-syn-flood",
        also: &[],
        packets: None,
    },
    Recorded {
        file: "tcp-syn-flood-single-source-90kpps.pcap",
        victim: "10.42.0.2",
        vector: "tcp-syn-flood",
        also: &[],
        packets: None,
    },
    Recorded {
        file: "tcp-ip-fragment-garbage.pcap",
        victim: "10.128.0.2",
        vector: "ip-fragment-flood",
        also: &[],
        packets: None,
    },
];

/// "The label says attack, the packets look like light web use": must parse, need not be found.
pub(crate) const NOT_A_MUST: &str = "http-webddos-cicddos2019-lowrate.pcap";

fn nothing(_: &Frame, _: IpAddr) -> bool {
    false
}

fn syn(frame: &Frame, victim: IpAddr) -> bool {
    tcp_flags(frame, victim)
        .is_some_and(|f| f & (flags::SYN | flags::ACK | flags::RST | flags::FIN) == flags::SYN)
}

fn syn_ack(frame: &Frame, victim: IpAddr) -> bool {
    tcp_flags(frame, victim).is_some_and(|f| f & (flags::SYN | flags::ACK) == flags::SYN | flags::ACK)
}

fn unrelated_udp(frame: &Frame, _: IpAddr) -> bool {
    frame.parse().is_some_and(|parsed| parsed.headers.protocol == UDP)
}

fn from_4500(frame: &Frame, victim: IpAddr) -> bool {
    udp_from(frame, victim, 4500)
}

fn from_161(frame: &Frame, victim: IpAddr) -> bool {
    udp_from(frame, victim, 161)
}

/// Answers to port 22, and the fragments that complete them.
fn rrsig(frame: &Frame, victim: IpAddr) -> bool {
    frame.parse().is_some_and(|parsed| {
        let h = &parsed.headers;
        h.dst == victim && h.protocol == UDP && (h.ports == Some((53, 22)) || h.fragment.is_later())
    })
}

fn not_rrsig(frame: &Frame, victim: IpAddr) -> bool {
    !rrsig(frame, victim)
}

fn udp_from(frame: &Frame, victim: IpAddr, port: u16) -> bool {
    frame.parse().is_some_and(|parsed| {
        let h = &parsed.headers;
        h.dst == victim && h.protocol == UDP && h.src_port() == Some(port)
    })
}

fn tcp_flags(frame: &Frame, victim: IpAddr) -> Option<u16> {
    let headers = frame.parse()?.headers;
    (headers.dst == victim && headers.protocol == TCP).then_some(headers.tcp?.flags)
}
