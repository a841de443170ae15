//! What this host needs to live, by its own word and at this moment: its addresses, resolvers, time servers and gateways, and
//! the other ends of its administrators' sessions. None of it is ever announced, and no rule may cut it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;
use dataplane::Session;
use rules::{Match, Numbers};
use steer::rails::Lifeline;

/// Where administrators come in.
const MANAGEMENT: &[u16] = &[22];
/// Addresses of each kind, at most; the lowest are kept.
const EACH_MAX: usize = 64;
/// Files that name time servers; names are not looked up.
const TIME_FILES: [&str; 4] =
    ["/etc/systemd/timesyncd.conf", "/etc/chrony/chrony.conf", "/etc/ntpsec/ntp.conf", "/etc/ntp.conf"];

/// What is around.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Near {
    /// Never announced, and what it is.
    pub(super) never: Vec<(Prefix, String)>,
    /// Packets that no rule may cut.
    pub(super) lifelines: Vec<Lifeline>,
}

impl Near {
    /// As it is now. What cannot be read is not there.
    pub(super) fn look() -> Self {
        let here = here();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let resolvers = resolvers(&read("/etc/resolv.conf"));
        let clocks: Vec<IpAddr> = TIME_FILES.iter().flat_map(|path| time_servers(&read(path))).collect();
        let gateways =
            [gateways(&read("/proc/net/route")), gateways6(&read("/proc/net/ipv6_route"))].concat();
        let sessions = Session::look(MANAGEMENT);
        let ends = sessions.iter().map(|session| session.remote.ip()).collect();
        let mut near = Self::default();
        for (addresses, what) in [
            (here.clone(), "this host"),
            (resolvers.clone(), "a resolver of this host"),
            (clocks, "a time server of this host"),
            (gateways, "a gateway of this host"),
            (ends, "the other end of an administrator's session"),
        ] {
            for address in some(addresses) {
                near.never.push((Prefix::host(address), format!("{address} ({what})")));
            }
        }
        for session in &sessions {
            near.lifelines.push(Lifeline {
                matches: Match {
                    dst: Some(Prefix::host(session.local.ip())),
                    src: Some(Prefix::host(session.remote.ip())),
                    protocol: Some(6),
                    dst_port: Some(Numbers::of([u32::from(session.local.port())])),
                    ..Match::default()
                },
                what: format!("an administrator's session from {}", session.remote.ip()),
            });
        }
        for resolver in some(resolvers) {
            for own in some(here.clone()).into_iter().filter(|own| own.is_ipv4() == resolver.is_ipv4()) {
                near.lifelines.push(Lifeline {
                    matches: Match {
                        dst: Some(Prefix::host(own)),
                        src: Some(Prefix::host(resolver)),
                        src_port: Some(Numbers::of([53])),
                        ..Match::default()
                    },
                    what: format!("what the resolver {resolver} answers this host"),
                });
            }
        }
        near
    }
}

/// Each once, without those that only mean this host, and no more than the limit.
fn some(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(|address| !address.is_loopback() && !address.is_unspecified());
    addresses.truncate(EACH_MAX);
    addresses
}

/// Addresses of this host.
fn here() -> Vec<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = all.filter_map(|one| {
        let address = one.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    });
    addresses.collect()
}

/// `nameserver` lines of resolv.conf(5).
fn resolvers(text: &str) -> Vec<IpAddr> {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    named.filter_map(|rest| plain(rest.split_whitespace().next()?)).collect()
}

/// Servers that are named by their address: `server`, `peer` and `pool` of the NTP daemons, `NTP=` of timesyncd.
fn time_servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(str::trim).filter_map(|line| {
        let rest = ["server ", "peer ", "pool ", "NTP=", "FallbackNTP="];
        rest.iter().find_map(|word| line.strip_prefix(word))
    });
    lines.flat_map(|rest| rest.split_whitespace().filter_map(plain)).collect()
}

/// An address, with or without its zone.
fn plain(word: &str) -> Option<IpAddr> {
    word.split('%').next()?.parse().ok()
}

/// Default gateways of `/proc/net/route`, whose words are little-endian where the machine is.
fn gateways(text: &str) -> Vec<IpAddr> {
    let hop = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (to, by) = (words.next()?, words.next()?);
        let by = u32::from_str_radix(by, 16).ok().filter(|by| *by != 0 && to == "00000000")?;
        Some(IpAddr::V4(Ipv4Addr::from(by.to_ne_bytes())))
    };
    text.lines().filter_map(hop).collect()
}

/// Likewise of `/proc/net/ipv6_route`.
fn gateways6(text: &str) -> Vec<IpAddr> {
    let hop = |line: &str| {
        let mut words = line.split_whitespace();
        let (to, bits, by) = (words.next()?, words.next()?, words.nth(2)?);
        let by = u128::from_str_radix(by, 16).ok().filter(|by| *by != 0)?;
        (u128::from_str_radix(to, 16) == Ok(0) && bits == "00").then(|| IpAddr::V6(Ipv6Addr::from(by)))
    };
    text.lines().filter_map(hop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(addresses: &[IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_host_lives_by_is_read_from_its_own_files() {
        let text =
            "# nameserver 192.0.2.9\nnameserver 192.0.2.53\nnameserver fe80::53%eth0\nsearch example\n";
        assert_eq!(told(&resolvers(text)), ["192.0.2.53", "fe80::53"]);
        let text = "[Time]\nNTP=192.0.2.123 ntp.example 2001:db8::123\nserver 192.0.2.124 iburst\n#server 192.0.2.9\n";
        assert_eq!(told(&time_servers(text)), ["192.0.2.123", "2001:db8::123", "192.0.2.124"]);
        let text = format!(
            "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t{:08X}\t0003\neth0\t{:08X}\t00000000\t0001\n",
            u32::from_ne_bytes([192, 0, 2, 1]),
            u32::from_ne_bytes([192, 0, 2, 0])
        );
        assert_eq!(told(&gateways(&text)), ["192.0.2.1"]);
        let zero = "0".repeat(32);
        let text = format!(
            "{zero} 00 {zero} 00 20010db8000000000000000000000001 00000400 1 0 3 eth0\n\
             20010db8000000000000000000000000 40 {zero} 00 {zero} 00000100 1 0 1 eth0\n"
        );
        assert_eq!(told(&gateways6(&text)), ["2001:db8::1"]);
        assert_eq!(some(vec!["127.0.0.53".parse().unwrap(), "::".parse().unwrap()]), [] as [IpAddr; 0]);
    }
}
