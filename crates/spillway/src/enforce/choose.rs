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
                    let full = choice.wanted.rules.len() >= self.rules_max && !ids.contains(&report.id);
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

    /// How often leases want renewal: three times in each.
    pub(crate) const fn renew(&self) -> Span {
        Span::from_nanos(self.lease.nanos() / 3)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(change: impl Fn(&mut serde_json::Value)) -> Attack {
        let mut document = serde_json::json!({
            "event": "attack", "state": "active", "id": "a", "target": "198.18.7.7/32",
            "targets": ["198.18.7.7/32"], "direction": "in", "severity": "attack",
            "started_at": "2027-01-01T00:00:00.000000000Z", "detected_at": "2027-01-01T00:00:00.250000000Z",
            "ended_at": null, "peak_pps": 1, "peak_bps": 1, "vectors": [],
            "sources": {"count": 1, "nature": "spoofed", "confidence": 1.0, "top": []},
            "rules": [{
                "id": "r", "text": "r dst 198.18.7.7/32 proto udp -> drop for 1m", "action": "drop",
                "collateral": {"packets": 0.01, "bytes": 0.9, "peers": 0.02, "packets_upper95": 0.5,
                    "bytes_upper95": 1.0, "peers_upper95": 0.5},
                "expires_at": "2027-01-01T00:15:00.000000000Z"
            }],
            "explain": [], "packets": 1, "bytes": 1
        });
        change(&mut document);
        serde_json::from_value(document).unwrap()
    }

    fn bounds(mode: Mode) -> Bounds {
        let text = "networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n\
                    [rules]\nnever = [\"198.18.9.0/24\", \"192.0.2.1/32\"]\n";
        let config = Config::parse(std::path::Path::new("f"), text).unwrap();
        Bounds { mode, ..Bounds::of(&config) }
    }

    #[test]
    fn only_what_may_act_is_chosen() {
        let enforce = bounds(Mode::Enforce);
        let good = enforce.choose([attack(|_| {})].iter());
        let lease = good.wanted.rules.first().unwrap().lease.unwrap();
        assert_eq!((good.wanted.dry, good.spared.len(), lease), (false, 0, Span::from_secs(900)));
        let suggested = bounds(Mode::Suggest).choose([attack(|_| {})].iter()).wanted;
        assert!(suggested.dry && suggested.rules.len() == 1);
        let rule = |text: &'static str| move |a: &mut serde_json::Value| a["rules"][0]["text"] = text.into();
        let spared: [(&str, Attack); 9] = [
            ("suspected", attack(|a| a["severity"] = "suspicious".into())),
            ("incoming", attack(|a| a["direction"] = "out".into())),
            ("doubtful", attack(|a| a["doubtful"] = true.into())),
            ("never", attack(|a| a["targets"] = serde_json::json!(["198.18.9.0/28"]))),
            ("never", attack(|a| a["targets"] = serde_json::json!(["198.18.0.0/16"]))),
            ("unknown", attack(|a| a["rules"][0]["collateral"] = serde_json::Value::Null)),
            ("collateral_max", attack(|a| a["rules"][0]["collateral"]["peers"] = 0.06.into())),
            ("networks", attack(rule("r proto udp -> drop for 1m"))),
            ("networks", attack(rule("r dst 192.0.2.0/24 -> drop for 1m"))),
        ];
        for (word, attack) in spared {
            let choice = enforce.choose([attack].iter());
            assert!(choice.wanted.rules.is_empty(), "{word}");
            let reason = choice.spared.get("r").unwrap();
            assert!(reason.contains(word), "{reason}");
        }
        let over = attack(|a| a["state"] = "over".into());
        assert_eq!(enforce.choose([over].iter()).wanted.rules, []);
        let watched = bounds(Mode::Observe).choose([attack(|_| {})].iter());
        assert!(watched.wanted.rules.is_empty() && watched.wanted.dry);
        // What is one too many is said; the same rule of two attacks is one.
        let few = Bounds { rules_max: 1, ..enforce };
        let second = attack(|a| {
            a["id"] = "b".into();
            a["rules"][0]["id"] = "s".into();
            a["rules"][0]["text"] = "s dst 198.18.7.8/32 proto udp -> drop for 1m".into();
        });
        let choice = few.choose([attack(|_| {}), second].iter());
        assert_eq!(choice.wanted.rules.len(), 1);
        assert!(choice.spared.get("s").unwrap().contains("rules_max"));
        let twice = few.choose([attack(|_| {}), attack(|_| {})].iter());
        assert_eq!((twice.wanted.rules.len(), twice.spared.len()), (1, 0));
    }

    #[test]
    fn who_may_act_blind_does() {
        let blind = Bounds { blind: true, ..bounds(Mode::Enforce) };
        let attack = attack(|a| a["rules"][0]["collateral"] = serde_json::Value::Null);
        assert_eq!(blind.choose([attack].iter()).wanted.rules.len(), 1);
    }
}
