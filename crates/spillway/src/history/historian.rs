//! The thread that writes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ::history::{Kept, Recorder, Sample, Spilling, Thinner};
use base::prefix::PrefixTable;
use base::{Prefix, Span, Timestamp};
use detect::class::Classifier;
use intel::enrich::{Enrich, Files};

use super::at_rest::{self, AtRest};
use super::draft::Draft;
use super::{Board, Told, Under, folder, lock};
use crate::config::{Config, Intel};
use crate::daemon::clock::Clock;
use crate::dossier::places::{self, Home, Shelf};
use crate::privacy;

/// At the latest after so long the thread looks up.
const TURN: Duration = Duration::from_millis(200);
/// A folder that cannot be used is tried again after so long.
const AGAIN: Span = Span::from_secs(10);

/// What the thread has.
pub(super) struct Desk {
    folder: PathBuf,
    spilling: Spilling,
    networks: Vec<Prefix>,
    own: PrefixTable<()>,
    customers: PrefixTable<Arc<str>>,
    classifier: Classifier,
    intel: Intel,
    places: Files,
    at_rest: Box<dyn AtRest>,
    clock: Clock,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    /// Of hosts in peace, and of those under attack.
    thinners: [Thinner<Draft>; 2],
    recorder: Option<Recorder>,
    /// When the folder was tried last.
    tried: Timestamp,
    /// The second that is being thinned.
    second: u64,
    /// What was last said of the disk.
    said: Option<String>,
}

impl Desk {
    /// By the configuration.
    pub(super) fn new(
        config: &Config,
        key: u64,
        clock: Clock,
        (board, stop): (Arc<Board>, Arc<AtomicBool>),
        at_rest: &Arc<privacy::AtRest>,
    ) -> Self {
        let section = &config.history;
        let named = |(name, networks): &(String, Vec<Prefix>)| {
            let name: Arc<str> = name.as_str().into();
            networks.iter().map(move |network| (*network, Arc::clone(&name))).collect::<Vec<_>>()
        };
        let thinner = |which: u64, max| Thinner::new(base::hash::Mixer::new(key).with(which).finish(), max);
        Self {
            folder: folder(&config.state_dir),
            spilling: Spilling { every: section.spill, ..Spilling::default() },
            networks: config.networks.clone(),
            own: PrefixTable::new(config.networks.iter().map(|network| (*network, ()))),
            customers: PrefixTable::new(config.customers.iter().flat_map(named)),
            classifier: Classifier::default(),
            // What others say of somebody stands in no sample.
            intel: Intel { lists: Vec::new(), ..config.intel.clone() },
            places: Files::default(),
            at_rest: at_rest::of(section.addresses, at_rest),
            clock,
            board,
            stop,
            thinners: [thinner(1, section.samples_per_second), thinner(2, section.attack_samples_per_second)],
            recorder: None,
            tried: Timestamp::ZERO,
            second: 0,
            said: None,
        }
    }

    /// Works until it is told to stop, then writes the rest.
    pub(super) fn run(mut self, told: &Receiver<Vec<Told>>) {
        let (opened, refused) = Shelf::open(&self.intel, &Home::default(), &Shelf::default());
        self.places = opened.files(&Home::default());
        for places::Refused { cause, .. } in refused {
            let cause = format!("{cause:#}");
            tracing::warn!(
                cause,
                "samples are kept without what this file would tell of networks and countries"
            );
        }
        loop {
            let stops = self.stop.load(Ordering::Relaxed);
            match told.recv_timeout(if stops { Duration::ZERO } else { TURN }) {
                Ok(records) => {
                    let under = Arc::clone(&lock(&self.board.under));
                    records.iter().for_each(|(record, exporter)| self.take(record, *exporter, &under));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) if stops => break,
                Err(_) => {
                    if self.clock.now().secs() > self.second {
                        self.close();
                    }
                }
            }
        }
        self.close();
        let now = self.clock.now();
        if let Some(recorder) = &mut self.recorder {
            let spilled = recorder.spill(now);
            *lock(&self.board.counts) = recorder.counts();
            if let Err(cause) = spilled {
                tracing::error!(%cause, "the newest flow samples are lost");
            }
        }
    }

