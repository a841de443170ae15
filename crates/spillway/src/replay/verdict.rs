//! What rules do to packets, on the packets' own clock.

use base::{Span, Timestamp};
use rules::limit::{Fate, Limiter};
use rules::{Rule, RuleSet};
use telemetry::Record;
use wire::packet::Parsed;

use super::Findings;
use super::findings::Change;

/// How the rules of a replay act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Apply {
    /// Not at all
    #[default]
    None,
    /// As they would have: from detection and installation on, until their lease ends
    Live,
    /// The final rules, on the whole capture
    Whole,
}

/// Rules at work.
#[derive(Debug)]
pub struct Verdicts {
    plan: Vec<Change>,
    next: usize,
    delay: Span,
    active: Vec<Change>,
    /// Texts of the rules in `set`, to know a change from a renewed lease.
    texts: Vec<String>,
    set: RuleSet,
    limiter: Limiter,
    /// When a lease of the current set ends first.
    until: Timestamp,
    now: Timestamp,
}

/// A lease without end.
const FOREVER: Timestamp = Timestamp::from_nanos(u64::MAX);

impl Verdicts {
    /// For the second pass over a recording with these findings.
    pub fn new(apply: Apply, findings: &Findings, install_delay: Span) -> anyhow::Result<Self> {
        let plan = match apply {
            Apply::None => Vec::new(),
            Apply::Live => findings.changes(),
            Apply::Whole => {
                let rules = findings.final_rules().into_iter().map(|(text, _)| (text, FOREVER)).collect();
                vec![Change { at: Timestamp::ZERO, attack: String::new(), rules }]
            }
        };
        let set = RuleSet::new(Vec::new());
        let mut verdicts = Self {
            plan,
            next: 0,
            delay: if apply == Apply::Whole { Span::ZERO } else { install_delay },
            active: Vec::new(),
            texts: Vec::new(),
            limiter: Limiter::new(&set),
            set,
            until: FOREVER,
            now: Timestamp::ZERO,
        };
        verdicts.advance(Timestamp::ZERO)?;
        Ok(verdicts)
    }

    /// Whether the packet goes on. Time that jumps back is taken as standing still. A recording cannot tell who would
    /// have answered a challenge, so no effect is claimed for one; what is redirected is not lost.
    #[inline]
    pub fn passes(&mut self, at: Timestamp, packet: &Parsed<'_>) -> anyhow::Result<bool> {
        self.advance(at)?;
        Ok(self.limiter.judge(&self.set, self.now, packet).fate != Fate::Dropped)
    }

    /// As [`Self::passes`], for a sample or a flow: of a flow's packets only the common fields are known.
    pub fn passes_record(&mut self, record: &Record) -> anyhow::Result<bool> {
        let payload = record.snip.bytes();
        self.passes(record.at, &Parsed { headers: record.headers, payload, transport: &[], vlan: None })
    }

    #[inline]
    fn advance(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.now = self.now.max(at);
        let due = self.plan.get(self.next).is_some_and(|c| c.at.plus(self.delay) <= self.now);
        if due || self.until <= self.now { self.change() } else { Ok(()) }
    }

    #[cold]
    fn change(&mut self) -> anyhow::Result<()> {
        while let Some(change) = self.plan.get(self.next).filter(|c| c.at.plus(self.delay) <= self.now) {
            self.active.retain(|c| c.attack != change.attack);
            self.active.push(change.clone());
            self.next += 1;
        }
        for change in &mut self.active {
            change.rules.retain(|(_, until)| *until > self.now);
        }
        let all = || self.active.iter().flat_map(|c| &c.rules);
        self.until = all().map(|(_, until)| *until).min().unwrap_or(FOREVER);
        let texts: Vec<String> = all().map(|(text, _)| text.clone()).collect();
        if texts != self.texts {
            self.set = RuleSet::new(texts.iter().map(|text| parsed(text)).collect::<anyhow::Result<_>>()?);
            self.limiter = Limiter::new(&self.set);
            self.texts = texts;
        }
        Ok(())
    }
}

/// Rules of the engine's own making: what cannot be read back is a fault of ours, and is said as such.
fn parsed(text: &str) -> anyhow::Result<Rule> {
    text.parse().map_err(|e| {
        anyhow::Error::msg(format!("the derived rule `{text}` is not readable: {e}; please report this"))
    })
}
