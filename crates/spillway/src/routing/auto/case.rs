//! One target under attack: where it stands on the ladder, what is seen of it, and what is not to be tried again.

mod volume;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use base::{Prefix, Timestamp};
use engine::report::{Attack, Direction, Severity, State};
use serde::{Deserialize, Serialize};
use steer::allot::Lot;
use steer::effect::{Fate, Judgement, Place, Seen, Verdict, Watch};
use steer::ladder::{Choice, Climb, Mode, Plan, Step, Volume};
use steer::planner::Sizes;
use steer::rails::Class;

use super::Terms;
use crate::routing::lookout::{Sight, Watched};

/// Windows are this many times as long as an announcement takes to settle; patience lasts likewise.
const WINDOW: u64 = 3;
/// See [`WINDOW`].
const PATIENCE: u64 = 12;
/// Rules that did too little are followed by others so often for one attack.
const ANEW_MAX: usize = 2;
/// Those who saw it that are remembered; further ones are no witnesses of quiet.
const LOOKERS_MAX: usize = 64;

/// What is not tried again for an attack. It outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Barred {
    /// Its id.
    pub(super) attack: Option<String>,
    /// Steps, and why.
    pub(super) steps: BTreeMap<Step, String>,
    /// A step made the service worse: a person is asked about each other one.
    pub(super) careful: bool,
}

