//! FlowSpec on the wire: RFC 8955 for IPv4, RFC 8956 for IPv6.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use serde::Serialize;

use crate::component::{self, Component, Value};
use crate::family::Family;
use crate::order::{self, Key};
use crate::overlap;
use crate::rule::{Action, Match, Per, Rule};

/// Octets of components in one NLRI at most (RFC 8955 §4.1).
const NLRI_MAX: usize = 4095;

/// A rule as BGP says it, for one address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlowspecLine {
    /// The id of the rule.
    pub id: String,
    /// 1 for IPv4, 2 for IPv6.
    pub afi: u16,
    /// The NLRI with its length octets, in hexadecimal.
    pub nlri: Option<String>,
    /// Extended communities (attribute 16), 16 hexadecimal digits each.
    pub ext_communities: Vec<String>,
    /// IPv6 address specific extended communities (attribute 25), 40 hexadecimal digits each.
    pub ipv6_ext_communities: Vec<String>,
    /// Why it cannot be said.
    pub error: Option<String>,
}

/// One line for each rule and each address family it holds for, in the order given.
pub fn lines(rules: &[Rule]) -> Vec<FlowspecLine> {
    plan(rules).into_iter().map(FlowspecLine::from).collect()
}

/// What becomes of one rule in one family: its components, or why not.
pub(super) struct Planned<'a> {
    pub(super) rule: &'a Rule,
    pub(super) family: Family,
    pub(super) components: Result<Vec<Component>, String>,
}

/// All rules in the order given, each in each family it holds for.
pub(super) fn plan(rules: &[Rule]) -> Vec<Planned<'_>> {
    let mut deciding: Vec<(usize, &Rule)> = rules.iter().enumerate().collect();
    deciding.sort_by(|(_, a), (_, b)| order::rules(a, b));
    let mut out: Vec<(usize, Planned<'_>)> = Vec::new();
    for family in Family::ALL {
        let mut said: Vec<(Key, &Rule)> = Vec::new();
        let mut exempt: Vec<&Rule> = Vec::new();
        for (place, rule) in deciding.iter().copied() {
            if !Family::of(&rule.matches).any(|holds| holds == family) {
                continue;
            }
            let components = alone(rule, family).and_then(|components| {
                beside(rule, family, &said, &exempt)?;
                Ok(components)
            });
            match (&components, rule.action) {
                (Ok(_), _) => said.push((Key::new(&rule.matches), rule)),
                (Err(_), Action::Pass) => exempt.push(rule),
                (Err(_), _) => {}
            }
            out.push((place, Planned { rule, family, components }));
        }
    }
    out.sort_by_key(|(place, planned)| (*place, planned.family));
    out.into_iter().map(|(_, planned)| planned).collect()
}

/// Whether the rule can be said at all.
fn alone(rule: &Rule, family: Family) -> Result<Vec<Component>, String> {
    let m = &rule.matches;
    let beyond = beyond(m);
    if !beyond.is_empty() {
        return Err(format!("FlowSpec cannot match {}", beyond.join(", ")));
    }
    if m.dst.is_none() {
        return Err(
            "a FlowSpec rule without `dst` would act on everybody's traffic; name the destination".into()
        );
    }
    if family == Family::V6 && m.fragment.is_some_and(|kinds| kinds.dont) {
        return Err("IPv6 has no `dont` fragment bit (RFC 8956 §3.7)".into());
    }
    if matches!(rule.action, Action::Challenge(_)) {
        return Err("FlowSpec has no action that challenges a source".into());
    }
    if matches!(rule.action, Action::Tunnel(..)) {
        return Err("FlowSpec has no action that puts packets into a tunnel".into());
    }
    if rule.per != Per::Rule {
        return Err("FlowSpec has no rates per source or destination".into());
    }
    if rule.sample.is_some() {
        return Err("FlowSpec can ask for samples but not for one in so many (RFC 8955 §7.3)".into());
    }
    let components = component::all(m);
    let length: usize = components.iter().map(|c| encode(c).len()).sum();
    if length > NLRI_MAX {
        return Err(format!("its NLRI would have {length} octets of {NLRI_MAX}; split the rule"));
    }
    Ok(components)
}

