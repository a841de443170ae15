//! When a mitigation ends: on evidence, later each time that the attack came back, and never so often that it flaps.
//!
//! An attack that comes back as soon as nobody filters it doubles the time that the next release waits: 5, 10, 20
//! minutes and so on. Only time in which somebody looked and saw quiet counts; silence is not recovery. Where a measure
//! hides what it stops (a blackhole upstream), a part is let through first, and the rest only when that part is quiet.
//!
//! **Invariant:** in no hour are there more changes than [`Settings::per_hour`], whatever the attacker does. A release is
//! made only where the hour has room for it and for all that may have to be taken back after it; taking back never waits.

use std::collections::VecDeque;

use base::{Prefix, Span, Timestamp};
use rules::{Action, Match, Per, Rule};
use serde::{Deserialize, Serialize};

const HOUR: Span = Span::from_secs(3600);
/// Doublings at most; more would not fit a day.
const DOUBLINGS_MAX: u32 = 16;
/// A probe that has shown nothing for so many times its length is ended.
const PROBE_PATIENCE: u64 = 5;

/// How long things are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Quiet that the first release waits for.
    pub first: Span,
    /// The longest that a release waits for.
    pub longest: Span,
    /// So long after a release without an attack, the doublings are forgotten.
    pub forget: Span,
    /// Quiet that a partial release has to show.
    pub probe: Span,
    /// The most that one look at quiet stands for: who looks less often, waits longer.
    pub look: Span,
    /// Changes within an hour at most: the first enforcement, each partial and whole release, each restoration.
    pub per_hour: usize,
    /// Changes that may follow a release at once, when it has to be taken back.
    pub back: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            first: Span::from_secs(300),
            longest: Span::from_secs(4 * 3600),
            forget: Span::from_secs(86_400),
            probe: Span::from_secs(60),
            look: Span::from_secs(30),
            per_hour: 10,
            back: 1,
        }
    }
}

/// What a look at the target showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The attack goes on, or would if nobody stopped it.
    Attack,
    /// Somebody who would see it sees none.
    Quiet,
    /// Nobody who would see it was heard.
    Blind,
}

/// Whether an attack can be seen while it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What is dropped is counted or exported.
    Open,
    /// What is dropped is not seen by anybody: a blackhole upstream.
    Hidden,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Let a part through, and look: a rate (see [`part`]), or the withdrawal at one neighbour of several.
    Probe,
    /// End it.
    Release,
    /// All of it again.
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Held,
    Probing,
    Released,
}

/// One mitigation's hold. It is written down and read again as it is, so that a restart forgets no doubling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    settings: Settings,
    view: View,
    state: State,
    /// Time of quiet seen in this state; where the view is hidden and it is held, time without an attack told.
    quiet: Span,
    /// How long this state has been looked at.
    looked: Span,
    last: Timestamp,
    /// How often the hold was doubled.
    doublings: u32,
    /// How long it was looked at since the last release, if nothing came back since.
    eased: Option<Span>,
    /// The changes within the last hour.
    changes: VecDeque<Timestamp>,
}

impl Hold {
    /// A measure that was put in force just now.
    pub fn new(now: Timestamp, view: View, settings: Settings) -> Self {
        let per_hour = settings.per_hour.max(settings.back + 3);
        Self {
            settings: Settings { per_hour, look: settings.look.max(Span::from_millis(1)), ..settings },
            view,
            state: State::Held,
            quiet: Span::ZERO,
            looked: Span::ZERO,
            last: now,
            doublings: 0,
            eased: None,
            changes: VecDeque::from([now]),
        }
    }

    /// Takes in a look, and says what is to be done.
    pub fn handle(&mut self, now: Timestamp, evidence: Evidence) -> Option<Change> {
        let stands = now.since(self.last).min(self.settings.look);
        self.last = self.last.max(now);
        self.looked = plus(self.looked, stands);
        if self.state == State::Held || evidence == Evidence::Quiet {
            self.eased = self.eased.map(|eased| plus(eased, stands));
        }
        match (self.state, evidence) {
            (State::Held, Evidence::Attack) => {
                self.quiet = Span::ZERO;
                None
            }
            (State::Probing | State::Released, Evidence::Attack) => self.restore(now),
            (State::Held, _) => {
                let counts = self.view == View::Hidden || evidence == Evidence::Quiet;
                self.quiet = plus(self.quiet, if counts { stands } else { Span::ZERO });
                (self.quiet >= self.wait()).then(|| self.open(now)).flatten()
            }
            (State::Probing, _) => {
                let counts = evidence == Evidence::Quiet;
                self.quiet = plus(self.quiet, if counts { stands } else { Span::ZERO });
                if self.quiet >= self.settings.probe {
                    return Some(self.release(now));
                }
                let waited = self.looked >= self.settings.probe.times(PROBE_PATIENCE);
                waited.then(|| self.restore(now)).flatten()
            }
            (State::Released, _) => None,
        }
    }

