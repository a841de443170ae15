//! Brain, absorbers and routers are killed at drawn instants while attacks come and go: what outlives them, who is served
//! meanwhile, and whether all is again as the brain's book has it.

pub(crate) mod plan;
mod standing;
mod strike;
mod visitors;

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;

use self::plan::{Kill, Moment};
use super::super::TAG;
use super::super::process::Running;
use super::map::Map;
use super::stage::Stage;
use super::story::{LEAD, News, Tell, agree, attack, ready, sacrificed};
use super::victims::{VICTIMS, Victim};
use super::{NAME, story};
use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// What trafgen does at most, by itself: no round takes longer.
const LENGTH: Duration = Duration::from_secs(900);
/// What has not come about within this does not.
const WITHIN: Duration = Duration::from_secs(40);
/// The brain's default: a part that stays dead for long is no end of an attack.
const QUIET: &str = "60s";
/// After the attackers stopped, until nothing is in force.
const OVER_WITHIN: Duration = Duration::from_secs(180);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// The moments of a round in the order of time.
const ROUND: [Moment; 9] = [
    Moment::Peace,
    Moment::Begins(0),
    Moment::Diverted(1),
    Moment::Begins(1),
    Moment::Diverted(2),
    Moment::Begins(2),
    Moment::Sacrificed,
    Moment::Released,
    Moment::After,
];

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Ordeal {
    /// `reroute`.
    pub scenario: &'static str,
    /// From which instants and parts were drawn.
    pub seed: u64,
    /// Each that was killed, in the order of time.
    pub kills: Vec<Killed>,
    /// Kills after which a promise was broken.
    pub broken: usize,
    /// The longest that visitors of kept victims waited until they were served again.
    pub back_ms_max: Option<u64>,
    /// The longest from a start again until all was as the brain's book has it.
    pub settled_ms_max: Option<u64>,
}

/// One that was killed.
#[derive(Clone, Debug, Serialize)]
pub struct Killed {
    /// Its number, from 1.
    pub number: usize,
    /// What went on: `peace`, `begins`, `diverted`, `sacrificed`, `released` or `after`.
    pub moment: &'static str,
    /// So long after that began, or after the last one was over.
    pub after_ms: u64,
    /// Who.
    pub part: &'static str,
    /// Until it was started again.
    pub dead_ms: u64,
    /// While it was dead: from the kill until no route was left that led by it, by edge; `null`: one was left, or none was there.
    pub gone_ms: [Option<u64>; 2],
    /// From its start again until sessions, routes and filters were as the brain's book has them; `null`: they were not.
    pub settled_ms: Option<u64>,
    /// Until visitors of kept victims were served for good: from the kill, or from the start again of what was left dead for
    /// longer. `null`: they were not.
    pub back_ms: Option<u64>,
    /// Requests of those visitors meanwhile.
    pub requests: usize,
    /// Of them, those that were not answered.
    pub lost: usize,
    /// Promises that were broken.
    pub broken: Vec<String>,
}

/// Kills so many, drawn from a seed.
///
/// # Errors
/// Without root or the tools, when something does not start, or when it is interrupted.
pub fn killed(count: usize, seed: u64, interrupt: &Interrupt, tell: Tell<'_>) -> anyhow::Result<Ordeal> {
    ready()?;
    let mut kills = Vec::new();
    for round in plan::plan(count, seed) {
        // In this order, so that they go in the reverse one.
        let map = Map::build(TAG)?;
        let folder = Folder::new("spillway-lab")?;
        let stage = Stage::set(&map, &folder, QUIET, interrupt)?;
        Field { stage, moment: 0, since: Instant::now(), attackers: Vec::new(), broken: Vec::new() }
            .round(&round, &mut kills, tell)?;
    }
    let most = |of: fn(&Killed) -> Option<u64>| kills.iter().filter_map(of).max();
    Ok(Ordeal {
        scenario: NAME,
        seed,
        broken: kills.iter().filter(|one| !one.broken.is_empty()).count(),
        back_ms_max: most(|one| one.back_ms),
        settled_ms_max: most(|one| one.settled_ms),
        kills,
    })
}

