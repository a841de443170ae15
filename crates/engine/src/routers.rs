//! Rules for routers, where the best ones ask for what FlowSpec cannot say.
//!
//! This machine and absorbers tell a SYN flood from honest SYNs by its TTL or TCP window; a router cannot. For routers the same
//! packets are searched again with what FlowSpec can ask, within the same bound of collateral and with a price of their own.
//! Where nothing within it is found, routers are told nothing, and why.

use detect::signature::{Derived, Request, WORK_MAX};
use rules::compile::flowspec;
use rules::{Action, Match, Numbers};
use wire::packet::{TCP, flags};

use crate::report::RuleReport;

/// The second search gets at least this part of all work.
const WORK_LEAST: u64 = WORK_MAX / 4;

/// What rules ask that FlowSpec cannot say, in the words of the rule language; `None`: nothing.
pub(crate) fn beyond(rules: &[RuleReport]) -> Option<String> {
    let mut asked: Vec<&str> = rules
        .iter()
        .filter_map(|told| rules::parse::rules(&told.text).ok()?.pop())
        .flat_map(|rule| flowspec::beyond(&rule.matches))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    (!asked.is_empty()).then(|| asked.join(", "))
}

/// The same question for routers, after `first` was found for this machine. How stable its answer is is not asked.
pub(crate) fn request<'a>(of: &Request<'a>, first: &Derived) -> Request<'a> {
    Request {
        flowspec: true,
        stability: Some(first.stability),
        work: of.work.saturating_sub(first.work).max(WORK_LEAST),
        ..*of
    }
}

/// Lengths of the SYNs with which Windows, Linux and Apple's systems begin a connection, with their options; `true`: in IPv4.
const SYNS: [(bool, u32); 6] = [(true, 52), (true, 60), (true, 64), (false, 72), (false, 80), (false, 84)];
/// Ports that they begin from, across the ranges of all of them.
const BEGIN: [u32; 8] = [33_000, 40_000, 47_000, 51_000, 54_000, 58_000, 61_000, 64_000];
/// Sources of fewer leading bits are everybody.
const EVERYBODY: u8 = 8;

/// Whether one of its rules drops what common systems begin connections with, whoever sends it. Few new clients are seen among honest
/// packets, so the price alone does not tell that nobody new would get in.
pub(crate) fn shuts(found: &Derived) -> bool {
    found.rules.iter().any(|rule| rule.action == Action::Drop && begins(&rule.matches))
}

fn begins(matches: &Match) -> bool {
    let holds = |numbers: &Option<Numbers>, value: u32| numbers.as_ref().is_none_or(|n| n.contains(value));
    let of_family = |ipv4: bool| matches.dst.is_none_or(|dst| dst.is_ipv4() == ipv4);
    let from = BEGIN.iter().filter(|port| holds(&matches.src_port, **port)).count();
    matches.protocol.is_none_or(|protocol| protocol == TCP)
        && matches.src.is_none_or(|src| src.bits() < EVERYBODY)
        && from * 2 >= BEGIN.len()
        && SYNS.iter().any(|(ipv4, length)| of_family(*ipv4) && holds(&matches.length, *length))
        && matches.tcp_flags.as_ref().is_none_or(|tests| tests.iter().any(|test| test.test(flags::SYN)))
        && matches.fragment.is_none_or(|kinds| kinds.none || kinds.dont)
        && holds(&matches.dscp, 0)
        && matches.icmp_type.is_none()
        && matches.icmp_code.is_none()
}

/// What came of it, in words.
pub(crate) fn explain(asked: &str, rules: &[RuleReport], found: &Derived) -> String {
    if shuts(found) {
        return format!(
            "routers cannot match {asked}, and what they can match of the attack is what honest clients begin connections with: they are told nothing"
        );
    }
    let rules = match rules.iter().filter(|rule| rule.action == "drop").count() {
        0 => {
            return format!(
                "routers cannot match {asked}, and nothing that they can match tells the attack from honest traffic within the price"
            );
        }
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    let price = found.collateral.as_ref().map_or_else(
        || "unknown".to_owned(),
        |c| {
            format!(
                "{:.2} % of honest packets, {:.2} % of peers (at most {:.2}, {:.2} % with 95 % confidence)",
                c.packets.estimate * 100.0,
                c.peers.estimate * 100.0,
                c.packets.upper95 * 100.0,
                c.peers.upper95 * 100.0
            )
        },
    );
    format!(
        "routers cannot match {asked}: for them {rules} of what they can, which drop {:.1} % of the examples; collateral {price}",
        found.covered * 100.0
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_rule_that_drops_what_everybody_begins_with_is_known() {
        let begins = |text: &str| {
            let rule = rules::parse::rules(&format!("r {text} -> drop")).unwrap().pop().unwrap();
            super::begins(&rule.matches)
        };
        for text in [
            "dst 198.51.100.7/32 proto tcp dst-port 443 length 60",
            "dst 198.51.100.7/32 proto tcp dst-port 443 tcp-flags syn/syn+ack",
            "dst 198.51.100.7/32 proto tcp src-port 1024-65535 length 40-1500",
            "dst 2001:db8::7/128 proto tcp dst-port 443 length 80",
            "dst 198.51.100.7/32",
        ] {
            assert!(begins(text), "{text}");
        }
        for text in [
            "dst 198.51.100.7/32 proto tcp dst-port 443 length 40",
            "dst 198.51.100.7/32 proto tcp dst-port 443 length 60 src-port 1024",
            "dst 198.51.100.7/32 proto tcp dst-port 443 length 60 src 203.0.113.0/24",
            "dst 198.51.100.7/32 proto tcp tcp-flags ack/ack",
            "dst 2001:db8::7/128 proto tcp dst-port 443 length 60",
            "dst 198.51.100.7/32 proto udp src-port 53",
        ] {
            assert!(!begins(text), "{text}");
        }
    }
}
