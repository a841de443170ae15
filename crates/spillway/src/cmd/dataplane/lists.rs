//! Files with a prefix a line.

use std::path::Path;
use std::str::{FromStr, SplitWhitespace};

use base::Prefix;
use base::units::{BitRate, PacketRate};
use dataplane::{Ceiling, Scope};
use wire::packet;

/// What a file lists.
#[derive(Default)]
pub(super) struct List {
    /// Sources, with all their packets.
    pub(super) whole: Vec<Prefix>,
    /// Sources with some of their packets, or up to a ceiling.
    pub(super) within: Vec<Entry>,
    /// What the file says.
    pub(super) bytes: Vec<u8>,
}

/// A line with more than a prefix.
pub(super) struct Entry {
    pub(super) source: Prefix,
    pub(super) scope: Scope,
    pub(super) ceiling: Option<Ceiling>,
}

/// Reads one: IPv4 and IPv6 mixed, a bare address is a host, `#` begins a comment. Behind the prefix may stand to whom its
/// packets go and, where `ceilings` have a meaning, how much of it passes.
pub(super) fn read(path: &Path, ceilings: bool) -> anyhow::Result<List> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| anyhow::anyhow!("{name}: {e}; check the name"))?;
    let mut list = List::default();
    for (number, line) in (1..).zip(bytes.split(|octet| *octet == b'\n')) {
        let text = std::str::from_utf8(line)
            .map_err(|_| anyhow::anyhow!("{name}:{number}: not text; give one prefix a line"))?;
        let mut words = text.split('#').next().unwrap_or_default().split_whitespace();
        let Some(first) = words.next() else { continue };
        let source: Prefix = first.parse().map_err(|e| anyhow::anyhow!("{name}:{number}: {e}"))?;
        let (scope, ceiling) =
            behind(words, ceilings).map_err(|e| anyhow::anyhow!("{name}:{number}: {e}"))?;
        if scope == Scope::default() && ceiling.is_none() {
            list.whole.push(source);
        } else {
            list.within.push(Entry { source, scope, ceiling });
        }
    }
    list.bytes = bytes;
    Ok(list)
}

/// `to PREFIX`, `proto PROTOCOL`, `port NUMBER`, `ceiling RATE`, in any order.
fn behind(mut words: SplitWhitespace<'_>, ceilings: bool) -> anyhow::Result<(Scope, Option<Ceiling>)> {
    let mut scope = Scope::default();
    let mut ceiling = None;
    while let Some(word) = words.next() {
        let value = words.next();
        match (word, value) {
            ("to", Some(value)) => {
                scope.destination = Some(value.parse().map_err(|e| anyhow::anyhow!("{e}"))?);
            }
            ("proto", Some(value)) => scope.protocol = Some(protocol(value)?),
            ("port", Some(value)) => scope.port = Some(number(value, "a port")?),
            ("ceiling", Some(value)) if ceilings => ceiling = Some(rate(value)?),
            ("ceiling", _) if !ceilings => anyhow::bail!("only what is allowed has a ceiling; remove it"),
            ("to" | "proto" | "port" | "ceiling", None) => anyhow::bail!("the line ends behind `{word}`"),
            _ => anyhow::bail!(
                "`{word}` has no meaning behind a prefix; known are: to PREFIX, proto PROTOCOL, port NUMBER, ceiling RATE"
            ),
        }
    }
    Ok((scope, ceiling))
}

fn number<T: FromStr>(text: &str, what: &str) -> anyhow::Result<T> {
    text.parse().map_err(|_| anyhow::anyhow!("`{text}` is not {what}"))
}

fn protocol(text: &str) -> anyhow::Result<u8> {
    match text {
        "tcp" => Ok(packet::TCP),
        "udp" => Ok(packet::UDP),
        "icmp" => Ok(packet::ICMP),
        "icmp6" => Ok(packet::ICMP6),
        "gre" => Ok(packet::GRE),
        number_or_name => {
            number(number_or_name, "a protocol; write tcp, udp, icmp, icmp6, gre or its number")
        }
    }
}

fn rate(text: &str) -> anyhow::Result<Ceiling> {
    let rate = if text.ends_with("bps") {
        text.parse::<BitRate>().ok().map(|rate| Ceiling::Bits(rate.0))
    } else {
        text.parse::<PacketRate>().ok().map(|rate| Ceiling::Packets(rate.0))
    };
    rate.ok_or_else(|| {
        anyhow::anyhow!("`{text}` is not a rate with its unit; write it like 1000pps or 8Mbps")
    })
}
