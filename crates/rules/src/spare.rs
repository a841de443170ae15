//! What of a rule is left when packets that it must not hit are taken out of it.
//!
//! A machine that knows exceptions (the kernel's allow list) needs none of this. A router that hears one rule at a time does:
//! there the rule is cut into rules that share no packet with what is spared, or it is not sent at all.

use alloc::vec::Vec;

use base::Prefix;
use wire::packet::{TCP, UDP};

use crate::overlap::shares;
use crate::rule::{Action, Fragments, Match, Numbers, Range, limits};

/// Into so many rules one is cut at most; beyond that it is not worth their room in a router.
pub const PIECES_MAX: usize = 16;

/// Whether packets that a rule of this action decides may end there: it drops them, or those above a rate.
pub const fn ends(action: &Action) -> bool {
    matches!(action, Action::Drop | Action::RatePackets(_) | Action::RateBits(_))
}

/// Matches that together are this one without what is spared: none of them shares a packet with any of `spared`, each packet
/// of `matches` that none of `spared` matches is in one of them. `None`: that takes more than [`PIECES_MAX`], or what differs
/// cannot be said the other way round. Empty: all of it is spared.
pub fn without<'a>(matches: &Match, spared: impl IntoIterator<Item = &'a Match>) -> Option<Vec<Match>> {
    let mut pieces = alloc::vec![matches.clone()];
    for one in spared {
        let mut left = Vec::new();
        for piece in pieces {
            left.extend(cut(piece, one)?);
            if left.len() > PIECES_MAX {
                return None;
            }
        }
        pieces = left;
    }
    Some(pieces)
}

/// What is in both, as far as addresses, protocol and destination port go: what else `within` asks is asked. `None`: nothing
/// is, or it cannot be said.
pub fn both(within: &Match, of: &Match) -> Option<Match> {
    if !shares(within, of) || !is_plain(of) {
        return None;
    }
    let ports = match (&within.dst_port, &of.dst_port) {
        (Some(a), Some(b)) => Some(Numbers(common(a, b))),
        (a, b) => a.clone().or_else(|| b.clone()),
    };
    Some(Match {
        dst: narrower(within.dst, of.dst),
        src: narrower(within.src, of.src),
        protocol: within.protocol.or(of.protocol),
        dst_port: ports,
        ..within.clone()
    })
}

/// Whether it asks for nothing but addresses, protocol and destination port.
fn is_plain(m: &Match) -> bool {
    let plain = Match {
        dst: m.dst,
        src: m.src,
        protocol: m.protocol,
        dst_port: m.dst_port.clone(),
        ..Match::default()
    };
    *m == plain
}

