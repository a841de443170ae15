//! One kill, and what comes of it.

use std::time::{Duration, Instant};

use super::super::super::honest::PATIENCE;
use super::super::brain::{LEASE_SECS, SILENCE_SECS, keeps_secs};
use super::super::routes::led;
use super::super::story::Tell;
use super::super::victims::{VICTIMS, Victim};
use super::plan::{Kill, Moment, Part, long};
use super::standing::{agrees, listed};
use super::visitors::back;
use super::{Field, Killed, LOOK};

/// Visitors of kept victims are served again within this.
const BACK: Duration = Duration::from_secs(10);
/// All is as the brain's book has it within this.
const SETTLED: Duration = Duration::from_secs(30);
/// What one looks at is so old at most; and a program needs some time for what is due.
const SLACK: Duration = Duration::from_secs(1);
/// Between two looks at routes.
const TURN: Duration = Duration::from_millis(50);

/// Kills one, starts it again, and tells what came of it.
pub(super) fn strike(
    field: &mut Field<'_>,
    kill: Kill,
    number: usize,
    tell: Tell<'_>,
) -> anyhow::Result<Killed> {
    let after = field.since.elapsed();
    let hit = Instant::now();
    field.stage.kill(kill.part)?;
    let mut broken = Vec::new();
    let gone = dead(field, kill, hit, &mut broken, tell)?;
    let again = Instant::now();
    field.stage.again(kill.part)?;
    let settled = settle(field, again, tell)?;
    let from = if kill.dead < long(kill.part) { hit } else { again };
    let served = served(field, kill, hit, from)?;
    if let Err(why) = &settled {
        broken.push(format!("{} s after it was started again: {why}", SETTLED.as_secs()));
    }
    if served.back.is_none_or(|back| back > BACK) {
        broken.push(format!("visitors of {} were not back within {} s", served.worst, BACK.as_secs()));
    }
    Ok(Killed {
        number,
        moment: kill.moment.name(),
        after_ms: millis(after),
        part: kill.part.name(),
        dead_ms: millis(again - hit),
        gone_ms: gone.map(|gone| gone.map(millis)),
        settled_ms: settled.ok().map(millis),
        back_ms: served.back.map(millis),
        requests: served.requests,
        lost: served.lost,
        broken,
    })
}

/// What is to be seen while it is dead: when the last route that led by it went, at each edge.
fn dead(
    field: &Field<'_>,
    kill: Kill,
    hit: Instant,
    broken: &mut Vec<String>,
    tell: Tell<'_>,
) -> anyhow::Result<[Option<Duration>; 2]> {
    let mut gone = [None; 2];
    let mut left = [String::new(), String::new()];
    let mut had = [false; 2];
    while hit.elapsed() < kill.dead {
        if !matches!(kill.part, Part::Brain) {
            field.operate(tell)?;
        }
        for (((edge, gone), left), had) in (1..).zip(&mut gone).zip(&mut left).zip(&mut had) {
            let mut there = led(field.stage.map, edge)?;
            match kill.part {
                Part::Brain => {}
                Part::Absorber(number) => there.retain(|led| {
                    let of = |victim: &&Victim| victim.absorber == number;
                    let mut of = VICTIMS.iter().filter(of).flat_map(|victim| victim.prefixes());
                    !led.discards && of.any(|whole| whole.covers(&led.prefix))
                }),
                Part::Edge(_) => continue,
            }
            if there.is_empty() {
                // None that was there before is none that went.
                *gone = gone.or_else(|| had.then(|| hit.elapsed()));
                left.clear();
            } else {
                (*had, *gone, *left) = (true, None, listed(&there));
            }
        }
        field.stage.wait(TURN.min(kill.dead.saturating_sub(hit.elapsed())))?;
    }
    for (((edge, gone), left), had) in (1..).zip(&gone).zip(&left).zip(&had) {
        let promised = match kill.part {
            Part::Brain => Duration::from_secs(keeps_secs(edge)),
            Part::Absorber(_) => Duration::from_secs(SILENCE_SECS) + SLACK,
            Part::Edge(_) => continue,
        };
        let late = gone.map_or(kill.dead > promised + SLACK, |gone| gone > promised + SLACK);
        if *had && late {
            let after = gone.map_or_else(|| "it was".to_owned(), |gone| format!("{} ms", millis(gone)));
            broken.push(format!(
                "edge{edge} kept {left} for {after} dead; {} ms were promised",
                millis(promised)
            ));
        }
    }
    if kill.part == Part::Brain && kill.dead > Duration::from_secs(LEASE_SECS) + SLACK * 2 {
        for number in [1, 2] {
            let rules = field.stage.rules_at(number)?;
            if rules > 0 {
                broken.push(format!("absorber{number} has {rules} rules longer than their lease"));
            }
        }
    }
    Ok(gone)
}