    fn take(&mut self, record: &telemetry::Record, exporter: IpAddr, under: &Under) {
        let second = record.at.secs();
        if second > self.second {
            self.close();
            self.second = second;
        }
        let Some(mut draft) = Draft::of(record, exporter, &self.own, &self.classifier) else {
            self.board.transit.fetch_add(1, Ordering::Relaxed);
            return;
        };
        // Sums are of all that is told, before anything is thinned.
        self.board.shelf.minutes().add(
            (draft.at, draft.target, draft.direction),
            (draft.protocol, draft.class.name()),
            (draft.packets, draft.bytes),
        );
        draft.attack = under.of(draft.target, draft.direction).cloned();
        let [peace, attack] = &mut self.thinners;
        let thinner = if draft.attack.is_some() { attack } else { peace };
        thinner.offer(draft.packets, draft);
    }

    /// A second is over: what was chosen of it is written.
    fn close(&mut self) {
        let now = self.clock.now();
        self.open(now);
        let offered: u64 = self.thinners.iter().map(Thinner::offered).sum();
        let kept: Vec<Kept<Draft>> = self.thinners.iter_mut().flat_map(Thinner::take).collect();
        let count = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        self.board.thinned.fetch_add(offered.saturating_sub(count), Ordering::Relaxed);
        let is_full = self.board.full.load(Ordering::Relaxed);
        let Some(recorder) = self.recorder.as_mut().filter(|_| !is_full) else {
            self.board.refused.fetch_add(count, Ordering::Relaxed);
            return;
        };
        for one in &kept {
            let draft = &one.item;
            let is_own = self.own.longest(draft.foreign).is_some();
            let place = self.places.place(draft.foreign);
            let rate = draft.rate.map(|rate| u32::try_from(one.scaled(u64::from(rate))).unwrap_or(u32::MAX));
            recorder.push(&Sample {
                at: draft.at,
                target: draft.target,
                foreign: if is_own { draft.foreign } else { self.at_rest.at_rest(draft.foreign, draft.at) },
                direction: draft.direction,
                protocol: draft.protocol,
                target_port: draft.target_port,
                foreign_port: draft.foreign_port,
                tcp_flags: draft.tcp_flags,
                class: draft.class.name(),
                packets: one.scaled(draft.packets),
                bytes: one.scaled(draft.bytes),
                rate,
                asn: place.asn,
                country: place.country.as_deref(),
                attack: draft.attack.as_deref(),
                customer: self.customers.longest(draft.target).map(AsRef::as_ref),
                exporter: draft.exporter,
                input_if: draft.input_if,
                output_if: draft.output_if,
            });
        }
        let ticked = recorder.tick(now);
        *lock(&self.board.counts) = recorder.counts();
        self.say(ticked.err().map(|cause| cause.to_string()));
    }

    /// Opens the folder, where that was not possible yet.
    fn open(&mut self, now: Timestamp) {
        if self.recorder.is_some() || (self.tried > Timestamp::ZERO && now.since(self.tried) < AGAIN) {
            return;
        }
        self.tried = now;
        match Recorder::open(&self.folder, self.spilling, now) {
            Ok(mut recorder) => {
                recorder.know(&self.networks);
                *lock(&self.board.recent) = recorder.recent();
                self.recorder = Some(recorder);
                self.say(None);
            }
            Err(cause) => self.say(Some(cause.to_string())),
        }
    }

    /// Says each trouble once, and its end.
    fn say(&mut self, trouble: Option<String>) {
        if trouble != self.said {
            match &trouble {
                Some(error) => tracing::error!(error, "flow samples wait for the disk; detection goes on"),
                None => tracing::info!("flow samples are written again"),
            }
            self.said = trouble;
        }
    }
}
