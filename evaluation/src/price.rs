//! What the final rules of an attack would have done: applied by the meaning of rules to labelled packets that the
//! detection has not seen.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use engine::report::RuleReport;
use rules::limit::{Fate, Limiter};
use rules::{Action, Rule, RuleSet, eval};
use serde::{Deserialize, Serialize};
use sim::event::{Direction, Story};
use sim::rng::Rng;
use sim::scenario::Scenario;
use sim::{Nature, Packet, World};
use wire::packet::{Link, Parsed, parse};

use crate::quantile::count;

/// Shares that the rules of one attack hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Price {
    /// Of the attack's packets behind its detection.
    pub(crate) removed: f64,
    /// Of the honest packets to the victim; what is under a rate counts as hit.
    pub(crate) packets: f64,
    pub(crate) bytes: f64,
    /// Of those that sent them.
    pub(crate) peers: f64,
    /// Each rule's prediction beside what it hits by itself.
    pub(crate) rules: Vec<Calibration>,
}

/// What was foretold of one rule, in packets, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    /// Expected share and its 95 % bound; `None` where the rule had no price.
    pub(crate) foretold: Option<(f64, f64)>,
    pub(crate) real: f64,
}

impl Calibration {
    /// Whether the rule hits more than was promised.
    pub(crate) fn exceeded(&self) -> Option<bool> {
        self.foretold.map(|(_, bound)| self.real > bound)
    }
}

/// One of so many packets of the world is judged.
const THIN: u32 = 100;
/// Packets of the attack judged at most, about.
const PACKETS_MAX: f64 = 100_000.0;
/// Honest packets drawn for the victim.
const HONEST: u32 = 4_000;

/// Prices the rules of the attack `story`, which was detected at `from`.
pub(crate) fn price(scenario: &Scenario, story: &Story, rules: &[RuleReport], from: Timestamp) -> Price {
    let wanted = story.pps * story.end.since(story.start).as_secs_f64() / PACKETS_MAX;
    let thin = THIN.max(u32::try_from(sim::rng::round(wanted)).unwrap_or(u32::MAX));
    let mut judge = Judge::new(rules, thin);
    let config = sim::Config {
        start: story.start,
        span: story.end.since(story.start),
        thin,
        ..scenario.config.clone()
    };
    let attack = scenario.events.iter().position(|event| event.kind.vector().is_some());
    let world = World::new(config.clone(), scenario.events.clone());
    for packet in honest(&world, &config, story) {
        judge.honest(&packet.0, packet.1, story);
    }
    for packet in world {
        match packet.truth.nature {
            Nature::Attack if packet.truth.event.map(usize::from) == attack && packet.at >= from => {
                judge.attack(&packet);
            }
            // The victim's own background is drawn above; here are the crowds.
            Nature::Benign if packet.truth.event.is_some() && to(&packet, story) => {
                judge.honest(&packet, f64::from(thin), story);
            }
            _ => {}
        }
    }
    judge.price(rules)
}

/// Honest packets of the victim by themselves, each with the packets it stands for: within an attack of seconds an ordinary
/// host gets too few to judge by.
fn honest(world: &World, config: &sim::Config, story: &Story) -> Vec<(Packet, f64)> {
    let people = world.people();
    let share = |rank: u32| f64::from(rank + 1).powf(-config.zipf);
    let mut mine: Vec<(u32, f64)> = (0..config.hosts)
        .filter(|rank| ours(story).iter().any(|prefix| prefix.contains(people.host(*rank))))
        .map(|rank| (rank, share(rank)))
        .collect();
    mine.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all: f64 = (0..config.hosts).map(share).sum();
    let part: f64 = mine.iter().map(|(_, share)| share).sum();
    let window = story.end.since(story.start);
    let stands_for = config.pps * part / all * window.as_secs_f64() / f64::from(HONEST);
    let mut rng = Rng::part(config.seed, 0x6a75_6467);
    let mut drawn = Vec::new();
    for _ in 0..if mine.is_empty() { 0 } else { HONEST } {
        let at = story.start.plus(Span::from_nanos(rng.below(window.nanos().max(1))));
        let which = rng.weighted(mine.iter().map(|(_, share)| *share));
        let Some((rank, _)) = mine.get(which) else { continue };
        let packet = world.background().of(people, &mut rng, at, *rank);
        if to(&packet, story) {
            drawn.push((packet, stands_for));
        }
    }
    drawn
}

/// Our side of the story.
fn ours(story: &Story) -> Vec<Prefix> {
    match story.direction {
        Direction::In => vec![story.target],
        Direction::Out => story.own.iter().map(|host| Prefix::host(*host)).collect(),
    }
}

/// Whether a packet goes where the attack goes: to the victim, or out of the host that floods.
fn to(packet: &Packet, story: &Story) -> bool {
    let h = &packet.headers;
    match story.direction {
        Direction::In => story.target.contains(h.dst),
        Direction::Out => story.own.contains(&h.src),
    }
}

