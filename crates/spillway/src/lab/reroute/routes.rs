//! The routes that BIRD has put into an edge's kernel for what victims have: what really leads their traffic.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use base::Prefix;

use super::map::{Map, PEACE_METRIC, Place};
use super::victims::VICTIMS;

/// `RTF_REJECT`, of `linux/route.h`: packets are discarded.
const REJECT: u32 = 0x0200;

/// A route that is not there in peace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Led {
    /// What it leads.
    pub(super) prefix: Prefix,
    /// To nowhere.
    pub(super) discards: bool,
}

/// Of both families, as the kernel of an edge has them now.
pub(super) fn led(map: &Map, edge: u8) -> anyhow::Result<BTreeSet<Led>> {
    let read = || -> std::io::Result<[String; 2]> {
        let of = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}"));
        Ok([of("route")?, of("ipv6_route")?])
    };
    let texts = map.at(Place::Edge(edge)).inside(read)?.join()?;
    let [v4, v6] = texts.context("cannot read an edge's routes")?;
    let all = v4.lines().filter_map(route4).chain(v6.lines().filter_map(route6));
    let of_victims =
        |led: &Led| VICTIMS.iter().flat_map(|one| one.prefixes()).any(|whole| whole.covers(&led.prefix));
    Ok(all.filter(of_victims).collect())
}

/// A line of `/proc/net/route`: addresses as the machine keeps them, and no interface where packets are discarded.
fn route4(line: &str) -> Option<Led> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
    let address = |at: usize| hex(at).map(|octets| Ipv4Addr::from(octets.to_ne_bytes()));
    let (to, mask, flags) = (address(1)?, address(7)?, hex(3)?);
    let discards = flags & REJECT != 0 || words.first() == Some(&"*");
    let metric: u32 = words.get(6)?.parse().ok()?;
    let bits = u8::try_from(mask.to_bits().leading_ones()).ok()?;
    let prefix = Prefix::of(IpAddr::V4(to), bits);
    (metric != PEACE_METRIC).then_some(Led { prefix, discards })
}

/// A line of `/proc/net/ipv6_route`.
fn route6(line: &str) -> Option<Led> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(words.get(at)?, 16).ok();
    let to = u128::from_str_radix(words.first()?, 16).ok()?;
    let (bits, metric, flags) = (u8::try_from(hex(1)?).ok()?, hex(5)?, hex(8)?);
    let prefix = Prefix::of(IpAddr::V6(Ipv6Addr::from(to)), bits);
    (metric != PEACE_METRIC).then_some(Led { prefix, discards: flags & REJECT != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(prefix: &str, discards: bool) -> Option<Led> {
        Some(Led { prefix: prefix.parse().ok()?, discards })
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn routes_are_read_as_the_kernel_tells_them_and_those_of_peace_are_left_out() {
        let told = "lab-e1x\t000112C6\t15004064\t0003\t0\t0\t32\t00FFFFFF\t0\t0\t0";
        assert_eq!(route4(told), led("198.18.1.0/24", false));
        let nowhere = "*\t0A0312C6\t00000000\t0005\t0\t0\t32\tFFFFFFFF\t0\t0\t0";
        assert_eq!(route4(nowhere), led("198.18.3.10/32", true));
        let peace = "lab-e1i\t000112C6\t020B4064\t0003\t0\t0\t1000\t00FFFFFF\t0\t0\t0";
        assert_eq!(route4(peace), None);
        assert_eq!(route4("Iface\tDestination\tGateway"), None);
    }

    #[test]
    fn likewise_of_ipv6() {
        let line = |metric: &str, flags: &str| {
            format!(
                "20010db8000100000000000000000000 30 00000000000000000000000000000000 00 \
                 20010db8006400000000000000000021 {metric} 00000001 00000000 {flags} lab-e1x"
            )
        };
        assert_eq!(route6(&line("00000020", "00000003")), led("2001:db8:1::/48", false));
        assert_eq!(route6(&line("00000020", "00200200")), led("2001:db8:1::/48", true));
        assert_eq!(route6(&line("000003e8", "00000003")), None);
    }
}
