//! Fire drills: which are to be run, one after the other, and what became of them.

use std::collections::VecDeque;

use api::metrics;
use base::Prefix;
use steer::drill::{Drill, Log, Plan, Record, Witness};
use steer::rails::Class;
use store::{Drilled, Journal, Line};

use super::drilling::Running;
use super::{Clerk, express, text};
use crate::config::Router;
use crate::routing::order::{self, Answer, Caller, Drills as Wanted, Progress};

/// Lines of progress that are kept of one order; a drill has about six.
const LINES_MAX: usize = 4096;
/// What the reason of a drill's mitigation begins with.
pub(super) const REASON: &str = "fire drill";

/// The drills of the last order, and what all drills before showed.
#[derive(Debug, Default)]
pub(super) struct Drills {
    pub(super) log: Log,
    pub(super) caller: Option<Caller>,
    pub(super) reason: String,
    /// While attacks go on, too.
    pub(super) anyway: bool,
    queue: VecDeque<Plan>,
    pub(super) running: Option<Running>,
    lines: Vec<String>,
    /// Of the last order.
    records: Vec<order::Drilled>,
    /// Drills of the last order that showed nothing, for a reason that is not the neighbour's.
    unfinished: usize,
}

impl Drills {
    /// What the journal knows of the past.
    pub(super) fn of(journal: &Journal) -> Result<Self, store::StoreError> {
        let mut log = Log::default();
        for one in journal.drills()?.iter().rev() {
            // A line of a build that knew more is skipped.
            if let Some(record) = record(one) {
                log.note(record);
            }
        }
        Ok(Self { log, ..Self::default() })
    }

    pub(super) fn say(&mut self, line: String) {
        tracing::info!(line, "drill");
        if self.lines.len() < LINES_MAX {
            self.lines.push(line);
        }
    }

    /// Whether something is to be done soon.
    pub(super) fn busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }
}

impl Clerk {
    /// How all drills before went: the ladder's input.
    pub(in crate::routing) const fn drilled(&self) -> &Log {
        &self.drills.log
    }

    /// Drills of a neighbour, for people.
    pub(super) fn drills_at(&self, name: &str) -> Vec<order::Drilled> {
        self.drilled().all().filter(|record| record.neighbor == name).map(document).collect()
    }

    /// All of them, newest first.
    pub(super) fn drill_list(&self) -> Answer {
        let mut all: Vec<&Record> = self.drills.log.all().collect();
        all.sort_by_key(|record| std::cmp::Reverse(record.at));
        Answer::Drills(all.into_iter().map(document).collect())
    }

    /// Takes an order: the drills begin with the next turn.
    pub(super) fn begin_drills(&mut self, caller: &Caller, wanted: Wanted) -> Result<Answer, String> {
        if self.drills.busy() {
            return Err("a drill runs already: wait for its end, or `spillway drill --stop`".to_owned());
        }
        if self.book.is_frozen() {
            return Err("announcements are frozen: `spillway route resume` ends that".to_owned());
        }
        if !wanted.anyway {
            self.in_peace()?;
        }
        let plans = self.plans(&wanted)?;
        self.can_be_written()?;
        let log = std::mem::take(&mut self.drills.log);
        self.drills = Drills {
            log,
            caller: Some(caller.clone()),
            reason: wanted.reason,
            anyway: wanted.anyway,
            queue: plans.into(),
            ..Drills::default()
        };
        let count = self.drills.queue.len();
        self.drills.say(format!("{count} drills, one after the other; each ends by itself within a minute"));
        Ok(self.progress(0))
    }

    /// Lines since the one of this number.
    pub(super) fn progress(&self, after: usize) -> Answer {
        let drills = &self.drills;
        Answer::Drill(Progress {
            running: drills.busy(),
            lines: drills.lines.iter().skip(after).cloned().collect(),
            records: drills.records.clone(),
            unfinished: drills.unfinished,
        })
    }