fn narrower(a: Option<Prefix>, b: Option<Prefix>) -> Option<Prefix> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.bits() >= b.bits() { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn common(a: &Numbers, b: &Numbers) -> Vec<Range> {
    crate::overlap::common(&a.merged(limits::PORT), &b.merged(limits::PORT))
}

/// One match without another: along each part in which it is wider, what lies outside; within that part, the next one.
fn cut(m: Match, spared: &Match) -> Option<Vec<Match>> {
    if !shares(&m, spared) {
        return Some(alloc::vec![m]);
    }
    // In every other part, what is spared must ask no more than the rule does, or less would be left than could be.
    if !asks_no_more(&m, spared) {
        return None;
    }
    let mut out = Vec::new();
    let mut inside = m;
    for (part, outside) in [(inside.dst, true), (inside.src, false)] {
        let of = if outside { spared.dst } else { spared.src };
        let Some(of) = of else { continue };
        let (around, is_wider) = match part {
            Some(around) => (around, around.bits() < of.bits()),
            // Without a prefix it holds for all addresses; only of one family, if it has to do with another prefix of that.
            None => (Prefix::of(of.addr(), 0), true),
        };
        if !is_wider {
            continue;
        }
        if part.is_none() && inside.dst.is_none() {
            return None;
        }
        if usize::from(of.bits() - around.bits()) > PIECES_MAX {
            return None;
        }
        let set = |m: &Match, prefix: Prefix| {
            if outside {
                Match { dst: Some(prefix), ..m.clone() }
            } else {
                Match { src: Some(prefix), ..m.clone() }
            }
        };
        out.extend(beside(around, of).map(|prefix| set(&inside, prefix)));
        inside = set(&inside, of);
    }
    if let Some(ports) = &spared.dst_port {
        let whole = Numbers::range(0, limits::PORT);
        let of = inside.dst_port.as_ref().unwrap_or(&whole);
        let left = less(&of.merged(limits::PORT), &ports.merged(limits::PORT));
        if !left.is_empty() {
            // A list of ports asks for TCP or UDP; the rule may not lose other protocols by it.
            if inside.dst_port.is_none() && !matches!(inside.protocol, Some(TCP | UDP)) {
                return None;
            }
            // Later fragments have no ports: what is left would not match them, and they are not spared by a port either.
            if inside.dst_port.is_none() && !crate::overlap::needs_transport(&inside) {
                let later = match inside.fragment {
                    None => Fragments { is: true, ..Fragments::default() },
                    Some(kinds) if kinds.dont => return None,
                    Some(kinds) => Fragments { is: kinds.is, last: kinds.last, ..Fragments::default() },
                };
                if later != Fragments::default() {
                    out.push(Match { fragment: Some(later), ..inside.clone() });
                }
            }
            out.push(Match { dst_port: Some(Numbers(left)), ..inside });
        } else if inside.dst_port.is_none() {
            return None;
        }
    }
    Some(out)
}

/// Prefixes inside `around` that together are all of it but `of`.
fn beside(around: Prefix, of: Prefix) -> impl Iterator<Item = Prefix> {
    let sibling = move |bits: u8| {
        let own = Prefix::of(of.addr(), bits);
        let parent = Prefix::of(of.addr(), bits.saturating_sub(1));
        let [low, high] = halves(parent);
        if own == low { high } else { low }
    };
    (around.bits().saturating_add(1)..=of.bits()).map(sibling)
}

/// Both prefixes one bit longer.
fn halves(parent: Prefix) -> [Prefix; 2] {
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let bits = parent.bits().saturating_add(1);
    let high = match parent.addr() {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | 1u32 << (32 - u32::from(bits)))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | 1u128 << (128 - u32::from(bits)))),
    };
    [Prefix::of(parent.addr(), bits), Prefix::of(high, bits)]
}

/// Numbers of `all` that are not in `without`; both rising and disjoint.
fn less(all: &[Range], without: &[Range]) -> Vec<Range> {
    let mut left: Vec<Range> = all.to_vec();
    for gone in without {
        let mut next = Vec::new();
        for range in left {
            if gone.to < range.from || range.to < gone.from {
                next.push(range);
                continue;
            }
            if range.from < gone.from {
                next.push(Range { from: range.from, to: gone.from.saturating_sub(1) });
            }
            if gone.to < range.to {
                next.push(Range { from: gone.to.saturating_add(1), to: range.to });
            }
        }
        left = next;
    }
    left
}

