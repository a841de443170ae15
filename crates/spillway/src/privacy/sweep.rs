//! Lets go what is over. Each step can be interrupted and done again; a step that fails is said, and the others are taken.
//!
//! The order: what goes of evidence and keys is planned, the plan is an entry of the ledger, then it is done. Without that entry
//! evidence and disclosures stay until the ledger can be written; rows, lines and keys do not wait for it.

use std::collections::BTreeMap;

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use anyhow::Context as _;
use base::{Day, Timestamp};
use serde_json::json;
use store::{Batch, Journal, Outbox, Writer};

use super::at_rest::{AtRest, MARK, SEALED};
use super::keys::Keys;
use super::units::{self, Unit};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::disclosure::Cases;
use crate::dns::JOURNAL as DNS;
use crate::ledger::{Item, Store};

/// What went.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// How much, by class.
    pub(crate) gone: BTreeMap<&'static str, u64>,
    /// What could not be done, each with place and remedy.
    pub(crate) errors: Vec<String>,
}

impl Swept {
    fn note(&mut self, class: &'static str, done: anyhow::Result<u64>) {
        let count = done.unwrap_or_else(|cause| {
            self.errors.push(format!("{class}: {cause:#}"));
            0
        });
        *self.gone.entry(class).or_default() += count;
    }
}

/// Lets go what is over at this time. `at_rest`: of whoever may make keys, and so conceals what an older version kept in the clear.
pub(crate) fn sweep(
    config: &Config,
    at_rest: Option<&AtRest>,
    now: Timestamp,
    (by, person): (By, Option<&str>),
) -> Swept {
    let (mut swept, terms) = (Swept::default(), &config.privacy);
    swept.gone.extend(["evidence", "disclosures", "keys"].map(|class| (class, 0)));
    let before = |span| now.minus(span);
    swept.note("attacks", attacks(config, at_rest, now));
    swept.note("notifications", notifications(config, before(terms.attacks)));
    swept.note("journal", journals(config, before(terms.journal)));
    swept.note("samples", samples(config, before(terms.samples)));
    let secrets = crate::ledger::expire(&config.ledger_place(), before(terms.journal), by);
    swept.note("ledger", secrets.map_err(Into::into));

    let evidence = evidence(config, before(terms.evidence), &mut swept);
    let cases = cases(config, before(terms.evidence), now, &mut swept);
    let keys = Keys::new(&config.state_dir);
    let days = keys.days().unwrap_or_else(|cause| {
        swept.errors.push(format!("keys: {cause:#}"));
        Vec::new()
    });
    let days: Vec<Day> = days.into_iter().filter(|day| day.end().plus(terms.keys) <= now).collect();
    let written = write_down(config, (by, person), (&evidence, &cases, &days));
    let may = written.is_ok() || !config.ledger.enabled;
    if let Err(cause) = written {
        swept.errors.push(format!("evidence stays until that stands in the ledger: {cause:#}"));
    }
    for (class, units) in [("evidence", &evidence), ("disclosures", &cases)] {
        for unit in units.iter().filter(|_| may) {
            let what = || format!("cannot remove {}", unit.path.display());
            swept.note(class, unit.remove().map(|()| 1).with_context(what));
        }
    }
    for day in days {
        swept.note("keys", keys.destroy(day).map(|()| 1));
    }
    swept
}

/// Attacks and saved states; those that an older version kept in the clear are concealed.
fn attacks(config: &Config, at_rest: Option<&AtRest>, now: Timestamp) -> anyhow::Result<u64> {
    if !config.state_dir.join("spillway.db").exists() {
        return Ok(0);
    }
    let mut writer = Writer::open(&config.state_dir)?;
    let gone = writer.expire_attacks(now.minus(config.privacy.attacks))?;
    writer.expire_snapshots(&SEALED, now.minus(config.privacy.keys))?;
    let mut concealed = false;
    while let Some(at_rest) = at_rest {
        let rows = writer.without_key(MARK)?;
        if rows.is_empty() {
            break;
        }
        concealed = true;
        let rows = at_rest.batch(&Batch { attacks: rows, snapshots: Vec::new() })?;
        writer.commit(&rows)?;
    }
    if concealed {
        writer.rewrite()?
    } else {
        writer.forget_log()?
    }
    Ok(gone)
}

