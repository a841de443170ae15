//! Which of the rules that were derived may act. Pure: the decisions are in, the wanted set is out.

use std::collections::{BTreeMap, BTreeSet};

use base::{Prefix, Span};
use engine::Mode;
use engine::report::{Attack, Direction, RuleReport, Severity, State};

use super::Wanted;
use crate::config::Config;
use ::rules::Rule;

/// What may act.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    mode: Mode,
    networks: Vec<Prefix>,
    never: Vec<Prefix>,
    lease: Span,
    rules_max: usize,
    collateral_max: f64,
    blind: bool,
}

/// The wanted set, and why other rules are not in it, by their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    /// Rules that shall be in force.
    pub(crate) wanted: Wanted,
    /// Why others shall not.
    pub(crate) spared: BTreeMap<String, &'static str>,
}

impl Bounds {
    /// As the operator set them.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            mode: config.mode,
            networks: config.networks.clone(),
            never: config.rules.never.clone(),
            lease: config.rules.lease,
            rules_max: config.dataplane.rules_max,
            collateral_max: config.dataplane.collateral_max,
            blind: config.dataplane.blind,
        }
    }

    /// Chooses among the rules of these attacks, in the order given; who goes on has its whole lease before it.
    pub(crate) fn choose<'a>(&self, attacks: impl Iterator<Item = &'a Attack>) -> Choice {
        let mut choice = Choice {
            wanted: Wanted { dry: self.mode != Mode::Enforce, ..Wanted::default() },
            ..Choice::default()
        };
        let mut ids = BTreeSet::new();
        for attack in attacks.filter(|attack| attack.state == State::Active) {
            for report in &attack.rules {
                let judged = self.judge(attack, report).and_then(|()| {
                    let parsed = ::rules::parse::rules(&report.text).ok().and_then(|mut rules| rules.pop());
                    let full = choice.wanted.rules.len() >= self.rules_max;
                    match parsed {
                        None => Err("it cannot be read back"),
                        Some(rule) if !self.is_ours(&rule) => Err("its destination is not inside `networks`"),
                        Some(_) if full => Err("as many rules as `dataplane.rules_max` allows are in force"),
                        Some(rule) => Ok(Rule { lease: Some(self.lease), ..rule }),
                    }
                });
                match judged {
                    Ok(rule) => {
                        if ids.insert(rule.id.clone()) {
                            choice.wanted.rules.push(rule);
                        }
                    }
                    Err(reason) => {
                        choice.spared.insert(report.id.clone(), reason);
                    }
                }
            }
        }
        choice
    }

    /// Rules at one time.
    pub(crate) const fn rules_max(&self) -> usize {
        self.rules_max
    }

    /// Whether it acts on packets to the operator's own networks alone.
    pub(crate) fn is_ours(&self, rule: &Rule) -> bool {
        rule.matches.dst.is_some_and(|dst| self.networks.iter().any(|own| own.covers(&dst)))
    }

    fn judge(&self, attack: &Attack, rule: &RuleReport) -> Result<(), &'static str> {
        if self.mode == Mode::Observe {
            return Err("mode is observe");
        }
        if attack.severity != Severity::Attack {
            return Err("the attack is only suspected");
        }
        if attack.direction != Direction::In {
            return Err("only incoming attacks are filtered");
        }
        if attack.doubtful {
            return Err("it was told by exporters whose numbers are doubtful");
        }
        let cut = |never: &Prefix| attack.targets.iter().any(|t| never.covers(t) || t.covers(never));
        if self.never.iter().any(cut) {
            return Err("the target is on the never-list (`rules.never`)");
        }
        match &rule.collateral {
            None if self.blind => Ok(()),
            None => {
                Err("its collateral is unknown: no honest traffic was seen (`dataplane.blind` lets it act)")
            }
            Some(price) if price.packets.max(price.peers) > self.collateral_max => {
                Err("it would hit more honest traffic than `dataplane.collateral_max` allows")
            }
            Some(_) => Ok(()),
        }
    }
}
