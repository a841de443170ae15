//! Attacks that are over: concluded, written into their folders, and sealed; by a thread of its own, for that takes its time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context as _;
use base::Timestamp;
use intel::campaign::{Campaigns, Trace};
use intel::dossier::Dossier;

use super::case::Case;
use super::door::Shared;
use super::folder::Place;
use super::knowledge::Knowledge;
use super::noted;
use super::thread::Setup;
use crate::config::Config;
use crate::dossier::document;
use crate::dossier::folders::Seat;
use crate::dossier::write::{Extra, annotate, write};
use crate::evidence::custody::{self, SELF, Step};

/// An attack that is over, with all that its folder needs.
pub(super) struct Finished {
    pub(super) case: Case,
    pub(super) setup: Arc<Setup>,
    pub(super) knowledge: Knowledge,
    pub(super) at: Timestamp,
}

/// Who seals, and what was sealed before.
pub(super) struct Desk {
    seat: Seat,
    campaigns: Campaigns,
}

impl Desk {
    /// As a configuration says.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let mut campaigns = Campaigns::default();
        for (_, place) in Place::all(&config.state_dir).into_iter().take(CAMPAIGNS_MAX) {
            place.trace().into_iter().for_each(|trace| drop(campaigns.place(trace)));
        }
        Ok(Self { seat: Seat::of(Some(config))?, campaigns })
    }
}

/// Attacks of the past that a new one is compared with.
const CAMPAIGNS_MAX: usize = 1024;

/// What comes to the thread.
enum Work {
    /// An attack that is over.
    Seal(Box<Finished>),
    /// Bags that were sealed before, by somebody who was killed before they stood in the ledger.
    Note(Arc<Setup>, Timestamp),
}

/// The thread. Dropped, it ends what it has begun.
pub(super) struct Sealer {
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    pub(super) fn start(shared: &Arc<Shared>) -> anyhow::Result<Self> {
        let (work, todo) = channel();
        let shared = Arc::clone(shared);
        let run = move || seal_all(&todo, &shared);
        let thread = std::thread::Builder::new().name("sealer".to_owned()).spawn(run);
        Ok(Self { work: Some(work), thread: Some(thread.context("cannot start a thread")?) })
    }

    /// Seals it when its turn comes.
    pub(super) fn give(&self, finished: Finished) {
        self.send(Work::Seal(Box::new(finished)));
    }

    /// Notes what was sealed before and stands in no ledger.
    pub(super) fn note(&self, setup: &Arc<Setup>, at: Timestamp) {
        self.send(Work::Note(Arc::clone(setup), at));
    }

    fn send(&self, todo: Work) {
        if let Some(work) = &self.work {
            // Whoever takes it lives as long as we do.
            let _ = work.send(todo);
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn seal_all(todo: &Receiver<Work>, shared: &Shared) {
    let mut desk: Option<(Arc<Setup>, Desk)> = None;
    for work in todo {
        let Finished { case, setup, knowledge, at } = match work {
            Work::Seal(finished) => *finished,
            Work::Note(setup, at) => {
                for (id, place) in
                    Place::all(&setup.state_dir).into_iter().filter(|(_, one)| noted::is_due(one))
                {
                    if let Err(wrong) = noted::note(&setup.config, &place, at, true) {
                        shared.fail(&wrong.context(format!("attack {id}: not noted in the ledger")));
                    }
                }
                continue;
            }
        };
        if !desk.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &setup)) {
            match Desk::of(&setup.config) {
                Ok(new) => desk = Some((Arc::clone(&setup), new)),
                Err(wrong) => {
                    shared.fail(&wrong);
                    continue;
                }
            }
        }
        let Some((_, desk)) = &mut desk else { continue };
        let (id, attack) = (case.attack.id.clone(), case.attack.clone());
        let packets = case.samples.shown(at);
        let sealed = match Place::of(&setup.state_dir, &id).filter(|_| case.recorder.is_some()) {
            Some(place) => put(desk, &setup, &knowledge, case, place.path(), at).map(Some),
            None => Ok(None).inspect(|_: &Option<Dossier>| {
                let dossier = conclude(&setup, &knowledge, &case);
                shared.shown.show(at, &attack, &dossier, packets.clone());
            }),
        };
        match sealed {
            Ok(None) => {}
            Ok(Some(dossier)) => {
                tracing::info!(attack = id, sources = dossier.findings.len(), "evidence is sealed");
                shared.shown.show(at, &attack, &dossier, packets);
                shared.numbers.sealed.fetch_add(1, Ordering::Relaxed);
                *shared.trouble() = None;
                let noted = Place::of(&setup.state_dir, &id)
                    .map_or(Ok(()), |place| noted::note(&setup.config, &place, at, false));
                if let Err(wrong) = noted {
                    shared.fail(&wrong.context(format!("attack {id}: not noted in the ledger")));
                }
            }
            Err(wrong) => shared.fail(&wrong.context(format!("attack {id}"))),
        }
    }
}

pub(super) fn conclude(setup: &Setup, knowledge: &Knowledge, case: &Case) -> Dossier {
    case.conclude(|entry| setup.way(entry), &setup.config.evidence.reporter, knowledge)
}

/// Writes a folder and seals the bag in it.
pub(super) fn put(
    desk: &mut Desk,
    setup: &Setup,
    knowledge: &Knowledge,
    mut case: Case,
    folder: &Path,
    at: Timestamp,
) -> anyhow::Result<Dossier> {
    let dossier = conclude(setup, knowledge, &case);
    let recorded = case.recorder.take().map(crate::evidence::Recorder::finish).transpose()?;
    let mut annotating = recorded.map(|recorded| annotate(recorded, &dossier, at)).transpose()?;
    let trace = Trace::of(&dossier, document::TRACE_KEY);
    let link = desk.campaigns.place(trace.clone());
    let text = document::write(folder, &case.attack, &dossier, (&trace, &link))?;
    let reason = setup.reason(&case.remarks);
    let mut extra = Extra {
        attack: text.as_bytes(),
        config: desk.seat.config.as_deref(),
        terms: desk.seat.terms,
        at,
        reason: &reason,
        signer: desk.seat.signer.as_ref(),
        authority: desk.seat.authority.as_ref(),
    };
    let written = match write(folder, &dossier, annotating.as_mut(), &extra) {
        // A bag without a stamp is better than none; that it has none is said.
        Err(wrong) if extra.authority.is_some() => {
            tracing::error!(
                attack = case.attack.id,
                cause = format!("{wrong:#}"),
                "evidence is sealed without a stamp"
            );
            let detail = format!("no time stamp: {wrong:#}");
            let step = Step { at, by: SELF, what: "not-stamped", detail, before: None, after: None };
            custody::append(&folder.join("evidence"), &step)?;
            extra.authority = None;
            write(folder, &dossier, annotating.as_mut(), &extra)?
        }
        written => written?,
    };
    for withheld in written.withheld {
        tracing::warn!(attack = case.attack.id, %withheld, "a document is not given out");
    }
    Ok(dossier)
}
