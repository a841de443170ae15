//! A set of rules in the order in which they decide, indexed so that most of them are never looked at.

mod index;

use alloc::vec::Vec;

use base::Prefix;
use base::prefix::PrefixTable;
use wire::packet::Parsed;

use self::index::Group;
use crate::eval;
use crate::order::Key;
use crate::rule::Rule;

/// Rules in the order in which they decide.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// For each rule in deciding order, its place in the order given.
    given: Vec<usize>,
    /// Rules with a destination, under each destination all that cover it.
    by_dst: PrefixTable<Group>,
    /// Rules without a destination.
    anywhere: Group,
}

impl RuleSet {
    /// Orders and indexes rules. Ids are expected to be distinct, as the parser sees to.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut keyed: Vec<_> =
            rules.into_iter().enumerate().map(|(i, r)| (Key::new(&r.matches), i, r)).collect();
        keyed.sort_by(|(ka, _, a), (kb, _, b)| {
            a.precedence.cmp(&b.precedence).then_with(|| ka.cmp(kb)).then_with(|| a.id.cmp(&b.id))
        });
        let given = keyed.iter().map(|(_, i, _)| *i).collect();
        let rules: Vec<Rule> = keyed.into_iter().map(|(_, _, rule)| rule).collect();
        let mut prefixes: Vec<Prefix> = rules.iter().filter_map(|rule| rule.matches.dst).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let group = |wanted: &dyn Fn(Option<Prefix>) -> bool| {
            Group::new(rules.iter().enumerate().filter(|(_, rule)| wanted(rule.matches.dst)))
        };
        let by_dst = PrefixTable::new(prefixes.into_iter().map(|prefix| {
            (prefix, group(&|dst: Option<Prefix>| dst.is_some_and(|dst| dst.covers(&prefix))))
        }));
        let anywhere = group(&|dst: Option<Prefix>| dst.is_none());
        Self { rules, given, by_dst, anywhere }
    }

    /// The rule that decides this packet: of those that match, the first in order.
    pub fn decide(&self, packet: &Parsed<'_>) -> Option<&Rule> {
        self.decide_index(packet).and_then(|index| self.rules.get(index))
    }

    /// The place in [`Self::rules`] of the rule that decides this packet.
    pub fn decide_index(&self, packet: &Parsed<'_>) -> Option<usize> {
        let matches =
            |index: usize| self.rules.get(index).is_some_and(|rule| eval::matches(&rule.matches, packet));
        let first = |group: &Group| group.first(packet, matches);
        let own = self.by_dst.longest(packet.headers.dst).and_then(first);
        match (own, first(&self.anywhere)) {
            (Some(own), Some(general)) => Some(own.min(general)),
            (own, general) => own.or(general),
        }
    }

    /// The rules in the order in which they decide.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// For each of [`Self::rules`], its place in the order in which they were given.
    pub fn given(&self) -> &[usize] {
        &self.given
    }

    /// Whether each of [`Self::rules`] matches by itself.
    pub fn matching<'a>(&'a self, packet: &'a Parsed<'a>) -> impl Iterator<Item = bool> + 'a {
        self.rules.iter().map(move |rule| eval::matches(&rule.matches, packet))
    }
}
