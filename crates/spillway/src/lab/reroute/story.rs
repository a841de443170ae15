//! What is played: a diversion by hand, or attacks that the brain meets by itself until one victim has to be given up.

use std::time::{Duration, Instant};

use anyhow::bail;
use base::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::super::TAG;
use super::super::attack::{Gun, flood};
use super::super::enforce::attacks;
use super::super::process::Running;
use super::super::tools::{BASE, apt_line, missing};
use super::kills::Killed;
use super::map::{Map, Place};
use super::peace::Peace;
use super::stage::{Passed, Stage};
use super::victims::{VICTIMS, Victim};
use super::{CAPACITY, NAME};
use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// Programs beside those that every play needs.
const TOOLS: [&str; 4] = ["trafgen", "bird", "pmacctd", "nft"];
/// The brain has to see what is usual before it can tell what is not.
pub(super) const LEAD: Duration = Duration::from_secs(12);
/// How long what stands is measured.
const STANDS: Duration = Duration::from_secs(6);
/// What has not come about within this does not.
const WITHIN: Duration = Duration::from_secs(20);
/// An attack is over when nothing of it came for so long: whoever looks on does not wait for a minute, as operators do.
const QUIET: &str = "15s";
/// Then what holds is held, and tried.
const OVER_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at the brain's book.
const LOOK: Duration = Duration::from_millis(100);
/// Behind the IP header: large packets to a port where nobody listens.
const UDP: &str = "udp(sp=drnd(1024,65535), dp=9999), fill(0x41, 900)";
/// Packets a second that an absorber takes with ease, and with another attack cannot take.
pub(super) const RATES: [u32; 3] = [2_000, 2_000, 8_000];
/// What trafgen does at most, by itself.
const LENGTH: Duration = Duration::from_secs(120);