struct Judge {
    set: RuleSet,
    limiter: Limiter,
    single: Vec<(Rule, f64)>,
    frame: Vec<u8>,
    attack: (f64, f64),
    packets: (f64, f64),
    bytes: (f64, f64),
    peers: BTreeMap<IpAddr, bool>,
}

impl Judge {
    fn new(reports: &[RuleReport], thin: u32) -> Self {
        let parsed: Vec<Rule> =
            reports.iter().filter_map(|report| rules::parse::rules(&report.text).ok()).flatten().collect();
        // One packet here is `thin` of the world's.
        let thinned = parsed.iter().cloned().map(|rule| Rule { action: scaled(rule.action, thin), ..rule });
        let set = RuleSet::new(thinned.collect());
        let limiter = Limiter::new(&set);
        Self {
            set,
            limiter,
            single: parsed.into_iter().map(|rule| (rule, 0.0)).collect(),
            frame: Vec::new(),
            attack: (0.0, 0.0),
            packets: (0.0, 0.0),
            bytes: (0.0, 0.0),
            peers: BTreeMap::new(),
        }
    }

    fn attack(&mut self, packet: &Packet) {
        let mut frame = std::mem::take(&mut self.frame);
        if let Some(parsed) = read(packet, &mut frame) {
            let fate = self.limiter.judge(&self.set, packet.at, &parsed).fate;
            self.attack.1 += 1.0;
            self.attack.0 += f64::from(u8::from(fate != Fate::Passed));
        }
        self.frame = frame;
    }

    fn honest(&mut self, packet: &Packet, stands_for: f64, story: &Story) {
        let mut frame = std::mem::take(&mut self.frame);
        if let Some(parsed) = read(packet, &mut frame) {
            let hit = self.set.decide(&parsed).is_some_and(|rule| rule.action != Action::Pass);
            let octets = f64::from(packet.headers.length) * stands_for;
            self.packets.1 += stands_for;
            self.bytes.1 += octets;
            if hit {
                self.packets.0 += stands_for;
                self.bytes.0 += octets;
            }
            let peer = match story.direction {
                Direction::In => packet.headers.src,
                Direction::Out => packet.headers.dst,
            };
            *self.peers.entry(peer).or_default() |= hit;
            for (rule, sum) in &mut self.single {
                if eval::matches(&rule.matches, &parsed) {
                    *sum += stands_for;
                }
            }
        }
        self.frame = frame;
    }

    fn price(self, reports: &[RuleReport]) -> Price {
        let share = |(part, whole): (f64, f64)| if whole > 0.0 { part / whole } else { 0.0 };
        let hit = self.peers.values().filter(|hit| **hit).count();
        let foretold = |report: &RuleReport| report.collateral.map(|c| (c.packets, c.packets_upper95));
        // Without honest packets there is nothing to compare with.
        let rules = if self.packets.1 > 0.0 {
            let both = reports.iter().zip(&self.single);
            both.map(|(report, (_, sum))| Calibration {
                foretold: foretold(report),
                real: sum / self.packets.1,
            })
            .collect()
        } else {
            Vec::new()
        };
        Price {
            removed: share(self.attack),
            packets: share(self.packets),
            bytes: share(self.bytes),
            peers: share((count(hit), count(self.peers.len()))),
            rules,
        }
    }
}

const fn scaled(action: Action, thin: u32) -> Action {
    match action {
        Action::RatePackets(rate) => Action::RatePackets(rate / thin as f64),
        Action::RateBits(rate) => Action::RateBits(rate / thin as f64),
        other => other,
    }
}

/// A made packet as an enforcer would see it.
fn read<'a>(packet: &Packet, frame: &'a mut Vec<u8>) -> Option<Parsed<'a>> {
    frame.clear();
    let whole = packet.frame(frame, 128);
    parse(Link::Ethernet, frame, whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::scenario::measured;

    fn rule(text: &str) -> RuleReport {
        RuleReport {
            id: "r".into(),
            text: text.into(),
            action: "drop".into(),
            collateral: None,
            expires_at: Timestamp::ZERO,
        }
    }

    #[test]
    fn a_rule_is_priced_by_what_it_hits() {
        let scenario = measured("syn-200k", Span::from_secs(1), 1).unwrap();
        let story = scenario.events[0].story();
        let target = story.target;
        let all = rule(&format!("all @1 dst {target} -> drop"));
        let priced = price(&scenario, &story, &[all], story.start);
        assert!(priced.removed > 0.999 && priced.packets > 0.999 && priced.peers > 0.999, "{priced:?}");
        let syn = rule(&format!("syn @1 dst {target} proto tcp tcp-flags syn/syn+ack -> drop"));
        let priced = price(&scenario, &story, &[syn], story.start);
        assert!(priced.removed > 0.999 && priced.packets < 0.2 && priced.packets > 0.0, "{priced:?}");
        assert_eq!(price(&scenario, &story, &[], story.start).removed, 0.0);
    }
}
