//! What lists of others say of a source (X1, C1), weighed against what was seen of it.
//!
//! A list alone makes nobody a bot or a reflector: the source has to attack again and again (what is drawn at random from listed
//! addresses does not come back), its group must not look forged, and no B1, B2, B3 or T1 may speak against it. What was proven stays: an
//! honest client on a list is an honest client.

use std::net::IpAddr;

use crate::enrich::Listed;
use crate::finding::{Class, Reason};
use crate::source::{Proofs, Source};
use crate::verdict::Judge;

/// How often those on a list are still what it says: addresses move on. A choice, not measured.
const LISTED: f64 = 0.8;
/// The same of who floods under its own address.
const LISTED_PROVEN: f64 = 0.9;

const AMPLIFICATION: &str = "udp-amplification-";

impl Judge<'_> {
    /// What becomes of a verdict by what lists say.
    pub(crate) fn heed(
        &self,
        address: IpAddr,
        source: &Source,
        listed: &Listed,
        (class, confidence): (Class, f64),
        reasons: &mut Vec<Reason>,
    ) -> (Class, f64) {
        if listed.shared && class != Class::Spoofed {
            reasons.push(Reason::C1);
        }
        let said = match class {
            Class::Reflector if listed.reflector => (class, both(confidence, LISTED)),
            Class::Bot if listed.bot => (class, both(confidence, LISTED)),
            Class::Real if listed.bot => (Class::Bot, LISTED_PROVEN),
            Class::Unknown => match self.believed(address, source, listed, reasons) {
                Some(said) => said,
                None => return (class, confidence),
            },
            _ => return (class, confidence),
        };
        reasons.push(Reason::X1);
        said
    }

    /// What lists make of a source that has shown nothing by itself.
    fn believed(
        &self,
        address: IpAddr,
        source: &Source,
        listed: &Listed,
        reasons: &[Reason],
    ) -> Option<(Class, f64)> {
        let against = [Reason::B1, Reason::B2, Reason::B3, Reason::T1, Reason::H2];
        if !source.returns() || against.iter().any(|reason| reasons.contains(reason)) {
            return None;
        }
        let forged = self.group(address, source).map_or(0.0, |(forged, _)| forged);
        if forged >= 0.5 {
            return None;
        }
        let class = match self.reflecting(source) {
            Some(_) if listed.reflector && !source.proof.has(Proofs::ASKED) => Class::Reflector,
            None if listed.bot => Class::Bot,
            _ => return None,
        };
        Some((class, LISTED * (1.0 - forged)))
    }

    /// The reflecting protocol whose vector a source takes part in.
    pub(crate) fn reflecting(&self, source: &Source) -> Option<String> {
        let names = (0u32..).zip(&self.observer.vectors);
        names.filter(|(place, _)| source.vectors >> place & 1 == 1).find_map(|(_, vector)| {
            match vector.name.as_str() {
                "tcp-synack-reflection" => Some("tcp-synack".to_owned()),
                "tcp-middlebox-reflection" => Some("tcp-middlebox".to_owned()),
                name => name.strip_prefix(AMPLIFICATION).filter(|name| *name != "other").map(str::to_owned),
            }
        })
    }
}

/// How sure two make it that know nothing of each other.
fn both(one: f64, other: f64) -> f64 {
    1.0 - (1.0 - one) * (1.0 - other)
}
