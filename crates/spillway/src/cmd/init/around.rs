//! What this machine's surroundings are: its networks, the way out, and who is logged in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;

/// Processes above us that are looked at for an SSH session: `sudo` hides it from ours.
const ANCESTORS_MAX: usize = 32;
/// `RTF_GATEWAY` of linux/route.h.
const GATEWAY: u32 = 2;

/// Why an address is never cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Administrator,
    Gateway,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Interfaces that the default routes go out by.
    pub(super) interfaces: Vec<String>,
    /// Their next hops.
    gateways: Vec<IpAddr>,
    /// Where the one at the keyboard is logged in from.
    administrator: Option<IpAddr>,
}

impl Around {
    /// Looks.
    pub(super) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (four, six) = (read("/proc/net/route"), read("/proc/net/ipv6_route"));
        let mut around = Self { administrator: administrator(), ..Self::default() };
        for (interface, gateway) in routes(&four).chain(routes6(&six)) {
            if interface != "lo" && !around.interfaces.contains(&interface) {
                around.interfaces.push(interface);
            }
            around.gateways.extend(gateway.filter(|gateway| !around.gateways.contains(gateway)));
        }
        around
    }

    /// What nothing may cut, and why. A link-local gateway is no target of anything.
    pub(super) fn never(&self) -> Vec<(Prefix, Why)> {
        let admin = self.administrator.map(|address| (address, Why::Administrator));
        let gateways = self
            .gateways
            .iter()
            .filter(|gateway| !is_local(**gateway))
            .map(|gateway| (*gateway, Why::Gateway));
        admin.into_iter().chain(gateways).map(|(address, why)| (Prefix::host(address), why)).collect()
    }
}

/// Default routes of `/proc/net/route`: interface and gateway.
fn routes(text: &str) -> impl Iterator<Item = (String, Option<IpAddr>)> {
    text.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [interface, destination, gateway, flags, _, _, _, mask, ..] = words.as_slice() else {
            return None;
        };
        let number = |text: &str| u32::from_str_radix(text, 16).ok();
        if number(destination)? != 0 || number(mask)? != 0 {
            return None;
        }
        // The kernel prints it as this machine has it in memory.
        let gateway = Ipv4Addr::from(number(gateway)?.to_ne_bytes());
        let behind = number(flags)? & GATEWAY != 0;
        Some(((*interface).to_owned(), behind.then_some(IpAddr::V4(gateway))))
    })
}

/// Default routes of `/proc/net/ipv6_route`.
fn routes6(text: &str) -> impl Iterator<Item = (String, Option<IpAddr>)> {
    text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [destination, length, _, _, gateway, _, _, _, flags, interface] = words.as_slice() else {
            return None;
        };
        if u128::from_str_radix(destination, 16).ok()? != 0 || *length != "00" {
            return None;
        }
        let gateway = Ipv6Addr::from_bits(u128::from_str_radix(gateway, 16).ok()?);
        let behind = u32::from_str_radix(flags, 16).ok()? & GATEWAY != 0;
        Some(((*interface).to_owned(), behind.then_some(IpAddr::V6(gateway))))
    })
}

/// From our environment, or that of a process above us.
fn administrator() -> Option<IpAddr> {
    let own = std::env::var("SSH_CONNECTION").ok();
    own.as_deref().and_then(first).or_else(|| {
        let mut process = std::process::id();
        for _ in 0..ANCESTORS_MAX {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            // behind the name, which may hold anything: state and parent
            process = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()
                .filter(|parent| *parent > 0)?;
            let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            let mut lines =
                environment.split(|octet| *octet == 0).filter_map(|line| std::str::from_utf8(line).ok());
            if let Some(found) = lines.find_map(|line| first(line.strip_prefix("SSH_CONNECTION=")?)) {
                return Some(found);
            }
        }
        None
    })
}

/// `CLIENT PORT SERVER PORT`.
fn first(connection: &str) -> Option<IpAddr> {
    // a link-local client comes with its interface
    let address: IpAddr = connection.split_whitespace().next()?.split('%').next()?.parse().ok()?;
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    (!address.is_loopback()).then_some(address)
}

/// The networks of this machine's interfaces, or the documentation's example when there are none.
pub(in crate::cmd) fn own_networks() -> Vec<Prefix> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let found = interfaces.filter_map(|interface| {
        let (address, mask) = (interface.address?, interface.netmask?);
        let prefix = if let (Some(a), Some(m)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
            let bits = u32::from(m.ip()).leading_ones();
            Prefix::of(IpAddr::V4(a.ip()), u8::try_from(bits).ok()?)
        } else {
            let (a, m) = (address.as_sockaddr_in6()?, mask.as_sockaddr_in6()?);
            let bits = u128::from(m.ip()).leading_ones();
            Prefix::of(IpAddr::V6(a.ip()), u8::try_from(bits).ok()?)
        };
        (!is_local(prefix.addr())).then_some(prefix)
    });
    let networks = base::prefix::aggregate(found.collect());
    if networks.is_empty() {
        return vec![example()];
    }
    networks
}

/// The documentation's.
pub(super) fn example() -> Prefix {
    Prefix::of(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)), 24)
}

/// Of this machine or this link alone.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4 == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6 == Ipv6Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_of_both_families_are_read_and_others_are_not() {
        let word = |address: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(address));
        let text = format!(
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t{}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth0\t{}\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t5\t00000000\t0\t0\t0\n",
            word([192, 0, 2, 1]),
            word([192, 0, 2, 0]),
        );
        let gateway: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(
            routes(&text).collect::<Vec<_>>(),
            [("eth0".to_owned(), Some(gateway)), ("tun0".to_owned(), None)]
        );
        let zero = "0".repeat(32);
        let six = format!(
            "{zero} 00 {zero} 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003 eth1\n\
             20010db8000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth1\n"
        );
        let gateway: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(routes6(&six).collect::<Vec<_>>(), [("eth1".to_owned(), Some(gateway))]);
    }

    #[test]
    fn the_administrator_is_who_the_session_came_from() {
        for (text, address) in [
            ("198.51.100.9 5000 192.0.2.1 22", Some("198.51.100.9")),
            ("2001:db8::9 5000 2001:db8::1 22", Some("2001:db8::9")),
            ("::ffff:198.51.100.9 5000 ::ffff:192.0.2.1 22", Some("198.51.100.9")),
            ("fe80::1%eth0 5000 fe80::2 22", Some("fe80::1")),
            ("127.0.0.1 1 127.0.0.1 22", None),
            ("", None),
        ] {
            assert_eq!(first(text), address.map(|one| one.parse().unwrap()), "{text}");
        }
    }
}
