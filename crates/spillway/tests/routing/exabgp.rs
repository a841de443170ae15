//! ExaBGP's words for a FlowSpec route, read back into a rule.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::process::Command;

use base::Prefix;
use rules::{Flags, Fragments, Match, Numbers, Range};
use serde_json::Value;

/// One route as ExaBGP tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) matches: Match,
    /// Extended communities as numbers.
    pub(super) extended: Vec<u64>,
    /// IPv6 address specific ones, in ExaBGP's words: their numbers are too long for JSON.
    pub(super) extended6: Vec<String>,
}

/// The numbers behind the names in which it prints protocols, types and codes.
pub(super) struct Names(BTreeMap<String, BTreeMap<String, u32>>);

const NAMES: &str = "
import json, sys
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from exabgp.protocol import Protocol
from exabgp.protocol.ip.icmp import ICMPType, ICMPCode
from exabgp.protocol.ip.tcp.flag import TCPFlag
from exabgp.protocol.ip.fragment import Fragment
named = {'protocol': Protocol, 'icmp-type': ICMPType, 'icmp-code': ICMPCode, 'tcp-flags': TCPFlag, 'fragment': Fragment}
print(json.dumps({name: {str(text): int(number) for number, text in of.names.items()} for name, of in named.items()}))
";

impl Names {
    pub(super) fn of_exabgp() -> Self {
        let output = Command::new("/usr/bin/python3").args(["-c", NAMES]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// `=udp`, `>=1024`, `=syn+ack`: without the operator.
    fn number(&self, component: &str, text: &str) -> u32 {
        let component = if component == "next-header" { "protocol" } else { component };
        let of = |name: &str| {
            let known = self.0.get(component).and_then(|names| names.get(name)).copied();
            known.unwrap_or_else(|| name.parse().unwrap_or_else(|_| panic!("{component} `{name}`")))
        };
        text.split('+').filter(|name| !name.is_empty()).map(of).sum()
    }
}

/// All routes of FlowSpec that it told to be announced, in order.
pub(super) fn told(lines: &str, names: &Names) -> Vec<Told> {
    let mut out = Vec::new();
    for line in lines.lines() {
        let Ok(json) = serde_json::from_str::<Value>(line) else { continue };
        let update = &json["neighbor"]["message"]["update"];
        let list = |name: &str| update["attribute"][name].as_array().cloned().unwrap_or_default();
        let extended: Vec<u64> =
            list("extended-community").iter().map(|item| item["value"].as_u64().unwrap()).collect();
        // Attribute 25 has no name in its JSON.
        let unnamed = update["attribute"].as_object().into_iter().flatten();
        let extended6: Vec<String> = unnamed
            .filter(|(name, _)| name.starts_with("attribute-0x19"))
            .map(|(_, text)| text.as_str().unwrap().to_owned())
            .collect();
        for (family, hops) in update["announce"].as_object().into_iter().flatten() {
            if !family.ends_with("flow") {
                continue;
            }
            for nlri in hops.as_object().into_iter().flatten().flat_map(|(_, list)| list.as_array()).flatten()
            {
                let text = nlri["string"].as_str().unwrap();
                let (extended, extended6) = (extended.clone(), extended6.clone());
                out.push(Told { matches: matches(text, names), extended, extended6 });
            }
        }
    }
    out
}

/// `flow destination-ipv4 198.51.100.7/32 protocol =udp source-port [ =53 >=1024&<=2000 ]`.
fn matches(text: &str, names: &Names) -> Match {
    let mut text = text.strip_prefix("flow").unwrap().to_owned();
    for kind in ["protocol", "icmp type", "icmp code", "tcp flag", "fragment"] {
        text = text.replace(&format!("unknown {kind} type "), "");
    }
    let mut out = Match::default();
    let mut words = text.split_whitespace().peekable();
    while let Some(component) = words.next() {
        let mut list = Vec::new();
        match words.next().unwrap() {
            "[" => list.extend(words.by_ref().take_while(|word| *word != "]")),
            word => list.push(word),
        }
        take(&mut out, component, &list, names);
    }
    out
}

fn take(out: &mut Match, component: &str, list: &[&str], names: &Names) {
    let numbers = |max| Some(numbers(component, list, max, names));
    let prefix = || {
        // Of IPv6, the offset stands behind the length.
        let text = list[0];
        let text = if text.matches('/').count() == 2 { text.strip_suffix("/0").unwrap() } else { text };
        Some(text.parse::<Prefix>().unwrap())
    };
    match component {
        "destination-ipv4" | "destination-ipv6" => out.dst = prefix(),
        "source-ipv4" | "source-ipv6" => out.src = prefix(),
        "protocol" | "next-header" => {
            let [one] = list else { panic!("{list:?}") };
            let number = names.number(component, one.strip_prefix('=').unwrap());
            out.protocol = Some(u8::try_from(number).unwrap());
        }
        "port" => out.port = numbers(65535),
        "destination-port" => out.dst_port = numbers(65535),
        "source-port" => out.src_port = numbers(65535),
        "icmp-type" => out.icmp_type = numbers(255),
        "icmp-code" => out.icmp_code = numbers(255),
        "packet-length" => out.length = numbers(u32::MAX),
        "dscp" | "traffic-class" => out.dscp = numbers(63),
        "tcp-flags" => out.tcp_flags = Some(list.iter().map(|test| flags(test, names)).collect()),
        "fragment" => out.fragment = Some(fragments(list, names)),
        other => panic!("component `{other}`"),
    }
}

fn numbers(component: &str, list: &[&str], max: u32, names: &Names) -> Numbers {
    let range = |text: &&str| {
        let (low, high) = text.split_once('&').map_or((*text, None), |(low, high)| (low, Some(high)));
        let number = |text: &str| names.number(component, text);
        match (low.strip_prefix(">="), low.strip_prefix("<="), low.strip_prefix('='), high) {
            (Some(from), _, _, Some(high)) => {
                Range { from: number(from), to: number(high.strip_prefix("<=").unwrap()) }
            }
            (Some(from), _, _, None) => Range { from: number(from), to: max },
            (_, Some(to), _, None) => Range { from: 0, to: number(to) },
            (_, _, Some(one), None) => Range::one(number(one)),
            _ => panic!("{component} `{text}`"),
        }
    };
    Numbers(list.iter().map(range).collect())
}

/// `=syn`, `!ack`, `=syn&!ack`.
fn flags(test: &str, names: &Names) -> Flags {
    let (mut value, mut mask) = (0, 0);
    for part in test.split('&') {
        let set = part.strip_prefix('=');
        let bits = names.number("tcp-flags", set.or_else(|| part.strip_prefix('!')).unwrap());
        mask |= bits;
        value |= if set.is_some() { bits } else { 0 };
    }
    Flags { value: u16::try_from(value).unwrap(), mask: u16::try_from(mask).unwrap() }
}

fn fragments(list: &[&str], names: &Names) -> Fragments {
    let mut out = Fragments::default();
    for test in list {
        if let Some(neither) = test.strip_prefix('!') {
            assert_eq!(names.number("fragment", neither), 6);
            out.none = true;
            continue;
        }
        let bits = names.number("fragment", test);
        (out.dont, out.is) = (bits & 1 != 0, bits & 2 != 0);
        (out.first, out.last) = (bits & 4 != 0, bits & 8 != 0);
    }
    out
}
