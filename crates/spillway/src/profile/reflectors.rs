//! The table of reflecting protocols.

use serde::Deserialize;

use super::{Place, with_headers};

const TABLE: &str = include_str!("../../../../profiles/reflectors.toml");
/// Before the profiles of services: an answer is no request.
const PRECEDENCE: usize = 500;
/// What wanted answers are limited to, together for each protocol.
const WANTED: &str = "rate 1000pps";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    reflector: Vec<Reflector>,
}

/// One protocol.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reflector {
    /// NAME in `udp-amplification-NAME`.
    pub(crate) name: String,
    /// Ports its servers answer from.
    pub(crate) ports: String,
    /// What their answers look like: any of these; without one, all that comes from there.
    #[serde(default)]
    proof: Vec<String>,
    /// Octets of payload.
    length: Option<String>,
    /// Hosts ordinarily ask such servers.
    #[serde(default)]
    wanted: bool,
}

/// All of them.
pub(crate) fn table() -> anyhow::Result<Vec<Reflector>> {
    Ok(toml::from_str::<Table>(TABLE)?.reflector)
}

/// Rules against their answers to a place, a line each; a port of the place is the one that is protected.
pub(crate) fn reflectors(tag: &str, place: &Place) -> anyhow::Result<String> {
    let mut out = String::new();
    let port = place.port.map_or(String::new(), |port| format!(" dst-port {port}"));
    let headers = if place.dst.addr().is_ipv4() { 28 } else { 48 };
    let mut precedence = PRECEDENCE;
    for reflector in table()? {
        let Reflector { name, ports, proof, length, wanted } = reflector;
        let then = if wanted { WANTED } else { "drop" };
        let length = match length {
            Some(length) => format!(" length {}", with_headers(&length, headers)?),
            None => String::new(),
        };
        let proofs: Vec<String> = if proof.is_empty() {
            vec![String::new()]
        } else {
            proof.iter().map(|proof| format!(" payload {proof}")).collect()
        };
        for (number, proof) in (1..).zip(proofs) {
            precedence += 1;
            out.push_str(&format!(
                "{tag}-{name}-{number} @{precedence} dst {} proto udp src-port {ports}{port}{length}{proof} -> {then}\n",
                place.dst
            ));
        }
    }
    Ok(out)
}