/// One target under attack.
#[derive(Debug)]
pub(super) struct Case {
    /// The covering prefix of its targets.
    pub(super) target: Prefix,
    /// The attack, as it was told last; `None`: only what the book has is known of it.
    pub(super) attack: Option<Attack>,
    /// It goes on.
    pub(super) attacked: bool,
    /// Where it stands.
    pub(super) climb: Climb,
    /// What was announced or proposed for it, by class and text, and at which step.
    pub(super) placed: BTreeMap<(&'static str, String), Step>,
    /// Steps that are not tried again for this attack.
    pub(super) barred: Barred,
    /// What was refused lately, when and why.
    pub(super) refused: BTreeMap<(&'static str, String), (Timestamp, String)>,
    /// What was chosen last, and how each step was last to be taken.
    pub(super) choice: Option<Choice>,
    /// See `choice`.
    pub(super) plans: BTreeMap<Step, Plan>,
    /// What may be done by itself, by step.
    pub(super) modes: [Option<Mode>; 4],
    /// A part is let through.
    pub(super) is_probing: bool,
    /// What its targets get in peace.
    pub(super) honest: Volume,
    /// What the plan for all attacks has for it.
    pub(super) lot: Option<Lot>,
    /// How large it is was seen lately, whatever stops it.
    pub(super) is_sized: bool,
    /// How large it was lately.
    sizes: Sizes,
    /// When it was counted lately: packets and octets until then, the newest last.
    counted: VecDeque<(Timestamp, u64, u64)>,
    /// When an attack that was not young any more was counted first: packets and octets until then.
    taken_up: Option<(Timestamp, u64, u64)>,
    /// What steps in force do, as it was judged last.
    pub(super) judged: BTreeMap<Step, Judgement>,
    rolling: Watch,
    watches: BTreeMap<Step, Watch>,
    /// Rules that what routers do with FlowSpec was judged by.
    by_rules: BTreeSet<String>,
    /// How often other rules were judged anew, because those before them did too little.
    anew: usize,
    lookers: BTreeSet<(IpAddr, bool)>,
}

impl Case {
    /// A target of which nothing was seen yet.
    pub(super) fn new(terms: &Terms, target: Prefix, climb: Climb) -> Self {
        let settle = terms.ladder.settle;
        Self {
            target,
            attack: None,
            attacked: false,
            climb,
            placed: BTreeMap::new(),
            barred: Barred::default(),
            refused: BTreeMap::new(),
            choice: None,
            plans: BTreeMap::new(),
            modes: [None; 4],
            is_probing: false,
            honest: Volume::default(),
            lot: None,
            is_sized: false,
            sizes: Sizes::default(),
            counted: VecDeque::new(),
            taken_up: None,
            judged: BTreeMap::new(),
            rolling: Watch::new(settle.times(WINDOW), settle),
            watches: BTreeMap::new(),
            by_rules: BTreeSet::new(),
            anew: 0,
            lookers: BTreeSet::new(),
        }
    }

    /// Takes in what is told of an attack on it.
    pub(super) fn hear(&mut self, attack: &Attack) {
        if self.attack.as_ref().is_none_or(|known| known.id != attack.id) {
            self.refused.clear();
            (self.sizes, self.counted, self.lot) = (Sizes::default(), VecDeque::new(), None);
            (self.taken_up, self.anew) = (None, 0);
            let held: BTreeSet<Step> = self.watches.keys().copied().collect();
            self.placed.retain(|_, step| held.contains(step));
        }
        if self.barred.attack.as_ref() != Some(&attack.id) {
            // Another attack: what a person ended was about the one before.
            self.barred = Barred { attack: Some(attack.id.clone()), ..Barred::default() };
        }
        self.attacked = attack.state == State::Active && is_incoming(attack);
        self.target = attack.target;
        self.attack = Some(attack.clone());
    }

    /// Takes in what was seen of it since the last time.
    pub(super) fn see(&mut self, sight: &Sight) {
        let now = sight.now;
        let known: Vec<(IpAddr, bool)> =
            self.lookers.iter().filter(|(by, _)| sight.heard.contains_key(by)).copied().collect();
        for (by, egress) in known {
            let (place, _) = sight.terms.place(by, egress);
            self.watches().for_each(|watch| watch.heard(now, &name(by, egress), place));
        }
        let target = self.target;
        for (sighting, amount) in sight.seen.iter().filter(|(s, _)| s.name == target && s.rule.is_some()) {
            let looker = (sighting.exporter, sighting.egress);
            if self.lookers.len() < LOOKERS_MAX {
                self.lookers.insert(looker);
            }
            let (place, acts) = sight.terms.place(looker.0, looker.1);
            let fate = match sighting.fate() {
                // Who says by itself that it drops acts, whether or not it is known to.
                Fate::Notified if place != Place::At => continue,
                Fate::Notified => Fate::Notified,
                fate if acts => fate,
                _ => Fate::Unknown,
            };
            let seen = Seen { packets: amount.packets, sampled: amount.sampled, fate };
            let by = name(looker.0, looker.1);
            self.rolling.see(now, &by, place, seen);
            for (step, watch) in &mut self.watches {
                // What is diverted is forwarded, too; what is dropped is no diversion's doing.
                let fate = match (*step, fate) {
                    (Step::Diversion, Fate::Notified) => continue,
                    (Step::Diversion, _) => Fate::Unknown,
                    (_, fate) => fate,
                };
                watch.see(now, &by, place, Seen { fate, ..seen });
            }
        }
    }

    /// Whether its end would be seen: somebody is heard, and none of those who saw it is silent.
    pub(super) fn is_seen(&self, sight: &Sight) -> bool {
        !sight.heard.is_empty() && self.lookers.iter().all(|(by, _)| sight.heard.contains_key(by))
    }

    /// A step is in force from now on.
    pub(super) fn took(&mut self, now: Timestamp, terms: &Terms, step: Step) {
        let patience = terms.ladder.settle.times(PATIENCE);
        for (_, lower) in self.watches.iter_mut().filter(|(held, _)| **held < step) {
            lower.covered(now, 1.0, patience);
        }
        let mut watch = self.rolling.clone();
        watch.announced(now);
        self.watches.insert(step, watch);
    }

    /// These rules are at routers. Where those that were judged before did too little, and others stand now, what they do is looked
    /// at anew, and not endlessly.
    pub(super) fn stands(&mut self, now: Timestamp, terms: &Terms, rules: BTreeSet<String>) {
        let verdict = self.judged.get(&Step::Flowspec).map(|judged| judged.verdict);
        let is_short = matches!(verdict, Some(Verdict::Ineffective | Verdict::Partly));
        if !self.follows(Step::Flowspec) {
            self.took(now, terms, Step::Flowspec);
        } else if is_short && self.tries_others() && !rules.is_subset(&self.by_rules) {
            self.anew += 1;
            self.took(now, terms, Step::Flowspec);
        } else if is_short {
            // What is gone of them is no reason to believe in it again.
            return;
        }
        self.by_rules = rules;
    }

    /// What was judged at routers: rules, where others would be tried; else the step as a whole.
    pub(super) fn judged_by(&self) -> Vec<String> {
        if self.tries_others() { self.by_rules.iter().cloned().collect() } else { Vec::new() }
    }

    /// Whether rules that did too little may be followed by others, before a stronger step is the only thing left: not where a person
    /// would have to be waited for, or others were refused.
    fn tries_others(&self) -> bool {
        self.anew < ANEW_MAX
            && self.climb.at() <= Some(Step::Flowspec)
            && self.mode(Step::Flowspec) == Some(Mode::Enforce)
            && !self.refused.keys().any(|(class, _)| *class == Class::Flowspec.as_str())
    }

    /// Steps that this does not hold for are not in force any more.
    pub(super) fn keep(&mut self, now: Timestamp, kept: impl Fn(Step) -> bool) {
        let before = self.watches.len();
        self.watches.retain(|step, _| kept(*step));
        self.placed.retain(|_, step| kept(*step));
        let last = self.watches.keys().next_back().copied();
        if before != self.watches.len()
            && let Some(watch) = last.and_then(|step| self.watches.get_mut(&step))
        {
            watch.uncovered(now);
        }
    }

    /// Whether a person is asked about a step. A choice of it may ask for one beyond the policy.
    pub(super) fn asks(&self, step: Step) -> bool {
        let person = self.choice.as_ref().is_some_and(|choice| {
            choice.person && choice.plan.as_ref().is_some_and(|plan| plan.step == step)
        });
        person || self.mode(step) != Some(Mode::Enforce)
    }

    /// What may be done with a step by itself; `None`: nothing, not even to propose it.
    pub(super) fn mode(&self, step: Step) -> Option<Mode> {
        let of = Step::ALL.into_iter().zip(self.modes).find(|(of, _)| *of == step);
        of.and_then(|(_, mode)| mode).filter(|mode| *mode != Mode::Observe)
    }

    /// Whether what a step does is followed already.
    pub(super) fn follows(&self, step: Step) -> bool {
        self.watches.contains_key(&step)
    }

    /// What a step does, as far as it can be said.
    pub(super) fn judge(&mut self, now: Timestamp, terms: &Terms, step: Step) -> Judgement {
        let patience = terms.ladder.settle.times(PATIENCE);
        let judged = self.watches.get_mut(&step).and_then(|watch| watch.judge(now, 1.0, patience));
        judged.unwrap_or_else(|| Judgement {
            verdict: Verdict::Pending,
            stopped: None,
            reason: "nothing is known of it yet".to_owned(),
        })
    }

    /// What workers shall look for.
    pub(super) fn watched(&self) -> Option<Watched> {
        let attack = self.attack.as_ref()?;
        let parsed = |text: &str| rules::parse::rules(text).ok().and_then(|mut rules| rules.pop());
        let of = |rule: &engine::report::RuleReport| Some((rule.id.clone(), parsed(&rule.text)?.matches));
        let rules = attack.router_rules.iter().chain(&attack.rules).filter_map(of).collect();
        Some(Watched { name: self.target, targets: attack.targets.clone(), rules })
    }

    /// Whether a prefix has to do with its targets.
    pub(super) fn concerns(&self, prefix: &Prefix) -> bool {
        self.target.covers(prefix) || prefix.covers(&self.target)
    }

    fn watches(&mut self) -> impl Iterator<Item = &mut Watch> {
        self.watches.values_mut().chain([&mut self.rolling])
    }
}

/// Whether it is one that routers can be told about.
pub(in crate::routing) fn is_incoming(attack: &Attack) -> bool {
    attack.direction == Direction::In && attack.severity == Severity::Attack
}

fn name(exporter: IpAddr, egress: bool) -> String {
    if egress { format!("{exporter} (egress)") } else { exporter.to_string() }
}
