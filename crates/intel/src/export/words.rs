//! What others call it: vectors, protocols and services in the vocabularies of the formats.

/// A technique of an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Technique {
    /// In MITRE ATT&CK.
    pub attack: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// In CAPEC.
    pub capec: &'static str,
}

const DIRECT: &str = "Network Denial of Service: Direct Network Flood";
const REFLECTION: &str = "Network Denial of Service: Reflection Amplification";
const OS: &str = "Endpoint Denial of Service: OS Exhaustion Flood";
const SERVICE: &str = "Endpoint Denial of Service: Service Exhaustion Flood";
const SCAN: &str = "Active Scanning: Scanning IP Blocks";

/// What a vector begins with that is an amplified answer of a UDP service.
pub(super) const AMPLIFICATION: &str = "udp-amplification-";

/// The technique of a vector of interface.md.
pub fn technique(vector: &str) -> Technique {
    let (attack, name, capec) = match vector {
        "tcp-synack-reflection" | "tcp-middlebox-reflection" => ("T1498.002", REFLECTION, "CAPEC-490"),
        _ if vector.starts_with(AMPLIFICATION) => ("T1498.002", REFLECTION, "CAPEC-490"),
        "tcp-syn-flood" | "tcp-ack-flood" | "tcp-rst-fin-flood" | "tcp-odd-flags-flood" => {
            ("T1499.001", OS, "CAPEC-482")
        }
        "tcp-connection-flood" | "tcp-slow" | "tls-handshake-flood" => ("T1499.002", SERVICE, "CAPEC-482"),
        "http-flood" => ("T1499.002", SERVICE, "CAPEC-488"),
        "dns-query-flood" => ("T1499.002", SERVICE, "CAPEC-125"),
        "quic-flood" | "udp-flood" => ("T1498.001", DIRECT, "CAPEC-486"),
        "udp-fragment-flood" => ("T1498.001", DIRECT, "CAPEC-495"),
        "icmp-flood" => ("T1498.001", DIRECT, "CAPEC-487"),
        "scan" => ("T1595.001", SCAN, "CAPEC-300"),
        _ => ("T1498.001", DIRECT, "CAPEC-125"),
    };
    Technique { attack, name, capec }
}

/// The words that MISP's `ddos` object has for a vector; it has none for many.
pub fn misp(vector: &str) -> Vec<&'static str> {
    if let Some(service) = vector.strip_prefix(AMPLIFICATION) {
        let own = match service {
            "dns" => Some("dns-amplification"),
            "ntp" => Some("ntp-amplification"),
            "memcached" => Some("memcached-amplification"),
            "ssdp" => Some("ssdp-amplification"),
            "snmp" => Some("snmp-amplification"),
            "chargen" => Some("chargen-amplification"),
            "mssql" => Some("ms-sql-rs-amplification"),
            _ => None,
        };
        return ["amplification-attack", "reflected-spoofed-attack"].into_iter().chain(own).collect();
    }
    match vector {
        "tcp-synack-reflection" | "tcp-middlebox-reflection" => vec!["reflected-spoofed-attack"],
        "tcp-syn-flood" => vec!["flooding-attack", "tcp-syn"],
        "tcp-rst-fin-flood" => vec!["flooding-attack", "tcp-rst"],
        "udp-flood" => vec!["flooding-attack", "udp"],
        "dns-query-flood" => vec!["flooding-attack", "dns"],
        "icmp-flood" => vec!["flooding-attack", "icmp"],
        "ip-fragment-flood" | "udp-fragment-flood" => vec!["flooding-attack", "ip-fragmentation"],
        "tcp-slow" => vec!["slow-read-attack"],
        _ => vec!["flooding-attack"],
    }
}

