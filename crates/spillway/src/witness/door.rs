//! The way to the witness, whichever is there at the moment: batches and attacks go in, what is known comes out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use api::metrics::{FileNumbers, ListNumbers};
use engine::report::Attack;

use super::aim::Aim;
use super::lens::Batch;
use super::shown::Shown;
use crate::desk;

/// See above.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(desk::Place<Inside>);

#[derive(Clone, Debug)]
pub(super) struct Inside {
    pub(super) words: SyncSender<Word>,
    pub(super) shared: Arc<Shared>,
}

/// What comes to the thread.
#[derive(Debug)]
pub(super) enum Word {
    /// A worker's records.
    Batch(Batch),
    /// Sources that the kernel knows to be where they say.
    Proven(Vec<IpAddr>),
    /// That is all.
    Stop,
}

/// What both sides see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) aim: RwLock<Arc<Aim>>,
    pub(super) heard: Mutex<Heard>,
    pub(super) shown: Shown,
    /// Where own networks are.
    pub(super) sites: Mutex<Vec<api::Site>>,
    /// Files that tell where addresses are, and lists of others.
    pub(super) known: Mutex<(Vec<FileNumbers>, Vec<ListNumbers>)>,
    /// Where folders of attacks are.
    pub(super) folder: PathBuf,
    pub(super) numbers: Numbers,
    /// What hinders it, in a sentence.
    pub(super) trouble: Mutex<Option<String>>,
}

/// What the core said and the thread has not looked at.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The latest state of each attack.
    pub(super) attacks: BTreeMap<String, Attack>,
    /// The core has said what goes on; what it does not know of is over.
    pub(super) begun: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Records of attacks that were not looked at.
    pub(super) left_out: AtomicU64,
    /// Attacks that were not followed, for there were too many at once.
    pub(super) not_followed: AtomicU64,
    /// Attacks that are followed.
    pub(super) followed: AtomicU64,
    /// Sources that had proven themselves to the kernel at the last look.
    pub(super) proven: AtomicU64,
    /// Bags sealed.
    pub(super) sealed: AtomicU64,
    /// Bags that could not be opened, written or sealed.
    pub(super) failed: AtomicU64,
}

impl Door {
    pub(super) fn open(&self, inside: Option<Inside>) {
        self.0.set(inside);
    }

    /// A worker's records; what finds no room comes back.
    pub(super) fn tell(&self, batch: Batch) -> Option<Batch> {
        let Some(inside) = self.0.get() else { return Some(batch) };
        match inside.words.try_send(Word::Batch(batch)) {
            Err(TrySendError::Full(Word::Batch(batch)) | TrySendError::Disconnected(Word::Batch(batch))) => {
                Some(batch)
            }
            _ => None,
        }
    }

    /// What workers look for.
    pub(super) fn aim(&self) -> Arc<Aim> {
        let aim =
            |inside: Inside| Arc::clone(&inside.shared.aim.read().unwrap_or_else(PoisonError::into_inner));
        self.0.get().map(aim).unwrap_or_default()
    }

    /// Whether an attack is followed, so that somebody wants to know who has proven himself.
    pub(crate) fn follows(&self) -> bool {
        self.0.get().is_some_and(|inside| inside.shared.numbers.followed.load(Ordering::Relaxed) > 0)
    }

    /// These sources have proven themselves to the kernel. What finds no room comes with the next look.
    pub(crate) fn prove(&self, sources: Vec<IpAddr>) {
        if let Some(inside) = self.0.get() {
            let count = u64::try_from(sources.len()).unwrap_or(u64::MAX);
            inside.shared.numbers.proven.store(count, Ordering::Relaxed);
            let _ = inside.words.try_send(Word::Proven(sources));
        }
    }

    /// So many records of attacks were not looked at.
    pub(super) fn left_out(&self, records: u64) {
        if let Some(inside) = self.0.get().filter(|_| records > 0) {
            inside.shared.numbers.left_out.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// The core begins: these attacks go on, and no others.
    pub(crate) fn begin<'a>(&self, attacks: impl Iterator<Item = &'a Attack>) {
        let Some(inside) = self.0.get() else { return };
        let mut heard = inside.shared.heard();
        heard.attacks.extend(attacks.map(|attack| (attack.id.clone(), attack.clone())));
        heard.begun = true;
    }

    /// An attack has a new state.
    pub(crate) fn hear(&self, attack: &Attack) {
        if let Some(inside) = self.0.get() {
            inside.shared.heard().attacks.insert(attack.id.clone(), attack.clone());
        }
    }

    /// What is known of the sources of an attack, that goes on or of which a folder is kept.
    pub(crate) fn sources(&self, attack: &str) -> Option<Arc<api::Sources>> {
        let shared = self.0.get()?.shared;
        shared
            .shown
            .of(attack)
            .or_else(|| super::folder::Place::of(&shared.folder, attack)?.sources().map(Arc::new))
    }

    /// Some packets of an attack that goes on, or of its bag.
    pub(crate) fn packets(&self, attack: &str) -> Option<Arc<api::Packets>> {
        let shared = self.0.get()?.shared;
        shared
            .shown
            .packets(attack)
            .or_else(|| super::folder::Place::of(&shared.folder, attack)?.packets().map(Arc::new))
    }

    /// What attacks have in common. It reads folders, so it takes a while.
    pub(crate) fn intelligence(&self) -> api::Intelligence {
        let Some(inside) = self.0.get() else { return api::Intelligence::default() };
        super::insight::intelligence(inside.shared.shown.insights(), &inside.shared.folder)
    }

    /// Where the sources of an attack that is followed are.
    pub(crate) fn origins(&self, attack: &str) -> Option<Arc<api::Origins>> {
        self.0.get()?.shared.shown.origins(attack)
    }

    /// Where own networks are.
    pub(crate) fn sites(&self) -> Vec<api::Site> {
        let sites =
            |inside: Inside| inside.shared.sites.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.get().map(sites).unwrap_or_default()
    }

    /// What is amiss, a sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let trouble = |inside: Inside| inside.shared.trouble().clone();
        self.0.get().and_then(trouble).into_iter().collect()
    }

    /// Numbers for `/metrics`; `None`: nobody looks.
    pub(crate) fn numbers(&self) -> Option<api::metrics::Intel> {
        let shared = self.0.get()?.shared;
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let numbers = &shared.numbers;
        let (files, lists) = shared.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(api::metrics::Intel {
            followed: of(&numbers.followed),
            not_followed: of(&numbers.not_followed),
            proven: of(&numbers.proven),
            left_out: of(&numbers.left_out),
            sealed: of(&numbers.sealed),
            failed: of(&numbers.failed),
            files,
            lists,
        })
    }
}

impl Shared {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something could not be kept: it is counted, said in the log once, and shown until something could.
    pub(super) fn fail(&self, what: &anyhow::Error) {
        self.numbers.failed.fetch_add(1, Ordering::Relaxed);
        let text = format!("evidence is not kept: {what:#}");
        let mut trouble = self.trouble();
        if trouble.as_ref() != Some(&text) {
            tracing::error!("{text}");
        }
        *trouble = Some(text);
    }
}