    /// Ends the one that runs, by its withdrawal, and forgets the others.
    pub(super) fn stop_drills(&mut self, why: &str) {
        let left = self.drills.queue.len();
        self.drills.queue.clear();
        self.drills.unfinished += left;
        if left > 0 {
            self.drills.say(format!("{left} drills are left out: {why}"));
        }
        self.stop_drill(why);
    }

    /// Does what is due of it.
    pub(super) fn turn_drills(&mut self) {
        if self.drills.running.is_none()
            && let Some(plan) = self.drills.queue.pop_front()
        {
            let Plan { neighbor, class, prefix, .. } = &plan;
            self.drills.say(format!("{} of {prefix} at {neighbor}", class.as_str()));
            let drill = Drill::new(self.clock.now(), plan.clone());
            self.drills.running = Some(Running::new(plan, drill));
        }
        if self.drills.busy()
            && !self.drills.anyway
            && let Err(why) = self.in_peace()
        {
            self.stop_drills(&why);
        }
        self.turn_drill();
    }

    /// A drill is over. What was not announced, or was stopped, says nothing of the neighbour.
    pub(super) fn drill_over(&mut self, record: Record, announced: bool, stopped: bool) {
        let Record { neighbor, class, prefix, .. } = &record;
        let kind = format!("{} of {prefix} at {neighbor}", class.as_str());
        if !announced || stopped {
            let why = record.wrong.as_deref().unwrap_or("it was stopped");
            self.drills.unfinished += 1;
            self.drills.say(format!("{kind}: nothing is proven: {why}"));
            return;
        }
        let one = document(&record);
        match &record.wrong {
            Some(why) => {
                tracing::error!(drill = kind, why, "a fire drill failed");
                self.drills.say(format!("{kind}: failed: {why}"));
            }
            None => self.drills.say(format!("{kind}: {}: {}", result(&record), seen(record.witness))),
        }
        let line = Line {
            at: record.at,
            event: "drilled".to_owned(),
            actor: self.drills.caller.as_ref().map_or_else(String::new, |caller| caller.actor().to_string()),
            reason: self.drills.reason.clone(),
            what: format!("{kind}: {}", record.wrong.as_deref().unwrap_or_else(|| result(&record))),
            ..Line::default()
        };
        self.unwritten.push(line);
        if let Err(cause) = self.journal.drilled(&row(&record)) {
            self.counts.journal_errors += 1;
            tracing::error!(%cause, "the drill's result cannot be written; see to the disk of `state_dir`");
        }
        self.drills.records.push(one);
        self.drills.log.note(record);
    }

    /// Drills are for peace: an alarm must not be mistaken for one, nor one for an alarm.
    fn in_peace(&self) -> Result<(), String> {
        let attacks = self.pulse.attacks();
        let automatic = self.book.all().filter(|one| one.is_automatic()).count();
        match (attacks, automatic) {
            (0, 0) => Ok(()),
            _ => Err(format!(
                "drills are for peace, and {attacks} attacks go on with {automatic} automatic mitigations: wait, or add --anyway"
            )),
        }
    }