/// What a rule asks beyond FlowSpec, in the words of the rule language.
pub fn beyond(m: &Match) -> Vec<&'static str> {
    let asked = [
        (m.ttl.is_some(), "ttl"),
        (m.window.is_some(), "window"),
        (m.payload.is_some(), "payload"),
        (m.tcp_options.is_some(), "tcp-options"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect()
}

/// Whether the rule would mean the same beside those that go before it. A router orders rules by RFC 8955 §5.1 alone.
fn beside(rule: &Rule, family: Family, said: &[(Key, &Rule)], exempt: &[&Rule]) -> Result<(), String> {
    let shares = |other: &Rule| overlap::may_share(&rule.matches, &other.matches, family);
    let key = Key::new(&rule.matches);
    for (before, other) in said {
        if key == *before {
            return Err(format!("the same NLRI as `{}`, which BGP would replace by this one", other.id));
        }
        if key < *before && shares(other) {
            return Err(format!(
                "RFC 8955 §5.1 lets it overtake `{}`, which has precedence over it; give it a lower number or narrow it",
                other.id
            ));
        }
    }
    if rule.action == Action::Pass {
        return Ok(());
    }
    match exempt.iter().find(|other| shares(other)) {
        Some(other) => Err(format!(
            "it would also act on packets that `{}` passes before it, and FlowSpec cannot say `{}`",
            other.id, other.id
        )),
        None => Ok(()),
    }
}

impl From<Planned<'_>> for FlowspecLine {
    fn from(planned: Planned<'_>) -> Self {
        let Planned { rule, family, components } = planned;
        let mut line = Self {
            id: rule.id.clone(),
            afi: family.afi(),
            nlri: None,
            ext_communities: Vec::new(),
            ipv6_ext_communities: Vec::new(),
            error: None,
        };
        match components {
            Err(reason) => line.error = Some(reason),
            Ok(components) => {
                line.nlri = Some(hex(&nlri(&components)));
                line.ext_communities =
                    community(rule.action).map(|octets| hex(&octets)).into_iter().collect();
                line.ipv6_ext_communities =
                    community6(rule.action).map(|octets| hex(&octets)).into_iter().collect();
            }
        }
        line
    }
}

/// RFC 8955 §4.1: one length octet below 240, else two that begin with 0xf.
fn nlri(components: &[Component]) -> Vec<u8> {
    let body: Vec<u8> = components.iter().flat_map(encode).collect();
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = match length {
        [0, short @ 0..240] => alloc::vec![short],
        [high, low] => alloc::vec![0xf0 | high, low],
    };
    out.extend(body);
    out
}

/// Type and value. A prefix is a length and as many octets as hold it; for IPv6 an offset of 0 stands between.
fn encode(component: &Component) -> Vec<u8> {
    let mut out = alloc::vec![component.kind];
    match &component.value {
        Value::Octets(octets) => out.extend(octets),
        Value::Prefix(prefix) => {
            let octets = usize::from(prefix.bits().div_ceil(8));
            out.push(prefix.bits());
            match prefix.addr() {
                IpAddr::V4(addr) => out.extend(addr.octets().iter().take(octets)),
                IpAddr::V6(addr) => {
                    out.push(0);
                    out.extend(addr.octets().iter().take(octets));
                }
            }
        }
    }
    out
}

/// RFC 8955 §7: no community for a rule that passes, for acceptance is the default.
pub(super) fn community(action: Action) -> Option<[u8; 8]> {
    let rate = |kind: [u8; 2], rate: f32| {
        // The number of an AS is informative; 0 names none.
        let ([k, s], [a, b, c, d]) = (kind, rate.to_be_bytes());
        [k, s, 0, 0, a, b, c, d]
    };
    match action {
        Action::Pass | Action::Challenge(_) | Action::Tunnel(..) => None,
        Action::Drop => Some(rate([0x80, 0x06], 0.0)),
        Action::RateBits(bits) => Some(rate([0x80, 0x06], single(bits / 8.0))),
        Action::RatePackets(packets) => Some(rate([0x80, 0x0c], single(packets))),
        // draft-ietf-idr-flowspec-redirect-ip; the copy bit is 0.
        Action::Redirect(IpAddr::V4(to)) => {
            let [a, b, c, d] = to.octets();
            Some([0x01, 0x0c, a, b, c, d, 0, 0])
        }
        Action::Redirect(IpAddr::V6(_)) => None,
    }
}

/// The same draft for an IPv6 next hop (RFC 5701).
pub(super) fn community6(action: Action) -> Option<Vec<u8>> {
    let Action::Redirect(IpAddr::V6(to)) = action else { return None };
    let mut out = alloc::vec![0x00, 0x0c];
    out.extend(to.octets());
    out.extend([0, 0]);
    Some(out)
}

#[expect(clippy::cast_possible_truncation, reason = "FlowSpec rates are IEEE single precision")]
pub(super) const fn single(rate: f64) -> f32 {
    rate as f32
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