/// What is told while it goes on.
#[derive(Debug)]
pub enum News<'a> {
    /// Somebody says something: `lab` or `brain`.
    Says(&'static str, String),
    /// A phase was measured.
    Passed(&'a [Passed]),
    /// Somebody was killed, and this came of it.
    Killed(&'a Killed),
}

/// Who hears it.
pub(super) type Tell<'a> = &'a mut dyn FnMut(News<'_>) -> anyhow::Result<()>;

/// A play, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Rerouted {
    /// `reroute`.
    pub scenario: &'static str,
    /// Who diverted: `rules` (by hand) or `daemon`.
    pub by: &'static str,
    /// What visitors got, in the order of time.
    pub phases: Vec<Passed>,
    /// What became of each victim.
    pub victims: Vec<Fate>,
    /// What came to each absorber.
    pub absorbers: Vec<Load>,
    /// What the brain measured of its diversions, in its words.
    pub measured: Vec<String>,
    /// After the last attacker stopped, until nothing was diverted or given up any more, in milliseconds; `null`: it was not
    /// waited for.
    pub back_after_ms: Option<u64>,
}

/// What became of a victim.
#[derive(Clone, Debug, Serialize)]
pub struct Fate {
    /// Its name.
    pub victim: &'static str,
    /// What it is worth.
    pub value: u8,
    /// From the decision that it is attacked to the first packet at its absorber, in milliseconds: the later of both families.
    pub diverted_ms: Option<u64>,
    /// Likewise, to the first packet that the absorber dropped.
    pub filtered_ms: Option<u64>,
    /// Why it was given up, if it was.
    pub sacrificed: Option<String>,
    /// Packets that its absorber gave back.
    pub returned: u64,
    /// Packets that rules dropped there.
    pub filtered: u64,
    /// Packets that found no way back, did not fit, or went in a circle.
    pub lost: u64,
}

/// What came to an absorber.
#[derive(Clone, Debug, Serialize)]
pub struct Load {
    /// Its name.
    pub absorber: &'static str,
    /// What its link carries.
    pub capacity: &'static str,
    /// Most bits that came in a second.
    pub most_bps: u64,
    /// Packets that did not fit into its link.
    pub overflowed: u64,
    /// Packets that it gave back.
    pub returned: u64,
    /// Of them, those that came to the edge on their way to the customers.
    pub arrived: u64,
}

/// An operator diverts the first victim by hand, and takes it back.
///
/// # Errors
/// Without root or the tools, or when something does not stand.
pub fn by_hand(length: Duration, interrupt: &Interrupt, tell: Tell<'_>) -> anyhow::Result<Rerouted> {
    play("rules", interrupt, tell, |stage, phases, tell| {
        let part = (length / 3).max(Duration::from_secs(2));
        passed(stage.measure("before", part)?, phases, tell)?;
        let mut ids = Vec::new();
        for prefix in VICTIMS[0].prefixes() {
            let prefix = prefix.to_string();
            let why = ["--for", "10m", "--reason", "by hand"];
            let one = stage.brain.route(&[&["divert", &prefix][..], &why].concat())?;
            ids.push(one.get("id").and_then(Value::as_u64).unwrap_or_default().to_string());
            tell(News::Says("lab", format!("an operator diverts {prefix} ({})", VICTIMS[0].name)))?;
        }
        passed(stage.measure("diverted", part)?, phases, tell)?;
        for id in ids {
            stage.brain.route(&["withdraw", &id, "--reason", "by hand"])?;
        }
        tell(News::Says("lab", "the operator takes it back".to_owned()))?;
        passed(stage.measure("after", part)?, phases, tell)?;
        Ok(Told::default())
    })
}

/// The brain does all of it.
///
/// # Errors
/// Likewise.
pub fn by_itself(interrupt: &Interrupt, tell: Tell<'_>) -> anyhow::Result<Rerouted> {
    play("daemon", interrupt, tell, |stage, phases, tell| {
        passed(stage.measure("before", LEAD)?, phases, tell)?;
        let peace = Peace::of(stage)?;
        let mut told = Told::default();
        let mut attackers = Vec::new();
        for (victim, rate) in VICTIMS.into_iter().zip(RATES) {
            tell(News::Says("lab", format!("{} is attacked: {rate} packets a second", victim.name)))?;
            attackers.push(attack(stage, victim, rate, LENGTH)?);
            let began = Instant::now();
            let last = attackers.len() == VICTIMS.len();
            let done = |stage: &Stage<'_>| -> anyhow::Result<bool> {
                if last { Ok(sacrificed(stage, victim)?.is_some()) } else { Ok(is_filtered(stage, victim)) }
            };
            while !done(stage)? && began.elapsed() < WITHIN {
                agree(stage, victim, tell)?;
                stage.wait(LOOK)?;
            }
            passed(stage.told("attack", began, Instant::now())?, phases, tell)?;
            stage.check()?;
            let said = match sacrificed(stage, victim)? {
                Some(why) => {
                    told.sacrificed.push((victim.name, why.clone()));
                    format!("{} (value {}) is given up: {why}", victim.name, victim.value)
                }
                None if is_filtered(stage, victim) => {
                    let more = if last { " still" } else { "" };
                    format!("{} (value {}) is{more} diverted and filtered", victim.name, victim.value)
                }
                None => format!("{}: nothing has come about in {} s", victim.name, WITHIN.as_secs()),
            };
            tell(News::Says("brain", said))?;
            let name = if last { "sacrificed" } else { "diverted" };
            passed(stage.measure(name, STANDS)?, phases, tell)?;
        }
        told.detected = detected(stage)?;
        told.measured = measured(stage)?;
        drop(attackers);
        tell(News::Says("lab", "all attackers stop".to_owned()))?;
        let over = Instant::now();
        while !stage.brain.mitigations()?.is_empty() {
            if over.elapsed() > OVER_WITHIN {
                bail!("something is still in force {} s after the end", OVER_WITHIN.as_secs());
            }
            stage.wait(LOOK)?;
        }
        told.back_after_ms = Some(u64::try_from(over.elapsed().as_millis()).unwrap_or(u64::MAX));
        // Absorbers let go when what was on its way has come.
        while let Some(broken) = peace.broken(&Peace::of(stage)?) {
            if over.elapsed() > OVER_WITHIN {
                bail!("{} s after the end, not all is as it was: {broken}", OVER_WITHIN.as_secs());
            }
            stage.wait(LOOK)?;
        }
        tell(News::Says(
            "brain",
            "everything is as it was: routes, rules, what absorbers hold, the playbook".to_owned(),
        ))?;
        passed(stage.measure("after", STANDS / 2)?, phases, tell)?;
        Ok(told)
    })
}

/// What only the story knows.
#[derive(Default)]
struct Told {
    sacrificed: Vec<(&'static str, String)>,
    detected: Vec<(base::Prefix, Timestamp)>,
    measured: Vec<String>,
    back_after_ms: Option<u64>,
}

fn play(
    by: &'static str,
    interrupt: &Interrupt,
    tell: Tell<'_>,
    story: impl FnOnce(&mut Stage<'_>, &mut Vec<Passed>, Tell<'_>) -> anyhow::Result<Told>,
) -> anyhow::Result<Rerouted> {
    ready()?;
    // In this order, so that they go in the reverse one.
    let map = Map::build(TAG)?;
    let folder = Folder::new("spillway-lab")?;
    let mut stage = Stage::set(&map, &folder, QUIET, interrupt)?;
    let names: Vec<String> =
        VICTIMS.iter().map(|victim| format!("{} (value {})", victim.name, victim.value)).collect();
    tell(News::Says("lab", format!("visitors ask {} over IPv4 and IPv6", names.join(", "))))?;
    let mut phases = Vec::new();
    let told = story(&mut stage, &mut phases, tell)?;
    let victims = VICTIMS.into_iter().map(|victim| fate(&stage, victim, &told)).collect();
    let absorbers = (1..).zip(["absorber1", "absorber2"]);
    let absorbers = absorbers.map(|(n, name)| load(&stage, n, name)).collect::<anyhow::Result<_>>()?;
    let Told { measured, back_after_ms, .. } = told;
    Ok(Rerouted { scenario: NAME, by, phases, victims, absorbers, measured, back_after_ms })
}

/// An error where a program is missing.
pub(super) fn ready() -> anyhow::Result<()> {
    let needed: Vec<&str> = BASE.iter().chain(&TOOLS).copied().collect();
    let lacking = missing(Some(&needed));
    if !lacking.is_empty() {
        bail!("{NAME} needs more programs: {}", apt_line(&lacking));
    }
    Ok(())
}

fn passed(what: Vec<Passed>, phases: &mut Vec<Passed>, tell: Tell<'_>) -> anyhow::Result<()> {
    tell(News::Passed(&what))?;
    phases.extend(what);
    Ok(())
}

/// Attackers send to both addresses of a victim from whatever address, for so long at most.
pub(super) fn attack(
    stage: &Stage<'_>,
    victim: Victim,
    rate: u32,
    length: Duration,
) -> anyhow::Result<Running> {
    let gun = Gun {
        at: stage.map.at(Place::Attackers),
        interface: stage.map.interface("-at"),
        mac: stage.map.at(Place::Transit).mac(&stage.map.interface("-tat"))?,
        folder: stage.folder,
        length,
    };
    gun.evenly(victim.name, &flood(victim.addresses(), UDP), rate)
}

fn is_filtered(stage: &Stage<'_>, victim: Victim) -> bool {
    victim.prefixes().iter().all(|prefix| stage.watch.seen(prefix).dropped.is_some())
}

/// Where a diversion stands already, nobody measures what it does, and a person has to agree that a victim is given up: one does.
pub(super) fn agree(stage: &Stage<'_>, victim: Victim, tell: Tell<'_>) -> anyhow::Result<()> {
    for one in stage.brain.mitigations()?.iter().filter(|one| gives_up(one, victim, "proposed")) {
        let (id, reason) = (one.get("id").and_then(Value::as_u64), one.get("reason").and_then(Value::as_str));
        let (id, reason) = (id.unwrap_or_default().to_string(), reason.unwrap_or_default());
        tell(News::Says("brain", format!("asks for a person: {reason}")))?;
        stage.brain.route(&["approve", &id, "--as", "operator", "--reason", "the lab's operator agrees"])?;
    }
    Ok(())
}

/// Whether a mitigation is a blackhole of a victim's, in this state.
fn gives_up(one: &Value, victim: Victim, state: &str) -> bool {
    let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
    let of = |what: base::Prefix| victim.prefixes().iter().any(|prefix| prefix.covers(&what));
    text("class") == "blackhole" && text("state") == state && text("what").parse().is_ok_and(of)
}

/// Why a victim is given up, once both its addresses are.
pub(super) fn sacrificed(stage: &Stage<'_>, victim: Victim) -> anyhow::Result<Option<String>> {
    let all = stage.brain.mitigations()?;
    let of: Vec<&Value> = all.iter().filter(|one| gives_up(one, victim, "active")).collect();
    let why = of.first().and_then(|one| one.get("reason")?.as_str().map(str::to_owned));
    Ok(why.filter(|_| of.len() >= victim.prefixes().len()))
}

/// What the journal says of what diversions do.
fn measured(stage: &Stage<'_>) -> anyhow::Result<Vec<String>> {
    let history = stage.brain.route(&["history", "--limit", "1000"])?;
    let lines = history.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = lines.iter().filter(|line| line.get("event").is_some_and(|event| event == "measured"));
    Ok(of.filter_map(|line| Some(line.get("reason")?.as_str()?.to_owned())).collect())
}

/// Targets, and when the brain knew.
fn detected(stage: &Stage<'_>) -> anyhow::Result<Vec<(base::Prefix, Timestamp)>> {
    let all = attacks(&stage.map.at(Place::Brain), &stage.brain.daemon)?;
    Ok(all.into_iter().map(|attack| (attack.target, attack.detected_at)).collect())
}

fn fate(stage: &Stage<'_>, victim: Victim, told: &Told) -> Fate {
    let seen = victim.prefixes().map(|prefix| {
        let known = told.detected.iter().filter(|(target, _)| prefix.covers(target));
        (known.map(|(_, at)| *at).min(), stage.watch.seen(&prefix))
    });
    let later = |of: fn(&super::watch::Seen) -> Option<Timestamp>| {
        let after = seen.iter().map(|(known, seen)| Some(of(seen)?.since((*known)?).nanos() / 1_000_000));
        after.collect::<Option<Vec<u64>>>().and_then(|all| all.into_iter().max())
    };
    let sum = |of: fn(&super::watch::Seen) -> u64| seen.iter().map(|(_, seen)| of(seen)).sum();
    let sacrificed = told.sacrificed.iter().find(|(name, _)| *name == victim.name);
    Fate {
        victim: victim.name,
        value: victim.value,
        diverted_ms: later(|seen| seen.came),
        filtered_ms: later(|seen| seen.dropped),
        sacrificed: sacrificed.map(|(_, why)| why.clone()),
        returned: sum(|seen| seen.returned),
        filtered: sum(|seen| seen.filtered),
        lost: sum(|seen| seen.lost),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate above 0")]
fn load(stage: &Stage<'_>, number: u8, absorber: &'static str) -> anyhow::Result<Load> {
    let port = stage.map.interface(&format!("-xa{number}"));
    let text = stage.map.at(Place::Exchange).run("tc", &["-s", "qdisc", "show", "dev", &port])?;
    let word = text.split_once("dropped ").and_then(|(_, rest)| rest.split([',', ' ']).next());
    let of = VICTIMS.into_iter().filter(|victim| victim.absorber == number).flat_map(Victim::prefixes);
    let returned = of.map(|prefix| stage.watch.seen(&prefix).returned).sum();
    let arrived = super::edge::returned(stage.map, number)?;
    Ok(Load {
        returned,
        arrived,
        absorber,
        capacity: CAPACITY,
        most_bps: stage.watch.most_bps(usize::from(number).saturating_sub(1)) as u64,
        overflowed: word.and_then(|word| word.parse().ok()).unwrap_or_default(),
    })
}
