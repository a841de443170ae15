//! What interfaces are for, and what follows for a record seen there (S18).
//!
//! A packet on its way through a network is told by several interfaces and several routers. It counts once: where it
//! crosses the border. So a record counts
//! * when it entered by an external interface, or left by one (having entered elsewhere);
//! * when it passed from customer to customer within one router;
//! * when nothing is known of the interfaces at all;
//!
//! and it does not count when both sides are the network's own (another router tells of the same packet at the border),
//! nor when it was looked at on its way out by a router that also looks at the way in.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::record::{Observed, Record};

/// What an interface is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nobody said.
    #[default]
    Unknown,
    /// To a transit provider, a peer or an exchange.
    External,
    /// Between own routers, or to own servers.
    Internal,
    /// To a customer.
    Customer,
}

impl Role {
    /// By its name in the configuration.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "external" => Some(Self::External),
            "internal" => Some(Self::Internal),
            "customer" => Some(Self::Customer),
            _ => None,
        }
    }

    const fn inside(self) -> bool {
        matches!(self, Self::Internal | Self::Customer)
    }
}

/// Which way a packet went, as far as the interfaces tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From outside to us.
    In,
    /// From us to outside.
    Out,
    /// From outside to outside.
    Transit,
    /// From us to us.
    Inside,
    /// The interfaces do not tell; the addresses may.
    Unknown,
}

/// An interface of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The exporter's index, see [`Record::exporter`].
    pub exporter: u32,
    /// ifIndex.
    pub interface: u32,
}

/// What is to be made of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Which way it went.
    pub direction: Direction,
    /// Whether this is the view of the packet that counts.
    pub counts: bool,
    /// Where it entered, if that is known.
    pub entry: Option<Entry>,
}

/// A name pattern and the role of interfaces so named.
#[derive(Clone, Debug)]
struct Pattern {
    glob: String,
    role: Role,
}

/// Roles of all exporters' interfaces.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    fixed: BTreeMap<Entry, Role>,
    by_name: BTreeMap<Entry, Role>,
    patterns: Vec<Pattern>,
}

impl Roles {
    /// Sets the role of an interface, whatever its name.
    pub fn set(&mut self, entry: Entry, role: Role) {
        self.fixed.insert(entry, role);
    }

    /// Interfaces whose name matches get this role; the first pattern that matches wins. `*` stands for any text and
    /// `?` for one character; upper and lower case are the same.
    pub fn pattern(&mut self, glob: &str, role: Role) {
        self.patterns.push(Pattern { glob: glob.to_lowercase(), role });
    }

    /// Takes in the name of an interface.
    pub fn name(&mut self, entry: Entry, name: &str) {
        let name = name.to_lowercase();
        match self.patterns.iter().find(|pattern| matches(pattern.glob.as_bytes(), name.as_bytes())) {
            Some(pattern) => self.by_name.insert(entry, pattern.role),
            None => self.by_name.remove(&entry),
        };
    }

    /// The role of an interface.
    pub fn of(&self, entry: Entry) -> Role {
        self.fixed.get(&entry).or_else(|| self.by_name.get(&entry)).copied().unwrap_or_default()
    }

    /// Whether any role is known.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.by_name.is_empty()
    }

    /// Judges a record by the interfaces it names.
    pub fn judge(&self, record: &Record) -> Judgement {
        let entry = |interface: Option<u32>| {
            // ifIndex 0 means that the exporter does not know, or that the packet went nowhere.
            interface
                .filter(|index| *index != 0)
                .map(|interface| Entry { exporter: record.exporter, interface })
        };
        let (input, output) = (entry(record.input_if), entry(record.output_if));
        let again = record.observed == Observed::EgressAgain;
        if self.is_empty() {
            return Judgement { direction: Direction::Unknown, counts: !again, entry: input };
        }
        let role = |entry: Option<Entry>| entry.map_or(Role::Unknown, |entry| self.of(entry));
        let (from, to) = (role(input), role(output));
        let (direction, counts) = match (from, to) {
            (Role::External, Role::External) => (Direction::Transit, true),
            (Role::External, _) => (Direction::In, true),
            (_, Role::External) => (Direction::Out, true),
            (Role::Customer, Role::Customer) => (Direction::Inside, true),
            (Role::Unknown, Role::Unknown) => (Direction::Unknown, true),
            // A customer's packet that went nowhere, or by an interface of which nothing is known.
            (Role::Customer, Role::Unknown) => (Direction::Out, true),
            (Role::Unknown, Role::Customer) => (Direction::In, true),
            (Role::Unknown, Role::Internal) | (Role::Internal, Role::Unknown) => (Direction::Unknown, false),
            (a, b) if a.inside() && b.inside() => (Direction::Inside, false),
            _ => (Direction::Unknown, true),
        };
        Judgement { direction, counts: counts && !again, entry: input }
    }
}

/// Glob match without recursion: on failure, the last `*` takes one more character.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (glob.get(g), text.get(t)) {
            (Some(b'*'), _) => {
                star = Some((g + 1, t));
                g += 1;
            }
            (Some(a), Some(b)) if a == b || *a == b'?' => {
                g += 1;
                t += 1;
            }
            (None, None) => return true,
            _ => {
                let Some((after, from)) = star else { return false };
                if from >= text.len() {
                    return false;
                }
                star = Some((after, from + 1));
                g = after;
                t = from + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_people_expect() {
        for (glob, text, expected) in [
            ("transit*", "transit-lumen", true),
            ("*peer*", "ix peering de-cix", true),
            ("et-0/0/?", "et-0/0/7", true),
            ("et-0/0/?", "et-0/0/10", false),
            ("", "x", false),
            ("*", "", true),
            ("*a*b", "aab", true),
            ("*a*b", "aabc", false),
        ] {
            assert_eq!(matches(glob.as_bytes(), text.as_bytes()), expected, "{glob} against {text}");
        }
    }
}
