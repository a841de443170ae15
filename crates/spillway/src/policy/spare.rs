//! What a filter without exceptions must not hit: allowed sources, and what is never dropped.
//!
//! The kernel of this machine knows exceptions with their ceilings. A router hears one rule at a time and knows none, so there a
//! rule is cut around what is spared, or not sent at all; and where all traffic of a prefix moves or ends, it is said whom that hits.

use base::Prefix;
use rules::{Action, Match, Per, Rule, spare};
use sha2::{Digest as _, Sha256};

use super::allow::{Allowed, Ceiling};
use super::view::View;

/// Allowed sources that a sentence names; the others are counted.
const NAMED_MAX: usize = 3;
/// Between the id of a rule and what tells its pieces apart.
const PIECE: &str = "-without-";

/// Packets that no rule at a router may end.
#[derive(Clone, Debug)]
pub(crate) struct Spared {
    /// Which.
    pub(crate) matches: Match,
    /// Who says so, and where.
    pub(crate) words: String,
}

impl Allowed {
    /// Its packets.
    pub(crate) fn matches(&self) -> Match {
        Match {
            dst: Some(self.destination),
            src: Some(self.source),
            protocol: self.protocol,
            dst_port: self.port.map(|port| rules::Numbers::of([u32::from(port)])),
            ..Match::default()
        }
    }

    fn words(&self) -> String {
        let protocol = self.protocol.map_or_else(String::new, |number| format!(" proto {number}"));
        let port = self.port.map_or_else(String::new, |port| format!(" port {port}"));
        format!("{} to {}{protocol}{port}", self.source, self.destination)
    }
}

impl View {
    /// What of a rule's packets is spared: of what it drops, allowed sources and what is never dropped; of what it limits,
    /// allowed sources.
    pub(crate) fn spared(&self, rule: &Rule) -> Vec<Spared> {
        if !spare::ends(&rule.action) {
            return Vec::new();
        }
        let allowed = self.allowed().map(|one| Spared {
            matches: one.matches(),
            words: format!("the allowed source {} (`spillway allow list`)", one.words()),
        });
        let reached = rule.matches.dst.map(|dst| self.reached(&dst)).unwrap_or_default();
        let never = reached.iter().filter(|_| rule.action == Action::Drop).flat_map(|values| {
            values.never_drop.value.iter().map(move |shape| Spared {
                matches: Match { dst: shape.matches.dst.or(Some(values.prefix)), ..shape.matches.clone() },
                words: format!(
                    "what is never dropped of {}: {} (`spillway target show {}`)",
                    values.prefix, shape.text, values.prefix
                ),
            })
        });
        let hits = |one: &Spared| rules::overlap::shares(&one.matches, &rule.matches);
        allowed.chain(never).filter(hits).collect()
    }

    /// What may go to routers of a rule: itself, or rules that are together what is left of it.
    ///
    /// # Errors
    /// It would hit what is spared, and cannot be cut around it.
    pub(crate) fn sendable(&self, rule: &Rule) -> Result<Vec<Rule>, String> {
        let spared = self.spared(rule);
        let Some(first) = spared.first() else { return Ok(vec![rule.clone()]) };
        let hit = |spared: &[Spared]| {
            let more = match spared.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            format!("{}{more}", first.words)
        };
        match spare::without(&rule.matches, spared.iter().map(|one| &one.matches)) {
            None => Err(format!(
                "it would hit {}, and a router can be told of no exception: narrow the rule by source or destination, or the entry by protocol and port",
                hit(&spared)
            )),
            Some(pieces) if pieces.is_empty() => {
                Err(format!("all that it matches is spared: {}", hit(&spared)))
            }
            Some(pieces) => Ok(pieces.into_iter().map(|matches| piece(rule, matches)).collect()),
        }
    }

    /// Whom it hits, where all traffic to a prefix is led away or discarded; `None`: nobody who is allowed.
    pub(crate) fn hit_by_route(&self, prefix: &Prefix) -> Option<String> {
        let near = |one: &&Allowed| one.destination.covers(prefix) || prefix.covers(&one.destination);
        let all: Vec<String> = self.allowed().filter(near).map(Allowed::words).collect();
        if all.is_empty() {
            return None;
        }
        let named: Vec<&str> = all.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = match all.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("allowed sources among them: {}{more}", named.join(", ")))
    }

    /// What an absorber is told beside rules, so that they spare what is allowed: a rule for each pair that share packets, within the
    /// ceiling of the entry. Exceptions come before all rules.
    pub(crate) fn exceptions_from(&self, rules: &[Rule]) -> Vec<Rule> {
        let mut all = Vec::new();
        for (place, allowed) in self.allowed().enumerate() {
            let of = allowed.matches();
            let action = match allowed.ceiling {
                Ceiling::Packets(rate) => Action::RatePackets(rate),
                Ceiling::Bits(rate) => Action::RateBits(rate),
                Ceiling::None => Action::Pass,
            };
            let ending = rules.iter().enumerate().filter(|(_, rule)| spare::ends(&rule.action));
            for (at, both) in ending.filter_map(|(at, rule)| Some((at, spare::both(&rule.matches, &of)?))) {
                all.push(Rule {
                    id: format!("allow-{place}-{at}"),
                    precedence: 0,
                    matches: both,
                    action,
                    per: Per::Rule,
                    sample: None,
                    lease: None,
                });
            }
        }
        all
    }
}

/// Whether a rule is what was left of the one with this id.
pub(crate) fn is_piece(id: &str, of: &str) -> bool {
    id == of || id.strip_prefix(of).is_some_and(|rest| rest.starts_with(PIECE))
}

/// The same id for the same packets: what stands at a router is known again.
fn piece(rule: &Rule, matches: Match) -> Rule {
    let mut piece = Rule { matches, ..rule.clone() };
    let digest = Sha256::digest(piece.to_string());
    let digest: String = digest.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
    piece.id = format!("{}{PIECE}{digest}", rule.id);
    piece
}
