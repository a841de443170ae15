//! Profiles: what a service receives, as data files, and what of it becomes rules. A profile says in which shapes packets of
//! its service come; the rest is dropped or limited. The rules are ordinary ones: nothing here is known to the kernel.

mod reflectors;

use anyhow::Context as _;
use base::Prefix;
use serde::Deserialize;

use reflectors::reflectors;

/// The name under which the table of reflecting protocols goes.
pub(crate) const REFLECTORS: &str = "reflectors";
/// The first precedence of a profile's rules.
const PRECEDENCE: usize = 1000;
/// Octets of headers in front of a UDP payload, as rules count length: IPv4 without options, IPv6 without extensions.
const HEADERS: [u32; 2] = [28, 48];

macro_rules! files {
    ($($name:literal),*) => {
        /// Name and text of each profile, by name.
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../profiles/", $name, ".toml")))),*];
    };
}
files!("dns", "dns-tc", "minecraft-bedrock", "minecraft-java", "quic", "source-engine", "wireguard");

/// A profile as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// What people call the service.
    pub(crate) title: String,
    /// Where its shapes are written down.
    pub(crate) source: String,
    /// `udp` or `tcp`.
    protocol: String,
    /// Where it ordinarily listens.
    pub(crate) port: String,
    /// What happens to packets of no such shape: an action of the rule language.
    otherwise: String,
    /// The first that matches decides.
    rule: Vec<Shape>,
}

/// One shape.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// In words.
    what: String,
    /// Of another protocol than the profile.
    protocol: Option<String>,
    /// Octets of UDP payload, as a list of numbers and ranges.
    length: Option<String>,
    /// As in rules.
    payload: Option<String>,
    /// As in rules.
    flags: Option<String>,
    /// An action of the rule language; without one, pass.
    then: Option<String>,
}

/// What is protected: `PREFIX`, `PREFIX:PORT`, with IPv6 `[PREFIX]:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its addresses.
    pub(crate) dst: Prefix,
    /// Its port; the profile's own without one.
    pub(crate) port: Option<u16>,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |e: &dyn std::fmt::Display| {
            format!("`{text}`: {e}; write PREFIX, PREFIX:PORT or [IPV6-PREFIX]:PORT")
        };
        let (prefix, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((prefix, "")) => (prefix, None),
            Some((prefix, port)) => (prefix, Some(port.strip_prefix(':').ok_or_else(|| wrong(&"no colon"))?)),
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map_or((text, None), |(prefix, port)| (prefix, Some(port)))
            }
            None => (text, None),
        };
        let port = port.map(|port| port.parse::<u16>().map_err(|e| wrong(&e))).transpose()?;
        Ok(Self { dst: prefix.parse().map_err(|e| wrong(&e))?, port })
    }
}

/// A profile by its name.
pub(crate) fn find(name: &str) -> anyhow::Result<Profile> {
    let known = || names().join(", ");
    let (_, text) = FILES
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("there is no profile `{name}`; there are {}", known()))?;
    toml::from_str(text).with_context(|| format!("profile {name}"))
}

/// The rules of a profile, or of the reflecting protocols, for a place, a line each; ids begin with `tag`.
pub(crate) fn rules(name: &str, tag: &str, place: &Place) -> anyhow::Result<String> {
    if name == REFLECTORS { reflectors(tag, place) } else { find(name)?.text(tag, place) }
}

/// The names of all, in their order.
pub(crate) fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).chain([REFLECTORS]).collect()
}

impl Profile {
    /// Its rules for a place, a line each; ids begin with `tag`.
    pub(crate) fn text(&self, tag: &str, place: &Place) -> anyhow::Result<String> {
        let port = place.port.map_or_else(|| self.port.clone(), |port| port.to_string());
        let headers = if place.dst.addr().is_ipv4() { HEADERS[0] } else { HEADERS[1] };
        let mut out = String::new();
        for (number, shape) in (1..).zip(&self.rule) {
            let protocol = shape.protocol.as_ref().unwrap_or(&self.protocol);
            let mut line = format!(
                "{tag}-{number} @{} dst {} proto {protocol} dst-port {port}",
                PRECEDENCE + number,
                place.dst
            );
            if let Some(flags) = &shape.flags {
                line.push_str(&format!(" tcp-flags {flags}"));
            }
            if let Some(length) = &shape.length {
                line.push_str(&format!(" length {}", with_headers(length, headers)?));
            }
            if let Some(payload) = &shape.payload {
                line.push_str(&format!(" payload {payload}"));
            }
            let then = shape.then.as_deref().unwrap_or("pass");
            out.push_str(&format!("{line} -> {then} # {}\n", shape.what));
        }
        // Later fragments have no ports, and what they belong to has been judged by its first.
        out.push_str(&format!(
            "{tag}-other @{} dst {} proto {} dst-port {port} -> {}\n",
            PRECEDENCE + self.rule.len() + 1,
            place.dst,
            self.protocol,
            self.otherwise
        ));
        Ok(out)
    }
}

/// A list of lengths of payload as one of IP packets.
fn with_headers(list: &str, headers: u32) -> anyhow::Result<String> {
    let number = |text: &str| -> anyhow::Result<String> {
        let length: u32 = text.parse().with_context(|| format!("`{text}` is no length"))?;
        Ok((length + headers).to_string())
    };
    let one = |part: &str| -> anyhow::Result<String> {
        for sign in [">=", "<="] {
            if let Some(length) = part.strip_prefix(sign) {
                return Ok(format!("{sign}{}", number(length)?));
            }
        }
        match part.split_once('-') {
            Some((from, to)) => Ok(format!("{}-{}", number(from)?, number(to)?)),
            None => number(part),
        }
    };
    Ok(list.split(',').map(one).collect::<anyhow::Result<Vec<_>>>()?.join(","))
}

#[cfg(test)]
mod tests;
