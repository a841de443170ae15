//! What the rules would do to the attack and to honest traffic: the same packets once more, each with its truth.

use anyhow::Context as _;
use base::{Span, Timestamp};
use engine::report::Attack;
use rules::limit::{Fate, Limiter};
use rules::{Action, Rule, RuleSet};
use serde_json::{Value, json};
use sim::aimed::Aimed;
use sim::packet::{Nature, Packet};
use wire::packet::Parsed;

use super::chain::{Found, latest};

/// Packets to the target, of which one in so many is made.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    all: u64,
    dropped: u64,
    /// From when the first rule acts.
    later: u64,
    later_dropped: u64,
}

impl Side {
    fn see(&mut self, acting: bool, dropped: bool) {
        self.all += 1;
        self.dropped += u64::from(dropped);
        self.later += u64::from(acting);
        self.later_dropped += u64::from(acting && dropped);
    }

    fn document(&self) -> Value {
        json!({
            "packets_seen": self.all,
            "dropped": share(self.dropped, self.all),
            "dropped_once_acting": share(self.later_dropped, self.later),
        })
    }
}

/// What all derived rules would do, each from the time on at which it was derived.
#[derive(Debug, Default)]
pub(super) struct Effect {
    attack: Side,
    benign: Side,
    /// Seconds from the attack's first packet to the first rule in force.
    acts_after: Option<f64>,
    /// What the target gets in peace: packets and bits per second.
    pub(super) honest: (f64, f64),
}

impl Effect {
    /// Shares are 0 to 1, of packets since the attack began; `null`: there were none, or no rule.
    pub(super) fn document(&self) -> Value {
        if self.acts_after.is_none() {
            return Value::Null;
        }
        json!({
            "acts_after_seconds": self.acts_after,
            "attack": self.attack.document(),
            "honest": self.benign.document(),
        })
    }
}

/// Lets the rules of each report act from `delay` after it.
pub(super) fn measure(aimed: &Aimed, found: &Found, delay: Span) -> anyhow::Result<Effect> {
    let mut effect = Effect::default();
    let mut changes = found.reports.iter().enumerate().map(|(n, (at, _))| (at.plus(delay), n)).peekable();
    let mut set = RuleSet::new(Vec::new());
    let mut known: Vec<Rule> = Vec::new();
    let mut limiter = Limiter::new(&set);
    let mut acting: Option<Timestamp> = None;
    let (mut calm, mut octets) = (0.0, 0.0);
    for packet in aimed.world().context("there is no such attack")? {
        while let Some((at, number)) = changes.next_if(|(at, _)| *at <= packet.at) {
            let told = found.reports.iter().take(number + 1).map(|(_, attack)| attack);
            let rules: Vec<Rule> =
                latest(told).into_iter().flat_map(|attack| rules(attack, aimed.thin)).collect();
            if !rules.is_empty() {
                acting.get_or_insert(at);
            }
            if rules != known {
                set = RuleSet::new(rules.clone());
                limiter = Limiter::new(&set);
                known = rules;
            }
        }
        if !aimed.target.contains(packet.headers.dst) {
            continue;
        }
        let is_attack = packet.truth.nature == Nature::Attack;
        if packet.at < aimed.began() {
            calm += f64::from(aimed.thin);
            octets += f64::from(aimed.thin) * f64::from(packet.headers.length);
            continue;
        }
        let dropped = limiter.judge(&set, packet.at, &parsed(&packet)).fate == Fate::Dropped;
        let side = if is_attack { &mut effect.attack } else { &mut effect.benign };
        side.see(acting.is_some(), dropped);
    }
    effect.acts_after = acting.map(|at| at.since(aimed.began()).as_secs_f64());
    let seconds = aimed.calm.as_secs_f64().max(1.0);
    effect.honest = (calm / seconds, octets * 8.0 / seconds);
    Ok(effect)
}

fn parsed(packet: &Packet) -> Parsed<'_> {
    Parsed { headers: packet.headers, payload: packet.data.bytes(), transport: &[], vlan: None }
}

/// The rules of an attack, with rates for packets of which one in so many is made. Who would answer a challenge is not known, so no
/// effect is claimed for one.
fn rules(attack: &Attack, thin: u32) -> Vec<Rule> {
    let thin = f64::from(thin.max(1));
    let read = attack.rules.iter().filter_map(|report| rules::parse::rules(&report.text).ok()?.pop());
    let scaled = read.map(|rule| {
        let action = match rule.action {
            Action::RatePackets(rate) => Action::RatePackets(rate / thin),
            Action::RateBits(rate) => Action::RateBits(rate / thin),
            other => other,
        };
        Rule { action, lease: None, ..rule }
    });
    scaled.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few million at most")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
