//! Which packets are of an attack: those to its targets whose class one of its vectors takes.

use detect::class::Class;

/// Place of the vector that a packet of this class is of. What a vector takes by itself comes before what goes with it, as
/// `engine` names it: fragments complete amplifications, resets and errors are the echo of reflections.
pub fn vector(names: &[String], class: Class) -> Option<usize> {
    let own = names.iter().position(|name| takes(name, class));
    own.or_else(|| names.iter().position(|name| goes_with(name, class)))
}

fn takes(name: &str, class: Class) -> bool {
    match name {
        "tcp-syn-flood" => class == Class::TCP_SYN,
        "tcp-ack-flood" => matches!(class, Class::TCP_ACK | Class::TCP_DATA),
        "tcp-rst-fin-flood" => class == Class::TCP_RST_FIN,
        "tcp-odd-flags-flood" => class == Class::TCP_ODD,
        "tcp-synack-reflection" => class == Class::TCP_SYNACK,
        "tcp-middlebox-reflection" => {
            matches!(class, Class::TCP_DATA | Class::TCP_ACK | Class::TCP_RST_FIN | Class::TCP_SYNACK)
        }
        "tcp-connection-flood" | "tcp-slow" | "tls-handshake-flood" | "http-flood" | "scan" => {
            matches!(class, Class::TCP_SYN | Class::TCP_ACK | Class::TCP_DATA | Class::TCP_RST_FIN)
        }
        "udp-flood" => class == Class::UDP_OTHER,
        "udp-fragment-flood" => class == Class::UDP_FRAGMENT,
        "ip-fragment-flood" => class == Class::IP_FRAGMENT,
        "icmp-flood" => matches!(class, Class::ICMP_ECHO | Class::ICMP_ERROR | Class::ICMP_OTHER),
        "gre-flood" => class == Class::GRE,
        "other-protocol-flood" => class == Class::OTHER,
        "quic-flood" => class == Class::QUIC,
        "dns-query-flood" => class == Class::DNS_QUERY,
        // From one port of servers that no protocol is known by.
        "udp-amplification-other" => matches!(class, Class::UDP_OTHER | Class::QUIC),
        _ => class.reflector().is_some_and(|reflector| name.strip_prefix(AMPLIFICATION) == Some(reflector)),
    }
}

fn goes_with(name: &str, class: Class) -> bool {
    match class {
        Class::UDP_FRAGMENT => name.starts_with(AMPLIFICATION),
        Class::ICMP_ERROR => name.starts_with(AMPLIFICATION) || name.ends_with("-reflection"),
        Class::TCP_RST_FIN => name.ends_with("-reflection"),
        _ => false,
    }
}

const AMPLIFICATION: &str = "udp-amplification-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_go_with_the_reflection_and_fragments_with_the_amplification() {
        let names: Vec<String> =
            ["udp-amplification-dns", "tcp-synack-reflection"].map(String::from).to_vec();
        let dns = Class::of_reflector("dns").unwrap();
        for (class, place) in [
            (dns, Some(0)),
            (Class::UDP_FRAGMENT, Some(0)),
            (Class::TCP_SYNACK, Some(1)),
            (Class::TCP_RST_FIN, Some(1)),
            (Class::ICMP_ERROR, Some(0)),
            (Class::TCP_SYN, None),
            (Class::of_reflector("ntp").unwrap(), None),
        ] {
            assert_eq!(vector(&names, class), place, "{}", class.name());
        }
    }

    #[test]
    fn an_amplification_by_an_unknown_protocol_has_packets() {
        let names = ["udp-amplification-other".to_owned()];
        for (class, place) in
            [(Class::UDP_OTHER, Some(0)), (Class::QUIC, Some(0)), (Class::of_reflector("dns").unwrap(), None)]
        {
            assert_eq!(vector(&names, class), place, "{}", class.name());
        }
    }

    #[test]
    fn a_vector_of_its_own_comes_first() {
        let names: Vec<String> = ["udp-amplification-dns", "udp-fragment-flood"].map(String::from).to_vec();
        assert_eq!(vector(&names, Class::UDP_FRAGMENT), Some(1));
    }
}
