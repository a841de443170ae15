//! The reasons of a verdict in words; SPECIFICATION.md, "Who attacks", says what each proves.

use ::intel::Reason;
use serde_json::Value;

/// The reasons of a source's document, each with its code.
pub(super) fn in_words(source: &Value) -> String {
    let codes = source.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let word = |code: &Value| {
        let name = code.as_str().unwrap_or_default();
        // a daemon of another version may know more
        match serde_json::from_value::<Reason>(code.clone()) {
            Ok(reason) => format!("{name} {}", words(reason)),
            Err(_) => name.to_owned(),
        }
    };
    codes.map(word).collect::<Vec<_>>().join("; ")
}

const fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::H1 => "it finished a handshake",
        Reason::H2 => "QUIC or TLS after a proven handshake",
        Reason::H3 => "its side of a connection is whole",
        Reason::P1 => "a valid answer in a protocol that reflects",
        Reason::Q1 => "an ICMP error quotes what was sent to it in the target's name",
        Reason::B1 => "special-purpose address space",
        Reason::B2 => "no route covers it",
        Reason::B3 => "it came in where its network does not",
        Reason::T1 => "its hop count is not its network's",
        Reason::T2 => "one TTL with thousands of unrelated networks",
        Reason::D1 => "the set of sources looks drawn at random",
        Reason::D2 => "it came again and again at a steady rate",
        Reason::F1 => "its packets are shaped like a known tool's",
        Reason::R1 => "it was an honest client before",
        Reason::X1 => "somebody trusted said so",
        Reason::C1 => "many people share this address",
    }
}