    /// Whoever looks begins to look again after a restart: meanwhile nobody looked, and that is no time of quiet.
    pub fn wake(&mut self, now: Timestamp) {
        self.last = self.last.max(now);
    }

    /// Something stronger was put in force: that is a change, and the time of quiet begins anew.
    pub fn raise(&mut self, now: Timestamp, view: View) {
        self.view = view;
        self.double();
        self.turn(now, State::Held, Change::Restore);
    }

    /// Of what was released, something gentler stays in force and is held now.
    pub fn stay(&mut self, view: View) {
        self.view = view;
        (self.state, self.quiet, self.looked) = (State::Held, Span::ZERO, Span::ZERO);
    }

    /// Quiet that the next release waits for.
    pub fn wait(&self) -> Span {
        let factor = 1_u64 << self.doublings.min(DOUBLINGS_MAX);
        self.settings.first.times(factor).min(self.settings.longest.max(self.settings.first))
    }

    /// Whether it is released and was quiet for so long that nothing of it needs to be remembered.
    pub fn is_forgotten(&self) -> bool {
        self.state == State::Released && self.was_good()
    }

    /// Whether it is in force, in whole or in part.
    pub fn is_held(&self) -> bool {
        self.state != State::Released
    }

    /// Whether only a part is let through.
    pub fn is_probing(&self) -> bool {
        self.state == State::Probing
    }

    /// Says how it stands.
    pub fn explain(&self) -> String {
        match self.state {
            State::Held => format!("held: quiet for {} of {}", self.quiet, self.wait()),
            State::Probing => {
                format!("a part is let through: quiet for {} of {}", self.quiet, self.settings.probe)
            }
            State::Released => {
                format!("released: an attack that comes back is held for {} of quiet", self.wait())
            }
        }
    }

    fn open(&mut self, now: Timestamp) -> Option<Change> {
        let follow = usize::from(self.view == View::Hidden);
        if self.recent(now) + 1 + follow + self.settings.back > self.settings.per_hour {
            return None;
        }
        Some(match self.view {
            View::Open => self.release(now),
            View::Hidden => self.turn(now, State::Probing, Change::Probe),
        })
    }

    fn release(&mut self, now: Timestamp) -> Change {
        self.eased = Some(Span::ZERO);
        self.turn(now, State::Released, Change::Release)
    }

    fn restore(&mut self, now: Timestamp) -> Option<Change> {
        if self.state == State::Probing {
            self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
        } else {
            self.double();
        }
        Some(self.turn(now, State::Held, Change::Restore))
    }

    /// What was released is needed again: it is held for longer, unless it was good for long enough.
    fn double(&mut self) {
        if self.was_good() {
            self.doublings = 0;
        } else if self.eased.is_some() {
            self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
        }
        self.eased = None;
    }

    fn was_good(&self) -> bool {
        self.eased.is_some_and(|eased| eased >= self.settings.forget)
    }

    fn turn(&mut self, now: Timestamp, state: State, change: Change) -> Change {
        self.state = state;
        (self.quiet, self.looked) = (Span::ZERO, Span::ZERO);
        let _ = self.recent(now);
        self.changes.push_back(now);
        // Raising is somebody else's decision; what it adds beyond the bound is not remembered.
        while self.changes.len() > self.settings.per_hour {
            self.changes.pop_front();
        }
        change
    }

    fn recent(&mut self, now: Timestamp) -> usize {
        let hour_ago = now.minus(HOUR);
        while self.changes.front().is_some_and(|then| *then <= hour_ago) {
            self.changes.pop_front();
        }
        self.changes.len()
    }
}

/// A rule that lets a part through: `bits` a second of all that goes to `prefix`, for routers that filter by rules while the
/// blackhole is withdrawn.
pub fn part(id: &str, prefix: Prefix, bits: base::units::BitRate, lease: Span) -> Rule {
    Rule {
        id: id.to_owned(),
        precedence: 0,
        matches: Match { dst: Some(prefix), ..Match::default() },
        action: Action::RateBits(bits.0),
        per: Per::Rule,
        sample: None,
        lease: Some(lease),
    }
}

const fn plus(a: Span, b: Span) -> Span {
    Span::from_nanos(a.nanos().saturating_add(b.nanos()))
}
