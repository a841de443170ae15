//! Which of the rules that were derived may act. Pure: the decisions are in, the wanted set is out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::rules::overlap::shares;
use base::{Prefix, Span, Timestamp};
use dataplane::Challenge;
use engine::Mode;
use engine::report::{Attack, Collateral, Direction, RuleReport, Severity, State};
use steer::ladder::Step;

use super::{Wanted, challenge};
use crate::config::{Config, Ladder};
use crate::policy::View;
use crate::policy::values::Values;
use ::rules::{Action, Rule};

/// The name of the action that has no price.
const CHALLENGE: &str = Action::Challenge(0).as_str();

/// What may act.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    networks: Vec<Prefix>,
    never: Vec<Prefix>,
    lease: Span,
    rules_max: usize,
    challenge: Option<Challenge>,
    /// Which steps may be taken for whom, where the configuration says.
    ladder: Option<Ladder>,
}

/// The wanted set, and why other rules are not in it, by their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    /// Rules that shall be in force.
    pub(crate) wanted: Wanted,
    /// Why others shall not.
    pub(crate) spared: BTreeMap<String, Reason>,
}

/// Why something does not act, in a sentence.
pub(crate) type Reason = Cow<'static, str>;

impl Bounds {
    /// As the operator set them.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            networks: config.networks.clone(),
            never: config.rules.never.clone(),
            lease: config.rules.lease,
            rules_max: config.dataplane.rules_max,
            challenge: config.dataplane.challenge,
            ladder: config.routing.as_ref().and_then(|routing| routing.ladder.clone()),
        }
    }

    /// Makes of the rules of an attack those that its targets like: some limit where others drop, and SYNs are challenged where
    /// that is asked for. What is added is told, chosen and taken back like what was derived.
    /// As a host only this machine's `own` addresses are challenged; they are asked for where it matters.
    pub(crate) fn fit(
        &self,
        attack: &mut Attack,
        view: &View,
        now: Timestamp,
        own: impl FnOnce() -> Vec<IpAddr>,
    ) {
        soften(attack, view);
        let Some(mode) = self.challenge.filter(|_| challenge::wants(attack)) else { return };
        let own = (mode == Challenge::Host).then(own);
        let mut rules = challenge::rules(attack, own.as_deref(), self.lease, now);
        rules.retain(|report| destination(report).is_none_or(|dst| view.values(&dst).challenge.value));
        attack.rules.extend(rules);
    }

    /// Whether this prefix is the operator's own.
    pub(crate) fn owns(&self, prefix: &Prefix) -> bool {
        self.networks.iter().any(|own| own.covers(prefix))
    }

    /// Whether a rule may be in force at all.
    pub(crate) fn check(&self, rule: &Rule) -> Result<(), &'static str> {
        match rule.action {
            Action::Challenge(_) if self.challenge.is_none() => Err("`dataplane.challenge` is off"),
            _ if !self.is_ours(rule) => Err("its destination is not inside `networks`"),
            _ => Ok(()),
        }
    }

    /// Chooses among the rules of these attacks, in the order given; who goes on has its whole lease before it.
    /// What people made comes first, and always acts; so do the sources that pass.
    pub(crate) fn choose<'a>(&self, view: &View, attacks: impl Iterator<Item = &'a Attack>) -> Choice {
        let mut choice = Choice::default();
        choice.wanted.earnest = view.is_earnest();
        let mut ids = BTreeSet::new();
        for (_, rule) in view.rules().filter(|(_, rule)| self.check(rule).is_ok()).take(self.rules_max) {
            ids.insert(rule.id.clone());
            choice.wanted.by_hand.insert(rule.id.clone());
            choice.wanted.rules.push(rule);
        }
        choice.wanted.allow = view.allowed().map(crate::policy::allow::Allowed::entry).collect();
        for attack in attacks.filter(|attack| attack.state == State::Active) {
            // What is challenged first: it says which rules need not drop.
            let mut challenged = Vec::new();
            let (ask, drop): (Vec<_>, Vec<_>) =
                attack.rules.iter().partition(|report| report.action == CHALLENGE);
            for report in ask.into_iter().chain(drop) {
                match self.rule(view, attack, report, |id| ids.len() < self.rules_max || ids.contains(id)) {
                    Ok((rule, mode, most))
                        if challenge::covers(&challenged, attack, &rule) && is_unsure(report, most) =>
                    {
                        let reason =
                            "its SYNs are challenged instead: what it might hit is not known well enough";
                        choice.spared.insert(rule.id.clone(), reason.into());
                        if mode != Mode::Enforce {
                            choice.wanted.dry.insert(rule.id.clone());
                        }
                        if ids.insert(rule.id.clone()) {
                            choice.wanted.attacks.insert(rule.id.clone(), attack.id.clone());
                            choice.wanted.instead.push(rule);
                        }
                    }
                    Ok((rule, mode, _)) => {
                        if mode != Mode::Enforce {
                            choice.wanted.dry.insert(rule.id.clone());
                        }
                        if let (Action::Challenge(_), Some(dst)) = (rule.action, rule.matches.dst) {
                            challenged.push(dst);
                        }
                        if ids.insert(rule.id.clone()) {
                            choice.wanted.attacks.insert(rule.id.clone(), attack.id.clone());
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

    /// The rule, if it may act and there is room.
    /// With how far it may go, and which share of honest traffic it may hit.
    fn rule(
        &self,
        view: &View,
        attack: &Attack,
        report: &RuleReport,
        room: impl Fn(&str) -> bool,
    ) -> Result<(Rule, Mode, f64), Reason> {
        let parsed = ::rules::parse::rules(&report.text).ok().and_then(|mut rules| rules.pop());
        let rule = parsed.ok_or("it cannot be read back")?;
        let to = rule.matches.dst.unwrap_or(attack.target);
        let mode = view.mode(&to);
        self.judge(attack, mode)?;
        self.check(&rule)?;
        if let Some(held) = view.taken_back(&attack.target, &rule) {
            let end = held.end().map_or_else(|| "somebody ends it".to_owned(), |end| end.to_string());
            let id = held.id;
            return Err(format!(
                "a person took back what hits the same packets: exception {id} holds until {end}"
            )
            .into());
        }
        let reached = view.reached(&to);
        for values in &reached {
            price(&rule, report, values)?;
        }
        if !room(&report.id) {
            return Err("as many rules as `dataplane.rules_max` allows are in force".into());
        }
        let most = reached.iter().map(|values| values.collateral_max.value).fold(f64::INFINITY, f64::min);
        Ok((Rule { lease: Some(self.lease), ..rule }, mode, most))
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
        rule.matches.dst.is_some_and(|dst| self.owns(&dst))
    }

    fn judge(&self, attack: &Attack, mode: Mode) -> Result<(), &'static str> {
        if mode == Mode::Observe {
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
        if let Some(ladder) = &self.ladder {
            if !ladder.steps_for(&attack.target).contains(&Step::Kernel) {
                return Err("`steps` of [routing.ladder], or of the customer there, has no \"kernel\"");
            }
            let limit = ladder.customer(&attack.target).and_then(|customer| customer.mode);
            if mode == Mode::Enforce && limit.is_some_and(|mode| mode != Mode::Enforce) {
                return Err("`mode` of the customer in [routing.ladder.customers] is not enforce");
            }
        }
        Ok(())
    }
}

/// Whether a rule might, by all that was seen, hit more honest traffic than is allowed.
fn is_unsure(rule: &RuleReport, allowed: f64) -> bool {
    let most = |price: &Collateral| price.packets_upper95.max(price.peers_upper95);
    rule.collateral.as_ref().is_none_or(|price| most(price) > allowed)
}

/// Whether a rule may act by what it would cost one of those that it reaches.
fn price(rule: &Rule, report: &RuleReport, of: &Values) -> Result<(), Reason> {
    let drops = matches!(rule.action, Action::Drop | Action::RatePackets(_) | Action::RateBits(_));
    let hits = |shapes: &[crate::config::target::Shape]| {
        shapes
            .iter()
            .find(|shape| drops && shares(&shape.matches, &rule.matches))
            .map(|shape| shape.text.clone())
    };
    if let Some(spared) = hits(&of.never_drop.value).filter(|_| rule.action == Action::Drop) {
        return Err(format!(
            "it would hit what is never dropped of {}: {spared} (`spillway target show {}`)",
            of.prefix, of.prefix
        )
        .into());
    }
    match &report.collateral {
        // Who is there to answer passes.
        None if report.action == CHALLENGE => Ok(()),
        None if of.blind.value => match hits(&of.ordinary.value) {
            None => Ok(()),
            Some(shape) => Err(format!("its collateral is unknown, and it would hit what is ordinary for {}: {shape}", of.prefix).into()),
        },
        None => {
            Err("its collateral is unknown: no honest traffic was seen (`dataplane.blind` lets it act)".into())
        }
        Some(price) if price.packets.max(price.peers) > of.collateral_max.value => {
            Err("it would hit more honest traffic than `dataplane.collateral_max` allows, or that of its profile or target".into())
        }
        Some(_) => Ok(()),
    }
}

/// Where a rule's packets go.
pub(crate) fn destination(report: &RuleReport) -> Option<Prefix> {
    let mut words = report.text.split_whitespace();
    words.find(|word| *word == "dst")?;
    words.next()?.parse().ok()
}

/// Rules that drop limit instead, where their destinations like that better.
pub(crate) fn soften(attack: &mut Attack, view: &View) {
    attack.rules.iter_mut().for_each(|report| limit(report, view));
}

/// Its price is what it was at most.
fn limit(report: &mut RuleReport, view: &View) {
    let Some(most) = destination(report).and_then(|dst| view.values(&dst).limit.value) else { return };
    let Some(rule) = ::rules::parse::rules(&report.text).ok().and_then(|mut rules| rules.pop()) else {
        return;
    };
    if rule.action == Action::Drop {
        let rule = Rule { action: Action::RatePackets(most), ..rule };
        report.text = rule.to_string();
        rule.action.as_str().clone_into(&mut report.action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::layers::Layers;

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

    /// Bounds with what holds under them.
    struct Under(Bounds, View);

    impl Under {
        fn choose<'a>(&self, attacks: impl Iterator<Item = &'a Attack>) -> Choice {
            self.0.choose(&self.1, attacks)
        }

        fn of(text: &str) -> Self {
            let config = Config::parse(std::path::Path::new("f"), text).unwrap();
            Self(Bounds::of(&config), View::of(Layers::of(&config)))
        }
    }

    fn under(mode: Mode, dataplane: &str) -> Under {
        let mode = crate::policy::values::mode_name(mode);
        Under::of(&format!(
            "networks = [\"198.18.0.0/16\"]\nmode = \"{mode}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n\
             [rules]\nnever = [\"198.18.9.0/24\", \"192.0.2.1/32\"]\n[dataplane]\n{dataplane}\n"
        ))
    }

    fn bounds(mode: Mode) -> Under {
        under(mode, "")
    }

    #[test]
    fn only_what_may_act_is_chosen() {
        let enforce = bounds(Mode::Enforce);
        let good = enforce.choose([attack(|_| {})].iter());
        let lease = good.wanted.rules.first().unwrap().lease.unwrap();
        assert_eq!((good.wanted.dry.len(), good.spared.len(), lease), (0, 0, Span::from_secs(900)));
        let suggested = bounds(Mode::Suggest).choose([attack(|_| {})].iter()).wanted;
        assert!(suggested.dry.len() == 1 && suggested.rules.len() == 1);
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
        assert!(watched.wanted.rules.is_empty() && watched.wanted.dry.is_empty());
        // What is one too many is said; the same rule of two attacks is one.
        let few = under(Mode::Enforce, "rules_max = 1");
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
        let choose = |under: &Under, mut attack: Attack| {
            let own = || vec!["198.18.7.7".parse().unwrap(), "192.0.2.9".parse().unwrap()];
            under.0.fit(&mut attack, &under.1, Timestamp::from_secs(1), own);
            under.choose([attack].iter())
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
        // Beside a rule that is known to hit nobody else it comes later.
        let priced = |most: f64| {
            syn_flood(|a| {
                a["rules"][0]["collateral"] = serde_json::json!({"packets": 0.0, "bytes": 0.0, "peers": 0.0,
                    "packets_upper95": most, "bytes_upper95": most, "peers_upper95": most});
            })
        };
        let mut both = choose(&enforce, priced(0.04)).wanted.rules;
        both.sort_by_key(|rule| rule.precedence);
        assert!(both.len() == 2 && both[0].action == Action::Drop, "{both:?}");
        // A rule that may hit some, or nobody knows whom, waits for where SYNs cannot be challenged.
        let blind = under(Mode::Enforce, "blind = true");
        for choice in [choose(&enforce, priced(0.15)), choose(&blind, syn_flood(|_| {}))] {
            assert!(choice.wanted.rules.len() == 1 && choice.wanted.instead.len() == 1, "{choice:?}");
            assert_eq!(choice.wanted.instead[0].id, "r");
            assert!(choice.spared.get("r").unwrap().contains("challenged"));
        }
        // But not one that also stops something else.
        let mixed = choose(&enforce, {
            let mut attack = priced(0.15);
            attack.vectors.push(attack.vectors[0].clone());
            attack.vectors[1].name = "udp-flood".into();
            attack
        });
        assert_eq!((mixed.wanted.rules.len(), mixed.wanted.instead.len()), (2, 0));
        // Who has shown nothing is challenged from the first SYN on; many targets are challenged by one rule.
        let unknown = syn_flood(|a| a["usual_syns"] = serde_json::json!([]));
        assert!(texts(&choose(&enforce, unknown))[0].contains("-> challenge for 15m"));
        let carpet = syn_flood(|a| {
            a["target"] = "198.18.7.0/24".into();
            let all: Vec<String> = (0..100).map(|host| format!("198.18.7.{host}/32")).collect();
            a["targets"] = all.into();
        });
        // A host challenges for itself alone, a gateway for what is behind it.
        let hosts = texts(&choose(&enforce, carpet.clone()));
        assert!(hosts.len() == 1 && hosts[0].contains("dst 198.18.7.7/32"), "{hosts:?}");
        let gateway = under(Mode::Enforce, "challenge = \"auto\"");
        let carpet = texts(&choose(&gateway, carpet));
        assert!(carpet.len() == 1 && carpet[0].contains("dst 198.18.7.0/24"), "{carpet:?}");
        // The same bounds as for any rule.
        let suggested = choose(&bounds(Mode::Suggest), syn_flood(|_| {})).wanted;
        assert!(suggested.dry.len() == 1 && suggested.rules.len() == 1);
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
        let off = under(Mode::Enforce, "challenge = \"off\"");
        assert_eq!(texts(&choose(&off, syn_flood(|_| {}))), Vec::<String>::new());
        let refused = ::rules::parse::rules("c dst 198.18.7.7/32 proto tcp -> challenge").unwrap();
        assert!(off.0.check(&refused[0]).unwrap_err().contains("dataplane.challenge"));
    }

    #[test]
    fn who_wants_no_kernel_filter_by_itself_gets_none() {
        let with = |ladder: &str| {
            let text = format!(
                "networks = [\"198.18.0.0/16\"]\nmode = \"enforce\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[customers.acme]\nnetworks = [\"198.18.7.0/24\"]\n\
                 [routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.peers.up]\naddress = \"192.0.2.2\"\nasn = 64500\n\
                 carries = [\"flowspec\"]\n[routing.ladder]\n{ladder}\n"
            );
            let choice = Under::of(&text).choose([attack(|_| {})].iter());
            let why = choice.spared.get("r").map(ToString::to_string).unwrap_or_default();
            (choice.wanted.rules.len(), why)
        };
        assert_eq!(with(""), (1, String::new()));
        let acme = |line: &str| with(&format!("[routing.ladder.customers.acme]\n{line}"));
        for none in [with("steps = [\"flowspec\"]"), acme("steps = [\"flowspec\"]")] {
            assert!(none.0 == 0 && none.1.contains("has no \"kernel\""), "{none:?}");
        }
        let asks = acme("mode = \"suggest\"");
        assert!(asks.0 == 0 && asks.1.contains("is not enforce"), "{asks:?}");
        assert_eq!(
            with("steps = [\"flowspec\"]\n[routing.ladder.customers.acme]\nsteps = [\"kernel\"]"),
            (1, String::new())
        );
    }

    #[test]
    fn who_may_act_blind_does() {
        let blind = under(Mode::Enforce, "blind = true");
        let attack = attack(|a| a["rules"][0]["collateral"] = serde_json::Value::Null);
        assert_eq!(blind.choose([attack].iter()).wanted.rules.len(), 1);
    }
}