/// Whether each part of `spared` beside prefixes and destination ports is asked by the rule in the same words, or not at all.
fn asks_no_more(m: &Match, spared: &Match) -> bool {
    fn no_more<T: PartialEq>(spared: &Option<T>, rule: &Option<T>) -> bool {
        spared.is_none() || spared == rule
    }
    no_more(&spared.protocol, &m.protocol)
        && no_more(&spared.port, &m.port)
        && no_more(&spared.src_port, &m.src_port)
        && no_more(&spared.icmp_type, &m.icmp_type)
        && no_more(&spared.icmp_code, &m.icmp_code)
        && no_more(&spared.tcp_flags, &m.tcp_flags)
        && no_more(&spared.length, &m.length)
        && no_more(&spared.dscp, &m.dscp)
        && no_more(&spared.fragment, &m.fragment)
        && no_more(&spared.ttl, &m.ttl)
        && no_more(&spared.window, &m.window)
        && no_more(&spared.payload, &m.payload)
        && no_more(&spared.tcp_options, &m.tcp_options)
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};
    use alloc::{format, vec};

    use super::*;

    fn of(text: &str) -> Match {
        let mut rules = crate::parse::rules(&format!("r {text} -> drop")).unwrap();
        rules.pop().unwrap().matches
    }

    fn left(rule: &str, spared: &[&str]) -> Option<Vec<String>> {
        let spared: Vec<Match> = spared.iter().map(|text| of(text)).collect();
        let pieces = without(&of(rule), &spared)?;
        let text = |m: Match| {
            let rule = crate::Rule {
                id: "r".to_string(),
                precedence: 0,
                matches: m,
                action: Action::Drop,
                per: crate::Per::Rule,
                sample: None,
                lease: None,
            };
            rule.to_string()
        };
        Some(pieces.into_iter().map(text).collect())
    }

    #[test]
    fn what_has_nothing_to_do_with_it_stays_as_it_is() {
        let rule = "dst 198.51.100.7/32 proto udp";
        for other in
            ["src 192.0.2.1/32 dst 198.51.100.8/32", "dst 198.51.100.7/32 proto tcp", "src 2001:db8::1/128"]
        {
            assert_eq!(left(rule, &[other]).unwrap().len(), 1, "{other}");
        }
    }

    #[test]
    fn a_rule_is_cut_around_a_source_a_destination_or_a_port() {
        let cut = left("dst 198.51.100.7/32 src 192.0.2.0/30 proto udp", &["src 192.0.2.1/32"]).unwrap();
        assert!(
            cut.len() == 2 && cut[0].contains("192.0.2.2/31") && cut[1].contains("192.0.2.0/32"),
            "{cut:?}"
        );
        let cut = left("dst 2001:db8::/126 proto udp", &["dst 2001:db8::3/128"]).unwrap();
        assert!(cut.len() == 2 && cut[0].contains("2001:db8::/127"), "{cut:?}");
        let cut = left(
            "dst 198.51.100.7/32 proto udp fragment none",
            &["dst 198.51.100.7/32 proto udp dst-port 53"],
        );
        let cut = cut.unwrap();
        assert!(cut.len() == 1 && cut[0].contains("dst-port ") && !cut[0].contains(" 53"), "{cut:?}");
        // Its later fragments have no port, and go on being hit.
        let cut = left("dst 198.51.100.7/32 proto udp", &["proto udp dst-port 53"]).unwrap();
        assert!(cut.len() == 2 && cut[0].contains("fragment is"), "{cut:?}");
        // All of it is spared.
        assert_eq!(left("dst 198.51.100.7/32 src 192.0.2.1/32", &["src 192.0.2.0/24"]), Some(vec![]));
    }

    #[test]
    fn what_cannot_be_said_or_takes_too_many_rules_is_not_said() {
        let none: [(&str, &str); 5] = [
            ("dst 198.51.100.7/32 proto udp", "src 192.0.2.1/32"),
            ("dst 198.51.100.7/32", "src 192.0.2.0/24 proto udp"),
            ("dst 198.51.100.7/32 src 192.0.2.0/30", "src 192.0.2.1/32 proto tcp"),
            ("dst 198.51.100.7/32", "dst 198.51.100.7/32 proto udp dst-port 53"),
            ("dst 198.51.100.7/32 proto tcp", "proto tcp tcp-flags ack/ack"),
        ];
        for (rule, spared) in none {
            assert_eq!(left(rule, &[spared]), None, "{rule} without {spared}");
        }
    }

    #[test]
    fn what_is_in_both_is_said_exactly() {
        let both = both(
            &of("dst 198.51.100.0/24 proto udp length 1000-1500"),
            &of("dst 198.51.100.7/32 src 192.0.2.0/24 proto udp dst-port 53"),
        );
        let wanted = of("dst 198.51.100.7/32 src 192.0.2.0/24 proto udp dst-port 53 length 1000-1500");
        assert_eq!(both, Some(wanted));
    }
}
