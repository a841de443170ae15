//! `replay --dossier`: a folder per attack with its sources, documents for others, and its packets in a sealed bag.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use anyhow::{Context as _, anyhow};
use engine::report::Attack;
use intel::campaign::{Campaigns, Trace};
use intel::dossier::{Dossier, Reporter};
use intel::enrich::Enrich;
use intel::export::{Terms, Tlp};
use ledger::Signer;

use super::collect::{Cases, Collector, Way};
use super::recorders::{Recorders, Scope};
use super::write::{Extra, annotate, finish, prepare};
use super::{document, ways};
use crate::config::{Config, Named, veiled_for_others};
use crate::evidence::stamp::Authority;
use crate::evidence::{Annotating, Payload, key};
use crate::replay::{Findings, Item};

/// Why packets of a recording are kept.
const REASON: &str = "dossier of a recording";

/// Bags that are sealed at once, beside what goes on: a disk takes its time, and an authority, too.
const SEALED_MAX: usize = 4;

/// Who speaks, signs and stamps.
#[derive(Default)]
pub struct Seat {
    reporter: Reporter,
    pub(crate) signer: Option<Signer>,
    pub(crate) authority: Option<Authority>,
    /// The configuration in force, without its secrets.
    pub(crate) config: Option<Vec<u8>>,
    /// What allows payload.
    payload: Option<Named>,
    /// On what terms documents for others are made.
    pub(crate) terms: Terms,
    /// Who is behind which interface.
    interfaces: Option<Config>,
}

impl Seat {
    /// As a configuration says; without one nobody signs.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn of(config: Option<&Config>) -> anyhow::Result<Self> {
        let Some(config) = config else { return Ok(Self::default()) };
        Ok(Self {
            reporter: config.evidence.reporter.clone(),
            signer: key::of(config)?,
            authority: config.evidence.authority.clone(),
            config: Some(veiled_for_others(&config.written.0).into_bytes()),
            payload: config.privacy.payload.clone(),
            terms: Terms { tlp: config.evidence.tlp, ..Terms::default() },
            interfaces: Some(config.clone()),
        })
    }

    /// With another label, where one is named.
    #[must_use]
    pub fn labelled(mut self, tlp: Option<Tlp>) -> Self {
        self.terms.tlp = tlp.unwrap_or(self.terms.tlp);
        self
    }
}

/// The folders of a recording that is passed through once more.
pub struct Folders {
    root: PathBuf,
    collector: Collector,
    left_out: usize,
    seat: Seat,
}

impl Folders {
    /// Opens a bag per attack in folders under `root`; `file` is what is recorded from.
    ///
    /// # Errors
    /// When a bag is there already, or the disk does not take it.
    pub fn open(root: &Path, findings: &Findings, file: &str, seat: Seat) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("{}: cannot be made; name a folder that can", root.display()))?;
        let cases = Cases::new(findings)?;
        let mut recorders = Recorders::default();
        for (attack, until) in cases.attacks() {
            let scope =
                Scope { targets: attack.targets.clone(), from: attack.started_at, until: Some(until) };
            recorders.open(
                &root.join(&attack.id).join("evidence"),
                scope,
                (file, Some(1)),
                Payload::new(attack.rules.iter().map(|rule| rule.text.as_str()), seat.payload.as_ref()),
                attack.detected_at,
            )?;
        }
        let left_out = cases.left_out;
        Ok(Self { root: root.to_owned(), collector: Collector::start(cases, recorders)?, left_out, seat })
    }

    /// Takes what the recording holds next; false: a bag cannot be written, which [`Self::conclude`] tells.
    #[inline]
    pub fn take(&mut self, item: &Item<'_>) -> bool {
        self.collector.take(item)
    }

    /// Writes everything and seals the bags.
    ///
    /// # Errors
    /// When the disk does not take it, no authority stamps, or attacks were left out.
    pub fn conclude(self, enrich: &(dyn Enrich + Sync)) -> anyhow::Result<()> {
        let Self { root, collector, left_out, seat } = self;
        let (collected, recorded) = collector.finish()?;
        let mut campaigns = Campaigns::default();
        // A recording gives the same bag at any time.
        let at = |dossier: &Dossier| dossier.incident.last;
        let config = seat.config.as_deref();
        let begin = |recorded, dossier: &Dossier| {
            let annotating = annotate(recorded, dossier, at(dossier))?;
            let folder = root.join(&dossier.incident.id);
            document::sources(&folder, dossier)?;
            let prepared = prepare(&folder, dossier, seat.terms, Some(annotating.folder()), config)?;
            Ok((annotating, prepared))
        };
        let reporter = &seat.reporter;
        std::thread::scope(|scope| {
            let mut under_way = VecDeque::new();
            let each = |attack: &Attack, dossier: &Dossier, (mut annotating, prepared): (Annotating, _)| {
                let trace = Trace::of(dossier, document::TRACE_KEY);
                let link = campaigns.place(trace.clone());
                let text = document::about(&root.join(&attack.id), attack, dossier, (&trace, &link))?;
                let (at, seat) = (at(dossier), &seat);
                annotating.wait()?;
                let seal = move || {
                    let extra = Extra {
                        attack: text.as_bytes(),
                        config: seat.config.as_deref(),
                        terms: seat.terms,
                        at,
                        reason: REASON,
                        signer: seat.signer.as_ref(),
                        authority: seat.authority.as_ref(),
                    };
                    let written = finish(prepared, Some(&mut annotating), &extra)?;
                    written.withheld.into_iter().next().map_or(Ok(()), |withheld| Err(withheld.into()))
                };
                under_way.push_back(scope.spawn(seal));
                if under_way.len() > SEALED_MAX {
                    under_way.pop_front().map_or(Ok(()), sealed)
                } else {
                    Ok(())
                }
            };
            let way = seat.interfaces.as_ref().map(|config| |entry| ways::of(config, entry));
            let way = way.as_ref().map(|way| way as &Way<'_>);
            collected.conclude(recorded, (reporter, way), enrich, begin, each)?;
            under_way.into_iter().try_for_each(sealed)
        })?;
        match left_out {
            0 => Ok(()),
            n => Err(anyhow!("{n} small attacks have no dossier; replay a part of the recording")),
        }
    }
}

/// Waits until a bag is sealed.
fn sealed(sealing: ScopedJoinHandle<'_, anyhow::Result<()>>) -> anyhow::Result<()> {
    sealing.join().map_err(|_| anyhow!("a thread gave up; please report this"))?
}