/// A round, as it goes on.
struct Field<'a> {
    stage: Stage<'a>,
    /// By its place in [`ROUND`], and since when.
    moment: usize,
    since: Instant,
    attackers: Vec<Running>,
    /// What came about between kills, and should not.
    broken: Vec<String>,
}

impl Field<'_> {
    fn round(mut self, kills: &[Kill], done: &mut Vec<Killed>, tell: Tell<'_>) -> anyhow::Result<()> {
        self.stage.wait(LEAD)?;
        self.since = Instant::now();
        for kill in kills {
            while self.now() != kill.moment {
                self.go_on(tell)?;
            }
            self.stage.wait((self.since + kill.after).saturating_duration_since(Instant::now()))?;
            let mut killed = strike::strike(&mut self, *kill, done.len() + 1, tell)?;
            killed.broken.append(&mut self.broken);
            tell(News::Killed(&killed))?;
            done.push(killed);
            // Instants count from when the last one was over, where nothing else has begun.
            if !matches!(kill.moment, Moment::Begins(_) | Moment::Released) {
                self.since = Instant::now();
            }
        }
        // What is taken back is waited for where that has begun.
        while self.now() >= Moment::Released && self.moment + 1 < ROUND.len() {
            self.go_on(tell)?;
        }
        if let Some(last) = done.last_mut() {
            last.broken.append(&mut self.broken);
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        ROUND.get(self.moment).copied().unwrap_or(Moment::After)
    }

    /// Victims that are attacked and kept.
    fn kept(&self) -> &'static [Victim] {
        let (kept, _) = VICTIMS.split_at(VICTIMS.len() - 1);
        kept.get(..self.attackers.len().min(kept.len())).unwrap_or(kept)
    }

    /// The victim that is attacked and given up.
    fn given_up(&self) -> Option<Victim> {
        VICTIMS.last().copied().filter(|_| self.attackers.len() == VICTIMS.len())
    }

    /// Brings about the next moment.
    fn go_on(&mut self, tell: Tell<'_>) -> anyhow::Result<()> {
        self.moment += 1;
        match self.now() {
            Moment::Begins(place) => {
                let Some((victim, rate)) = VICTIMS.get(place).zip(story::RATES.get(place)) else {
                    bail!("no victim {place}");
                };
                tell(News::Says("lab", format!("{} is attacked: {rate} packets a second", victim.name)))?;
                self.attackers.push(attack(&self.stage, *victim, *rate, LENGTH)?);
            }
            Moment::Diverted(_) | Moment::Sacrificed => {
                let began = Instant::now();
                let mut meter = strike::Meter::new(self);
                while let Err(why) = meter.look(self, tell)? {
                    if began.elapsed() > WITHIN {
                        self.broken.push(format!("{}: {why}", self.now().name()));
                        break;
                    }
                    self.stage.wait(LOOK)?;
                }
            }
            Moment::Released => {
                self.attackers.clear();
                tell(News::Says("lab", "all attackers stop".to_owned()))?;
            }
            Moment::Peace | Moment::After => {
                let began = Instant::now();
                while !self.stage.brain.mitigations()?.is_empty() {
                    if began.elapsed() > OVER_WITHIN {
                        self.broken.push("something is still in force long after the end".to_owned());
                        break;
                    }
                    self.stage.wait(LOOK)?;
                }
                tell(News::Says("brain", "everything is as it was".to_owned()))?;
            }
        }
        self.since = Instant::now();
        Ok(())
    }

    /// The lab's operator agrees that the last victim is given up.
    fn operate(&self, tell: Tell<'_>) -> anyhow::Result<bool> {
        let Some(victim) = self.given_up() else { return Ok(true) };
        agree(&self.stage, victim, tell)?;
        Ok(sacrificed(&self.stage, victim)?.is_some())
    }
}
