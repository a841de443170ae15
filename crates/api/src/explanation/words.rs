//! Attacks, vectors and states of filters in plain words.

use base::units::{BitRate, PacketRate};
use serde_json::Value;

use super::{list, text};

/// An attack in one or two sentences.
pub(super) fn summary(attack: &Value) -> String {
    let target = text(attack, "target").unwrap_or("an unknown target");
    let what =
        list(attack, "vectors").find_map(|vector| text(vector, "name")).unwrap_or("unclassified traffic");
    let (from, to) = if text(attack, "direction") == Some("out") {
        ("From here", "against")
    } else {
        ("From outside", "on")
    };
    let state = if text(attack, "state") == Some("over") { "is over" } else { "goes on" };
    let number = |key: &str| attack.get(key).and_then(Value::as_f64).unwrap_or(0.0);
    let (pps, bps) = (PacketRate(number("peak_pps")), BitRate(number("peak_bps")));
    let sources = attack.get("sources");
    let several = sources.and_then(|sources| sources.get("count")?.as_u64());
    let nature = sources.and_then(|sources| text(sources, "nature")).map_or("of unknown nature", nature);
    let sources = several.map_or_else(String::new, |several| {
        let several = usize::try_from(several).unwrap_or(usize::MAX);
        format!(" It came from {}, {nature}.", count(several, "address"))
    });
    format!(
        "{from}: {} {to} {target}, {what}, which {state}; at its peak {pps} and {bps}.{sources}",
        called(attack)
    )
}

/// What it is called.
pub(super) fn called(attack: &Value) -> &'static str {
    if text(attack, "severity") == Some("suspicious") { "something suspicious" } else { "an attack" }
}

/// `1 filter`, `2 filters`.
pub(super) fn count(many: usize, of: &str) -> String {
    match (many, of.ends_with('s')) {
        (1, _) => format!("1 {of}"),
        (_, true) => format!("{many} {of}es"),
        _ => format!("{many} {of}s"),
    }
}

fn nature(name: &str) -> &'static str {
    match name {
        "spoofed" => "which are forged: they say nothing about who sends",
        "reflectors" => "which are servers that were used as reflectors",
        "real" => "which are those of real hosts",
        "mixed" => "a mix of real and forged ones",
        _ => "of unknown nature",
    }
}

/// What a state of a filter means.
pub(super) fn stands(state: &str, reason: Option<&str>, backend: Option<&str>) -> String {
    let by = backend
        .filter(|backend| *backend != "none")
        .map_or_else(String::new, |backend| format!(" by {backend}"));
    let because = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    match state {
        "active" => format!("it is in force{by}"),
        "dry-run" => format!("it counts what it would drop{by}, and drops nothing"),
        "installing" => "it is on its way into the kernel".to_owned(),
        "failed" => format!("it could not be put in force{because}"),
        "observed" => "it is only shown, for the mode is observe".to_owned(),
        "expired" => "it has ended with the attack".to_owned(),
        _ => match reason {
            Some(reason) => format!("it is only suggested: {reason}"),
            None => {
                "it is only suggested: nothing that could enforce it is configured, or the mode is suggest"
                    .to_owned()
            }
        },
    }
}

/// What a vector is, by the list of the manual.
pub fn meaning(vector: &str) -> &'static str {
    match vector {
        "tcp-syn-flood" => {
            "connections are begun and never finished, to fill the server's table of half-open ones"
        }
        "tcp-ack-flood" => {
            "segments that belong to no connection, which servers and firewalls have to look up"
        }
        "tcp-rst-fin-flood" => "ends of connections that never were",
        "tcp-odd-flags-flood" => "segments with flags that no honest stack sends together",
        "tcp-synack-reflection" => "honest servers answer connections that were begun in the target's name",
        "tcp-middlebox-reflection" => {
            "filters on the way answer, many times over, requests in the target's name"
        }
        "tcp-connection-flood" => "whole connections, more than the server can hold",
        "tcp-slow" => "connections that are kept open with next to nothing",
        "tls-handshake-flood" => "handshakes that cost the server far more than the one who asks",
        "http-flood" => "requests that look like those of browsers, far more than usual",
        "udp-flood" => "datagrams that fill the link or the server",
        "udp-fragment-flood" => "pieces of datagrams, which cannot be told apart by port",
        "ip-fragment-flood" => "pieces of packets that never become whole",
        "icmp-flood" => "echo requests and other messages of the network's own protocol",
        "gre-flood" => "packets of tunnels that the target does not have",
        "other-protocol-flood" => "packets of a protocol that the target hardly uses",
        "quic-flood" => "first packets of QUIC connections, which cost the server a handshake each",
        "dns-query-flood" => "questions to a name server, most of them for names that do not exist",
        "scan" => "many hosts or ports are tried in turn: somebody looks for what is open",
        other if other.starts_with("udp-amplification-") => {
            "honest servers send large answers to small questions that were asked in the target's name"
        }
        _ => "traffic that is far above what is usual here",
    }
}