/// What the Clearing House's dissector calls a service, by protocol and source port; `None` where it has no name for it.
pub fn service(ip_protocol: u8, src_port: u16) -> Option<&'static str> {
    Some(match (ip_protocol, src_port) {
        (17, 17) => "Quote of the Day",
        (17, 19) => "Chargen",
        (17, 53) => "DNS",
        (17, 69) => "TFTP",
        (17, 111) => "TPC",
        (17, 123) => "NTP",
        (17, 137) => "NetBios",
        (17, 161) => "SNMP",
        (17, 177) => "XDMCP",
        (17, 389) => "LDAP",
        (17, 500) => "ISAKMP",
        (17, 520) => "RIPv1",
        (17, 623) => "IPMI",
        (17, 1434) => "MS SQL",
        (17, 1900) => "SSDP",
        (17, 3283) => "Apple Remote Desktop",
        (17, 3389) => "Windows Remote Desktop",
        (17, 3702) => "WS-Discovery",
        (17, 5093) => "Sentinel",
        (17, 5351) => "NAT-PMP",
        (17, 5353) => "mDNS",
        (17, 5683) => "CoAP",
        (17, 10_001) => "Ubiquity Discovery Protocol",
        (17, 10_074) => "Mitel MiColab",
        (17, 11_211) => "MEMCACHED",
        (17, 27_015) => "Steam",
        (17, 32_414) => "Plex Media",
        (17, 33_848) => "Jenkins",
        (17, 37_810) => "DHDiscover",
        // not in its table, but in /etc/services, which it asks next
        (17, 4500) => "IPSEC-NAT-T",
        (6, 53) => "DOMAIN",
        (6, 80) => "HTTP",
        (6, 443) => "HTTPS",
        _ => return None,
    })
}

/// An IP protocol's name in the Clearing House's fingerprints; its number where it has none.
pub fn protocol(number: u8) -> String {
    match number {
        1 | 58 => "ICMP".into(),
        4 => "IPIP".into(),
        6 => "TCP".into(),
        17 => "UDP".into(),
        41 => "IPV6".into(),
        47 => "GRE".into(),
        50 => "ESP".into(),
        132 => "SCTP".into(),
        other => other.to_string(),
    }
}

/// TCP flags as tshark draws them: `···A····` with dots, CWR first, FIN last.
pub fn tcp_flags(flags: u8) -> String {
    "CEUAPRSF"
        .chars()
        .enumerate()
        .map(|(place, letter)| if flags & (0x80_u8 >> place) == 0 { '.' } else { letter })
        .collect()
}

/// A type of DNS questions by name, `TYPE46` (RFC 3597 §5) where it has none here.
pub fn dns_type(number: u16) -> String {
    match number {
        1 => "A".into(),
        2 => "NS".into(),
        5 => "CNAME".into(),
        6 => "SOA".into(),
        12 => "PTR".into(),
        15 => "MX".into(),
        16 => "TXT".into(),
        28 => "AAAA".into(),
        33 => "SRV".into(),
        43 => "DS".into(),
        46 => "RRSIG".into(),
        48 => "DNSKEY".into(),
        64 => "SVCB".into(),
        65 => "HTTPS".into(),
        255 => "ANY".into(),
        257 => "CAA".into(),
        other => format!("TYPE{other}"),
    }
}

/// An ICMP type as the Clearing House's fingerprints have it; its number where it has none there.
pub fn icmp_type(number: u8) -> String {
    match number {
        0 => "Echo Reply".into(),
        3 => "Destination Unreachable".into(),
        5 => "Redirect".into(),
        8 => "Echo".into(),
        9 => "Router Advertisement".into(),
        10 => "Router Solicitation".into(),
        11 => "Time Exceeded".into(),
        12 => "Parameter Problem".into(),
        13 => "Timestamp".into(),
        14 => "Timestamp Reply".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_where_tshark_puts_them() {
        assert_eq!(tcp_flags(0x10), "...A....");
        assert_eq!(tcp_flags(0x02), "......S.");
        assert_eq!(tcp_flags(0xff), "CEUAPRSF");
    }

    #[test]
    fn reflection_is_not_called_a_direct_flood() {
        for vector in ["udp-amplification-dns", "udp-amplification-other", "tcp-synack-reflection"] {
            assert_eq!(technique(vector).attack, "T1498.002", "{vector}");
            assert!(misp(vector).contains(&"reflected-spoofed-attack"), "{vector}");
        }
        assert_eq!(technique("gre-flood").attack, "T1498.001");
    }
}