    /// Every kind at every neighbour that was asked for, or that it fits.
    fn plans(&self, wanted: &Wanted) -> Result<Vec<Plan>, String> {
        let routing = &self.setup.routing;
        if routing.drill.spare.is_empty() && routing.drill.diversion.is_empty() {
            return Err("no spare address is configured; add [routing.drill] with spare = [\"198.51.100.99/32\"], an address of yours that nobody needs".to_owned());
        }
        let classes: Vec<Class> = match wanted.classes.as_slice() {
            [] => vec![Class::Flowspec, Class::Diversion, Class::Blackhole],
            named => {
                let of = |name: &String| {
                    order::class(name).ok_or_else(|| format!("`{name}` is no class of announcements"))
                };
                named.iter().map(of).collect::<Result<_, String>>()?
            }
        };
        let routers: Vec<&Router> = match wanted.peers.as_slice() {
            [] => routing.routers.iter().collect(),
            named => named.iter().map(|name| self.known(name)).collect::<Result<_, String>>()?,
        };
        let mut plans = Vec::new();
        let mut unfit = None;
        for router in routers {
            for class in &classes {
                let prefixes =
                    if *class == Class::Diversion { &routing.drill.diversion } else { &routing.drill.spare };
                for prefix in prefixes {
                    let fits = self
                        .drill_what(*class, *prefix)
                        .and_then(|what| express::route(&what, router, routing.asn, None).map_err(text));
                    match fits {
                        Ok(_) => plans.push(self.plan(router, *class, *prefix)),
                        Err(why) => unfit = Some(why),
                    }
                }
            }
        }
        match unfit {
            Some(why) if plans.is_empty() => Err(why),
            None if plans.is_empty() => {
                Err("no spare prefix is there for that: add one to `diversion` in [routing.drill]".to_owned())
            }
            _ => Ok(plans),
        }
    }

    fn plan(&self, router: &Router, class: Class, prefix: Prefix) -> Plan {
        let probed = self.setup.routing.drill.probe.is_some();
        let witness = if probed { Witness::Probe } else { Witness::Session };
        Plan { witness, ..Plan::new(router.name.clone(), class, prefix) }
    }
}

/// What its witness means.
pub(super) const fn seen(witness: Witness) -> &'static str {
    match witness {
        Witness::Probe => "probes showed that it acts, and that it ends",
        Witness::View => {
            "a router told it back and let it go, so it was taken; whether it acts was not seen: set `probe` in [routing.drill]"
        }
        Witness::Session => {
            "it was sent and withdrawn, and the session lived; whether it acts was not seen: set `probe` in [routing.drill]"
        }
    }
}

/// In a word: only what probes showed has passed.
const fn result(record: &Record) -> &'static str {
    match (&record.wrong, record.witness) {
        (Some(_), _) => "failed",
        (None, Witness::Probe) => "passed",
        (None, Witness::View) => "taken",
        (None, Witness::Session) => "sent",
    }
}

/// For `/metrics`.
pub(super) fn numbers(record: &Record) -> metrics::Drill {
    metrics::Drill {
        peer: record.neighbor.clone(),
        class: record.class.as_str(),
        family: if record.prefix.is_ipv4() { "ipv4" } else { "ipv6" },
        result: result(record),
        at: record.at,
    }
}

fn document(record: &Record) -> order::Drilled {
    let millis = |span: base::Span| span.nanos() / 1_000_000;
    order::Drilled {
        peer: record.neighbor.clone(),
        class: record.class.as_str().to_owned(),
        prefix: record.prefix.to_string(),
        at: record.at.to_string(),
        result: result(record).to_owned(),
        seen_by: record.witness.as_str().to_owned(),
        wrong: record.wrong.clone(),
        acted_after_ms: record.acted.map(millis),
        gone_after_ms: record.cleared.map(millis),
    }
}

fn row(record: &Record) -> Drilled {
    Drilled {
        neighbor: record.neighbor.clone(),
        class: record.class.as_str().to_owned(),
        ipv4: record.prefix.is_ipv4(),
        prefix: record.prefix.to_string(),
        at: record.at,
        witness: record.witness.as_str().to_owned(),
        wrong: record.wrong.clone(),
        acted: record.acted,
        cleared: record.cleared,
    }
}

fn record(row: &Drilled) -> Option<Record> {
    Some(Record {
        neighbor: row.neighbor.clone(),
        class: order::class(&row.class)?,
        prefix: row.prefix.parse().ok()?,
        witness: Witness::ALL.into_iter().find(|witness| witness.as_str() == row.witness)?,
        at: row.at,
        wrong: row.wrong.clone(),
        acted: row.acted,
        cleared: row.cleared,
    })
}