/// Notifications that were given up: they go with the attacks that they told of.
fn notifications(config: &Config, before: Timestamp) -> anyhow::Result<u64> {
    // only where there is one: opening makes it
    let Some(outbox) = Outbox::look(&config.state_dir)? else { return Ok(0) };
    drop(outbox);
    Ok(Outbox::open(&config.state_dir)?.expire(before)?)
}

fn journals(config: &Config, before: Timestamp) -> anyhow::Result<u64> {
    let mut gone = 0;
    for (file, open) in [("routing.db", None), (DNS, Some(DNS))] {
        if config.state_dir.join(file).exists() {
            let journal = match open {
                None => Journal::open(&config.state_dir),
                Some(file) => Journal::open_file(&config.state_dir, file),
            };
            gone +=
                journal.and_then(|mut journal| journal.expire(before)).with_context(|| file.to_owned())?;
        }
    }
    // What the guard of compat mode wrote; it goes on at the file's end.
    let log = config.state_dir.join(crate::daemon::guard::LOG);
    if std::fs::metadata(&log).and_then(|about| about.modified()).is_ok_and(|at| units::time(at) < before) {
        let file = std::fs::OpenOptions::new().write(true).open(&log);
        file.and_then(|file| file.set_len(0)).with_context(|| log.display().to_string())?;
    }
    Ok(gone)
}

fn samples(config: &Config, before: Timestamp) -> anyhow::Result<u64> {
    let folder = config.state_dir.join(super::SAMPLES);
    units::remove_files(&folder, before).with_context(|| folder.display().to_string())
}

fn evidence(config: &Config, before: Timestamp, swept: &mut Swept) -> Vec<Unit> {
    let folder = config.state_dir.join(super::EVIDENCE);
    let mut units = units::units(&folder).unwrap_or_else(|cause| {
        swept.errors.push(format!("evidence: {}: {cause}", folder.display()));
        Vec::new()
    });
    units.retain(|unit| unit.going || (!unit.held && unit.last < before));
    units
}

/// Disclosures that left or did not, and that nobody will touch again.
fn cases(config: &Config, before: Timestamp, now: Timestamp, swept: &mut Swept) -> Vec<Unit> {
    let cases = Cases::new(&config.state_dir);
    let mut units = units::units(cases.folder_of_all()).unwrap_or_else(|cause| {
        swept.errors.push(format!("disclosures: {}: {cause}", cases.folder_of_all().display()));
        Vec::new()
    });
    units.retain(|unit| {
        let over = cases.get(&unit.name()).ok().and_then(|case| case.over(now));
        unit.going || (!unit.held && over.is_some_and(|over| over.max(unit.last) < before))
    });
    units
}

/// An entry of the ledger: what is about to go. Nothing where nothing goes, or where there is no ledger.
fn write_down(
    config: &Config,
    (by, person): (By, Option<&str>),
    (evidence, cases, days): (&[Unit], &[Unit], &[Day]),
) -> anyhow::Result<()> {
    if !config.ledger.enabled || (evidence.is_empty() && cases.is_empty() && days.is_empty()) {
        return Ok(());
    }
    let names = |units: &[Unit]| units.iter().map(Unit::name).collect::<Vec<_>>();
    let days: Vec<String> = days.iter().map(ToString::to_string).collect();
    let content =
        json!({"evidence": names(evidence), "disclosures": names(cases), "keys": days, "person": person});
    let count = |name: &str, count: usize| (name.to_owned(), u64::try_from(count).unwrap_or(u64::MAX));
    let counts =
        [count("evidence", evidence.len()), count("disclosures", cases.len()), count("keys", days.len())];
    let salt = Salt::new(crate::ledger::random().context("no random numbers")?);
    let content = content.to_string();
    let decision = Decision {
        act: Act::Deletion,
        by,
        customer: None,
        commitment: salt.commit(content.as_bytes()),
        counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
    };
    // The true time, whatever time the retention is looked at for.
    let entry = Entry::new(Clock::start().now(), What::Decision(decision));
    let mut store = Store::open(&config.ledger_place())?;
    store.append(&[Item { entry, salt, content: Some(content), record: None }])?;
    Ok(())
}
