//! Inputs to begin with: made by our own emitters, plus the recorded datagrams where the test data is.

mod bgp;
mod export;
mod packets;
pub mod recorded;

pub use bgp::{bgp, open};
pub use export::{ipfix, netflow5, netflow9, sflow, sflow_datagrams};
pub use packets::{LINKS, captures, packets};

/// Datagrams that one exporter sends one after the other, in one input: each behind its length in two octets.
pub fn sequence(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for datagram in datagrams {
        let len = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
        out.extend(len.to_be_bytes());
        out.extend(datagram.iter().take(usize::from(len)));
    }
    out
}

/// The other way round: a length beyond the end means the rest.
pub fn datagrams(mut input: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while let Some((len, rest)) = input.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (datagram, behind) = rest.split_at(len);
        out.push(datagram);
        input = behind;
    }
    out
}

/// Filters of flow samples.
pub fn filters() -> Vec<Vec<u8>> {
    [
        "dst in 198.51.100.0/24 and proto = udp and not src-port in (53, 123)",
        "attack != none and (asn = 64500 or country in (DE, FR)) and bytes >= 1400",
        "tcp-flags has syn+ack or class = tcp-* and host = 2001:db8::7",
        "time >= 2026-11-26T16:00:00Z and customer = \"acme, \\\"Ltd\" and port not in (80,443)",
        "not (target = 198.51.100.7 and direction = out) or exporter in 2001:db8::/32",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

/// Rule files that use every part of the language.
pub fn rules() -> Vec<Vec<u8>> {
    [
        "r1 @10 dst 192.0.2.1/32 proto udp src-port 53,123 length 468-1500 -> drop for 15m",
        "r2 @20 dst 2001:db8::/32 src 2001:db8:1::/48 proto tcp dst-port >=1024 tcp-flags syn/syn+ack -> rate 1000pps",
        "r3 @5 dst 198.51.100.0/24 proto icmp icmp-type 3,11 icmp-code 0-4 ttl <=64 dscp 46 -> pass # kept",
        "r4 @7 dst 203.0.113.9/32 proto tcp tcp-flags none/fin+syn+rst window 0 payload 0:474554/ffffff -> challenge",
        "r5 @9 dst 203.0.113.9/32 fragment is,first,last port 0 -> redirect 192.0.2.254\nr6 @9 dst 203.0.113.9/32 fragment dont -> rate 8Mbps",
        "# only a comment\n\nr7 @1 proto 47 -> drop",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}
