//! Which of the rules that were derived may act. Pure: the decisions are in, the wanted set is out.

use std::collections::{BTreeMap, BTreeSet};

use base::{Prefix, Span, Timestamp};
use engine::Mode;
use engine::report::{Attack, Direction, RuleReport, Severity, State};

use super::{Wanted, challenge};
use crate::config::Config;
use ::rules::{Action, Rule};

/// The name of the action that has no price.
const CHALLENGE: &str = Action::Challenge(0).as_str();

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
    challenges: bool,
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
            challenges: config.dataplane.challenge.is_some(),
        }
    }

    /// Adds to an attack the rules that challenge its SYNs, where that is asked for: they are told, chosen and taken back like
    /// those that were derived.
    pub(crate) fn add_challenges(&self, attack: &mut Attack, now: Timestamp) {
        if self.challenges {
            attack.rules.extend(challenge::rules(attack, self.lease, now));
        }
    }

    /// Whether a rule may be in force at all.
    pub(crate) fn check(&self, rule: &Rule) -> Result<(), &'static str> {
        match rule.action {
            Action::Challenge(_) if !self.challenges => Err("`dataplane.challenge` is off"),
            _ if !self.is_ours(rule) => Err("its destination is not inside `networks`"),
            _ => Ok(()),
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
                    let Some(rule) = parsed else { return Err("it cannot be read back") };
                    self.check(&rule)?;
                    if full {
                        return Err("as many rules as `dataplane.rules_max` allows are in force");
                    }
                    Ok(Rule { lease: Some(self.lease), ..rule })
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
    fn is_ours(&self, rule: &Rule) -> bool {
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
            // Who is there to answer passes.
            None if rule.action == CHALLENGE => Ok(()),
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

    fn syn_flood(change: impl Fn(&mut serde_json::Value)) -> Attack {
        attack(|a| {
            a["vectors"] = serde_json::json!([{"name": "tcp-syn-flood", "share": 1.0, "src_port": null, "dst_port": 443}]);
            a["rules"][0]["collateral"] = serde_json::Value::Null;
            a["usual_syns"] = serde_json::json!([{"target": "198.18.7.7/32", "pps": 250}]);
            change(a);
        })
    }

    #[test]
    fn syns_of_a_flood_are_challenged_above_what_their_target_usually_gets() {
        let choose = |bounds: &Bounds, mut attack: Attack| {
            bounds.add_challenges(&mut attack, Timestamp::from_secs(1));
            bounds.choose([attack].iter())
        };
        let texts = |choice: &Choice| -> Vec<String> {
            choice.wanted.rules.iter().map(|rule| rule.to_string()).collect()
        };
        let enforce = bounds(Mode::Enforce);
        // Also, and above all, where the rule that was derived may not act: its price is not known.
        let choice = choose(&enforce, syn_flood(|_| {}));
        let [text] = &texts(&choice)[..] else { panic!("{choice:?}") };
        let wanted = "@50000 dst 198.18.7.7/32 proto tcp tcp-flags syn/fin+syn+rst+ack -> challenge above 250pps for 15m";
        assert_eq!(text.split_once(' ').unwrap().1, wanted);
        assert!(choice.spared.contains_key("r"));
        // Beside a rule that drops it comes later.
        let both = choose(&Bounds { blind: true, ..enforce.clone() }, syn_flood(|_| {})).wanted.rules;
        assert_eq!(both.len(), 2);
        assert!(both[0].precedence < both[1].precedence);
        // Who has shown nothing is challenged from the first SYN on; many targets are challenged by one rule.
        let unknown = syn_flood(|a| a["usual_syns"] = serde_json::json!([]));
        assert!(texts(&choose(&enforce, unknown))[0].contains("-> challenge for 15m"));
        let carpet = syn_flood(|a| {
            a["target"] = "198.18.7.0/24".into();
            let all: Vec<String> = (0..100).map(|host| format!("198.18.7.{host}/32")).collect();
            a["targets"] = all.into();
        });
        let carpet = texts(&choose(&enforce, carpet));
        assert!(carpet.len() == 1 && carpet[0].contains("dst 198.18.7.0/24"), "{carpet:?}");
        // The same bounds as for any rule.
        let suggested = choose(&bounds(Mode::Suggest), syn_flood(|_| {})).wanted;
        assert!(suggested.dry && suggested.rules.len() == 1);
        let nothing: [(&str, Attack); 6] = [
            ("suspected", syn_flood(|a| a["severity"] = "suspicious".into())),
            ("outgoing", syn_flood(|a| a["direction"] = "out".into())),
            ("in doubt", syn_flood(|a| a["doubtful"] = true.into())),
            ("over", syn_flood(|a| a["state"] = "over".into())),
            ("of something else", syn_flood(|a| a["vectors"][0]["name"] = "udp-flood".into())),
            ("on the never-list", syn_flood(|a| a["targets"] = serde_json::json!(["198.18.9.0/28"]))),
        ];
        for (what, attack) in nothing {
            assert_eq!(texts(&choose(&enforce, attack)), Vec::<String>::new(), "{what}");
        }
        assert!(choose(&bounds(Mode::Observe), syn_flood(|_| {})).wanted.rules.is_empty());
        let strangers = choose(&enforce, syn_flood(|a| a["targets"] = serde_json::json!(["192.0.2.9/32"])));
        assert!(strangers.wanted.rules.is_empty());
        assert!(strangers.spared.values().any(|reason| reason.contains("networks")), "{strangers:?}");
        // Nor where it is not asked for.
        let off = Bounds { challenges: false, ..enforce };
        assert_eq!(texts(&choose(&off, syn_flood(|_| {}))), Vec::<String>::new());
        let refused = ::rules::parse::rules("c dst 198.18.7.7/32 proto tcp -> challenge").unwrap();
        assert!(off.check(&refused[0]).unwrap_err().contains("dataplane.challenge"));
    }

    #[test]
    fn who_may_act_blind_does() {
        let blind = Bounds { blind: true, ..bounds(Mode::Enforce) };
        let attack = attack(|a| a["rules"][0]["collateral"] = serde_json::Value::Null);
        assert_eq!(blind.choose([attack].iter()).wanted.rules.len(), 1);
    }
}
