//! Where an attack stands on the ladder: up at once, down slowly, and never up and down all the time.

use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Choice, Mode, Step};
use crate::hold::{Change, Evidence, Hold, Settings, View};

/// Changes that may follow a release: all four steps, one after the other.
const STEPS: usize = 4;
/// Changes within an hour: an attack's own, and up and down again for each of four losses of what takes it (an absorber, a router).
const PER_HOUR: usize = 2 * STEPS + 2 * 4;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take this step; lower ones stay.
    Take(Step),
    /// Let a part of what this step stops through, and look.
    Probe(Step),
    /// End all above this step; `None`: end all.
    Lower(Option<Step>),
}

/// What is known at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What is chosen now.
    pub choice: &'a Choice,
    /// A person agreed to it.
    pub agreed: bool,
    /// The attack goes on, as far as anybody sees.
    pub attacked: bool,
    /// Its end would be seen: its witnesses are heard, and not all of it is hidden by a blackhole.
    pub seen: bool,
    /// How large it is shows, whatever stops it: it is told of before.
    pub sized: bool,
}

/// One attack on the ladder. It is written down and read again as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Climb {
    settings: Settings,
    /// The highest step that is in force.
    at: Option<Step>,
    /// Since something was in force for the first time.
    hold: Option<Hold>,
}

impl Climb {
    /// Nothing is in force.
    pub fn new(settings: Settings) -> Self {
        let back = STEPS.max(settings.back);
        let per_hour = settings.per_hour.max(PER_HOUR).max(back + STEPS);
        Self { settings: Settings { back, per_hour, ..settings }, at: None, hold: None }
    }

    /// This step is in force since an earlier run, of which nothing else is known.
    pub fn resumed(now: Timestamp, step: Step, settings: Settings) -> Self {
        let mut climb = Self::new(settings);
        let _ = climb.raise(now, Some(step));
        climb
    }

    /// See [`Hold::wake`].
    pub fn wake(&mut self, now: Timestamp) {
        if let Some(hold) = &mut self.hold {
            hold.wake(now);
        }
    }

    /// Takes in a look, and says what is to be done.
    pub fn handle(&mut self, now: Timestamp, look: &Look<'_>) -> Option<Order> {
        let Look { choice, agreed, attacked, seen, sized } = *look;
        let may = agreed || (choice.mode == Mode::Enforce && !choice.person);
        let wanted = choice.plan.as_ref().map(|plan| plan.step).filter(|_| attacked);
        if wanted > self.at && may {
            return self.raise(now, wanted);
        }
        let hold = self.hold.as_mut()?;
        let Some(at) = self.at else {
            // Time without an attack makes the next hold short again; what comes back is raised above.
            let calm = seen && !attacked;
            hold.handle(now, if calm { Evidence::Quiet } else { Evidence::Blind });
            return None;
        };
        // A part that is let through shows whether it goes on, but not how large it is.
        let shows = sized || !hold.is_probing();
        let is_less = !attacked || (shows && wanted.is_some_and(|wanted| wanted < at));
        let evidence = match (seen, is_less) {
            (false, _) => Evidence::Blind,
            (true, true) => Evidence::Quiet,
            (true, false) => Evidence::Attack,
        };
        // Where a gentler step suffices, there is nothing to try: the attack goes on, and that step meets it.
        let gentler = wanted.filter(|wanted| attacked && *wanted < at);
        match hold.handle(now, evidence)? {
            Change::Probe if gentler.is_some() => {
                self.at = gentler;
                hold.stay(view(gentler));
                Some(Order::Lower(gentler))
            }
            Change::Probe => Some(Order::Probe(at)),
            Change::Restore => Some(Order::Take(at)),
            Change::Release => {
                self.at = wanted.filter(|wanted| *wanted < at);
                if self.at.is_some() {
                    hold.stay(view(self.at));
                }
                Some(Order::Lower(self.at))
            }
        }
    }

    /// The highest step in force.
    pub const fn at(&self) -> Option<Step> {
        self.at
    }

    /// Whether nothing of it needs to be remembered.
    pub fn is_forgotten(&self) -> bool {
        self.at.is_none() && self.hold.as_ref().is_none_or(Hold::is_forgotten)
    }

    /// Says how it stands.
    pub fn explain(&self) -> String {
        let at = self.at.map_or("nothing in force", Step::as_str);
        self.hold.as_ref().map_or_else(|| at.to_owned(), |hold| format!("{at}, {}", hold.explain()))
    }

    /// Quiet that the next step down waits for.
    pub fn wait(&self) -> Span {
        self.hold.as_ref().map_or(self.settings.first, Hold::wait)
    }

    fn raise(&mut self, now: Timestamp, wanted: Option<Step>) -> Option<Order> {
        self.at = wanted;
        match &mut self.hold {
            Some(hold) => hold.raise(now, view(wanted)),
            None => self.hold = Some(Hold::new(now, view(wanted), self.settings)),
        }
        wanted.map(Order::Take)
    }
}

/// Whether what a step stops is still seen.
const fn view(step: Option<Step>) -> View {
    match step {
        Some(Step::Blackhole | Step::Diversion) => View::Hidden,
        Some(Step::Kernel | Step::Flowspec) | None => View::Open,
    }
}