/// Waits until all is as the brain's book has it, and how long that took; or why it is not.
fn settle(field: &Field<'_>, again: Instant, tell: Tell<'_>) -> anyhow::Result<Result<Duration, String>> {
    let mut meter = Meter::new(field);
    loop {
        match meter.look(field, tell)? {
            Ok(()) => return Ok(Ok(again.elapsed())),
            Err(why) if again.elapsed() > SETTLED => return Ok(Err(why)),
            Err(_) => field.stage.wait(LOOK)?,
        }
    }
}

/// Whether what is attacked is diverted and filtered, or given up, and all else as the book has it.
pub(super) struct Meter {
    /// What each prefix had dropped before.
    before: Vec<(base::Prefix, u64)>,
}

impl Meter {
    pub(super) fn new(field: &Field<'_>) -> Self {
        let of = |prefix| (prefix, field.stage.watch.seen(&prefix).filtered);
        Self { before: field.kept().iter().flat_map(|victim| victim.prefixes()).map(of).collect() }
    }

    /// `Err`: why not.
    pub(super) fn look(&mut self, field: &Field<'_>, tell: Tell<'_>) -> anyhow::Result<Result<(), String>> {
        let given_up = field.operate(tell)?;
        if let Err(why) = agrees(&field.stage)? {
            return Ok(Err(why));
        }
        for (prefix, before) in &mut self.before {
            let now = field.stage.watch.seen(prefix).filtered;
            // A set that was replaced counts anew.
            *before = (*before).min(now);
            if now == *before {
                return Ok(Err(format!("nothing to {prefix} is filtered")));
            }
        }
        Ok(if given_up { Ok(()) } else { Err("the last victim is not given up".to_owned()) })
    }
}

/// How visitors fared.
struct Served {
    back: Option<Duration>,
    worst: &'static str,
    requests: usize,
    lost: usize,
}

fn served(field: &Field<'_>, kill: Kill, hit: Instant, from: Instant) -> anyhow::Result<Served> {
    let kept = match kill.moment {
        Moment::Begins(2) | Moment::Sacrificed | Moment::Released => VICTIMS.len() - 1,
        _ => VICTIMS.len(),
    };
    loop {
        // Later requests may have no outcome yet.
        let to = Instant::now().checked_sub(PATIENCE * 5 / 4).unwrap_or(hit);
        let mut all = Served { back: Some(Duration::ZERO), worst: "nobody", requests: 0, lost: 0 };
        for (victim, outcomes) in field.stage.outcomes(hit, to).take(kept) {
            let back = back(&outcomes, from, to);
            all.requests += outcomes.len();
            all.lost += outcomes.iter().filter(|one| !one.answered).count();
            if back.is_none() || all.back.is_some_and(|worst| back > Some(worst)) {
                (all.back, all.worst) = (back, victim);
            }
        }
        let seen = to.saturating_duration_since(from);
        if (all.back.is_some() && seen > SLACK) || seen > BACK + SLACK {
            return Ok(all);
        }
        field.stage.wait(LOOK)?;
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
