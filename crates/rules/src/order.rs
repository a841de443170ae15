//! Which rule goes first: RFC 8955 §5.1, with RFC 8956 §4 for IPv6 prefixes.

use alloc::vec::Vec;
use core::cmp::Ordering;

use base::Prefix;

use crate::component::{self, Component, Value};
use crate::rule::{Match, Rule};

/// The order of two flow specifications; `Less` goes first.
pub fn flowspec(a: &Match, b: &Match) -> Ordering {
    Key::new(a).cmp(&Key::new(b))
}

/// The order in which rules decide: precedence, then [`flowspec`], then id.
pub fn rules(a: &Rule, b: &Rule) -> Ordering {
    a.precedence
        .cmp(&b.precedence)
        .then_with(|| flowspec(&a.matches, &b.matches))
        .then_with(|| a.id.cmp(&b.id))
}

/// The components of a match, ordered as §5.1 orders them. Made once when many are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Vec<Component>);

impl Key {
    /// The key of a match.
    pub fn new(matches: &Match) -> Self {
        Self(component::all(matches))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    /// `flow_rule_cmp` of RFC 8955 Appendix B: the first component that differs decides.
    fn cmp(&self, other: &Self) -> Ordering {
        for (a, b) in self.0.iter().zip(&other.0) {
            // The lower type goes first.
            let ordering = a.kind.cmp(&b.kind).then_with(|| match (&a.value, &b.value) {
                (Value::Prefix(a), Value::Prefix(b)) => prefixes(a, b),
                (Value::Octets(a), Value::Octets(b)) => octets(a, b),
                (Value::Prefix(_), Value::Octets(_)) => Ordering::Less,
                (Value::Octets(_), Value::Prefix(_)) => Ordering::Greater,
            });
            if ordering.is_ne() {
                return ordering;
            }
        }
        // Who still has a component when the other has none goes first.
        other.0.len().cmp(&self.0.len())
    }
}

/// The lower address of the common length first, then the more specific. Families do not meet; IPv4 stands first.
fn prefixes(a: &Prefix, b: &Prefix) -> Ordering {
    let common = a.bits().min(b.bits());
    let cut = |p: &Prefix| Prefix::of(p.addr(), common).addr();
    cut(a).cmp(&cut(b)).then_with(|| b.bits().cmp(&a.bits()))
}

/// The lower common prefix first, then the longer.
fn octets(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.len().min(b.len());
    a.iter().take(common).cmp(b.iter().take(common)).then_with(|| b.len().cmp(&a.len()))
}
