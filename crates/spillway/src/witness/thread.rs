//! The thread: follows attacks, keeps their packets, and shows what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, Severity, State};
use intel::Rules;
use intel::dossier::Ingress;
use intel::observe::Entry;

use super::Door;
use super::aim::Aim;
use super::case::Case;
use super::door::{Inside, Shared, Word};
use super::folder::{Place, octets};
use super::knowledge::Knowledge;
use super::lens::Batch;
use super::quiet::Quiet;
use super::sealer::{Finished, Sealer, conclude};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::dossier::ways;
use crate::enforce::teller;
use crate::routing;

/// Batches that wait; beyond it they are left out and counted.
const WAITING_MAX: usize = 16;
/// At the latest after so long the thread looks up.
const TURN: Duration = Duration::from_millis(200);
/// Packets are brought to the file so often: a killed daemon loses no more.
const FLUSH_EVERY: Span = Span::from_secs(1);
/// What is known is concluded so often, where something came.
const SHOW_EVERY: Span = Span::from_secs(2);
/// Concluding may cost at most this share of the time.
const SHOW_SHARE: u64 = 10;

/// What it goes by.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(super) config: Config,
    pub(super) state_dir: PathBuf,
    /// Interfaces of this machine, by the address under which they are told.
    locals: BTreeMap<IpAddr, String>,
}

impl Setup {
    /// As the configuration has it.
    pub(crate) fn of(config: &Config) -> Self {
        let places = config.dataplane.interfaces.iter().enumerate();
        let locals = places.map(|(place, name)| (teller::address(place), name.clone())).collect();
        Self { config: config.clone(), state_dir: config.state_dir.clone(), locals }
    }

    /// A way in, by its name, and the network behind it.
    pub(super) fn way(&self, entry: Entry) -> Ingress {
        match self.locals.get(&entry.exporter) {
            Some(local) => ways::named(format!("local:{local}")),
            None => ways::of(&self.config, entry),
        }
    }

    /// Why a bag is kept.
    pub(super) fn reason(&self, remarks: &[String]) -> String {
        let why = match &self.config.privacy.payload {
            Some(named) => format!("{} ({})", named.purpose, named.legal_basis),
            None => "evidence of an attack; headers only".to_owned(),
        };
        std::iter::once(&why).chain(remarks).map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

/// The running thread. Dropped, it leaves open bags to whoever goes on.
pub(crate) struct Witness {
    words: SyncSender<Word>,
    setup: Arc<Mutex<Arc<Setup>>>,
    door: Door,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Starts it and opens the door. `routes` knows who announces what, where routes are told.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(config: &Config, door: &Door, routes: routing::Door) -> anyhow::Result<Self> {
        let (words, told) = sync_channel(WAITING_MAX);
        let shared = Arc::new(Shared { folder: config.state_dir.clone(), ..Shared::default() });
        let setup = Arc::new(Mutex::new(Arc::new(Setup::of(config))));
        let sealer = Sealer::start(&shared)?;
        sealer.note(&Arc::new(Setup::of(config)), Clock::start().now());
        let follower = Follower::new(Arc::clone(&setup), Arc::clone(&shared), sealer, routes)?;
        let thread =
            std::thread::Builder::new().name("witness".to_owned()).spawn(move || follower.run(&told));
        let thread = Some(thread.context("cannot start a thread")?);
        door.open(Some(Inside { words: words.clone(), shared }));
        Ok(Self { words, setup, door: door.clone(), thread })
    }

    /// Goes by another configuration from now on.
    pub(crate) fn adapt(&self, config: &Config) {
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Setup::of(config));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.door.open(None);
        let _ = self.words.send(Word::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Follower {
    given: Arc<Mutex<Arc<Setup>>>,
    setup: Arc<Setup>,
    shared: Arc<Shared>,
    knowledge: Knowledge,
    rules: Arc<Rules>,
    quiet: Quiet,
    sealer: Sealer,
    routes: routing::Door,
    clock: Clock,
    cases: BTreeMap<String, Case>,
    /// Attacks that found no room.
    ignored: BTreeSet<String>,
    /// Bags that were found open, until the core has said what goes on.
    found: Option<Vec<(String, Place)>>,
    flushed: Timestamp,
    shown: Timestamp,
    show_cost: Span,
}

impl Follower {
    fn new(
        given: Arc<Mutex<Arc<Setup>>>,
        shared: Arc<Shared>,
        sealer: Sealer,
        routes: routing::Door,
    ) -> anyhow::Result<Self> {
        let setup = Arc::clone(&given.lock().unwrap_or_else(PoisonError::into_inner));
        let clock = Clock::start();
        let open = |(_, place): &(String, Place)| place.is_open();
        Ok(Self {
            found: Some(Place::all(&setup.state_dir).into_iter().filter(open).collect()),
            knowledge: Knowledge::of(&setup.config, &Knowledge::default()),
            rules: Arc::new(Rules::embedded()?),
            quiet: Quiet::open(&setup.state_dir, clock.now()),
            given,
            setup,
            shared,
            sealer,
            routes,
            clock,
            cases: BTreeMap::new(),
            ignored: BTreeSet::new(),
            flushed: Timestamp::ZERO,
            shown: Timestamp::ZERO,
            show_cost: Span::ZERO,
        })
    }

    fn run(mut self, words: &Receiver<Word>) {
        let mut turned = Instant::now();
        self.settle();
        self.turn();
        loop {
            match words.recv_timeout(TURN) {
                Ok(Word::Batch(batch)) => self.take(&batch),
                Ok(Word::Proven(sources)) => {
                    for case in self.cases.values_mut() {
                        sources.iter().for_each(|source| case.prove(*source));
                    }
                }
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if turned.elapsed() >= TURN {
                turned = Instant::now();
                self.clock.follow();
                self.turn();
            }
        }
        self.turn();
        self.leave();
    }

    fn take(&mut self, batch: &Batch) {
        for item in &batch.items {
            if !item.attack {
                let record = &item.record;
                self.quiet.lock().note(record.at, record.headers.src, record.headers.ttl);
                continue;
            }
            for case in self.cases.values_mut() {
                if let Err(wrong) = case.take(item, batch) {
                    // What was kept so far stays; more does not fit.
                    case.remarks.push(format!("the disk took no more packets: {wrong:#}"));
                    case.recorder = None;
                    self.shared.fail(&wrong);
                }
            }
        }
    }

    /// What is due.
    fn turn(&mut self) {
        let now = self.clock.now();
        let given = Arc::clone(&self.given.lock().unwrap_or_else(PoisonError::into_inner));
        if !Arc::ptr_eq(&given, &self.setup) {
            self.knowledge = Knowledge::of(&given.config, &self.knowledge);
            self.setup = given;
            self.settle();
        }
        let (attacks, begun) = {
            let mut heard = self.shared.heard();
            (std::mem::take(&mut heard.attacks), std::mem::take(&mut heard.begun))
        };
        for attack in attacks.into_values() {
            self.hear(attack, now);
        }
        if begun && let Some(found) = self.found.take() {
            found.into_iter().for_each(|(id, place)| self.interrupted(&id, &place, now));
        }
        self.aim();
        if now.since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            let recorders = self.cases.values_mut().filter_map(|case| case.recorder.as_mut());
            let failed: Vec<_> = recorders.filter_map(|recorder| recorder.flush().err()).collect();
            failed.iter().for_each(|wrong| self.shared.fail(wrong));
        }
        if now.since(self.shown) >= SHOW_EVERY.max(self.show_cost.times(SHOW_SHARE)) {
            self.show(now);
        }
        if let Err(wrong) = self.quiet.save(now, false) {
            tracing::warn!(cause = format!("{wrong:#}"), "what was learned of senders is not saved");
        }
    }

    /// Says where own networks are, and which files and lists hold.
    fn settle(&self) {
        let known = (self.knowledge.files(), self.knowledge.lists());
        *self.shared.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        let sites = self.knowledge.sites(&self.setup.config.networks);
        *self.shared.sites.lock().unwrap_or_else(PoisonError::into_inner) = sites;
    }

    fn hear(&mut self, attack: Attack, now: Timestamp) {
        let over = attack.state == State::Over;
        if let Some(case) = self.cases.get_mut(&attack.id) {
            let turns = ids(&case.attack) != ids(&attack)
                || case.attack.targets != attack.targets
                || case.attack.vectors.len() != attack.vectors.len();
            case.hear(attack);
            if turns && case.recorder.is_some() && !over {
                let noted =
                    Place::of(&self.setup.state_dir, &case.attack.id).map(|place| place.note(&case.attack));
                if let Some(Err(wrong)) = noted {
                    self.shared.fail(&wrong);
                }
            }
        } else if !over && attack.severity == Severity::Attack {
            if self.cases.len() >= self.setup.config.intel.attacks {
                // It is taken up when there is room before it ends.
                if self.ignored.insert(attack.id) {
                    self.shared.numbers.not_followed.fetch_add(1, Ordering::Relaxed);
                }
                return;
            }
            self.ignored.remove(&attack.id);
            self.follow(attack, now);
        } else {
            self.ignored.remove(&attack.id);
            return;
        }
        // Who is over is sealed once what workers have in their hands has come: with the next turn at the earliest.
        self.end(now);
    }

    fn follow(&mut self, attack: Attack, now: Timestamp) {
        let id = attack.id.clone();
        let mut case = self.case(attack);
        if let Some(place) = Place::of(&self.setup.state_dir, &id) {
            let resumes = place.is_open();
            let opened = if resumes {
                place.resume(&mut case, now).map(Some)
            } else if self.setup.config.evidence.record && !place.is_sealed() {
                self.room().and_then(|()| place.open(&case, now)).map(Some)
            } else {
                Ok(None)
            };
            match opened {
                Ok(recorder) => case.recorder = recorder,
                Err(wrong) => self.shared.fail(&wrong),
            }
            if resumes {
                case.remarks.push("recording was interrupted and went on".to_owned());
            }
        }
        self.cases.insert(id, case);
    }

    fn case(&self, attack: Attack) -> Case {
        let key = self.quiet.key();
        Case::new(attack, &self.rules, key, self.setup.config.privacy.payload.clone())
    }

    /// Whether there is room for one more bag.
    fn room(&self) -> anyhow::Result<()> {
        let (used, space) =
            (octets(&self.setup.state_dir.join(crate::privacy::EVIDENCE)), self.setup.config.evidence.space);
        if used >= space {
            anyhow::bail!(
                "{}/evidence holds {used} of {space} octets; move sealed bags away, or raise `evidence.space`",
                self.setup.state_dir.display()
            );
        }
        Ok(())
    }

    /// A bag was found open, and its attack does not go on.
    fn interrupted(&mut self, id: &str, place: &Place, now: Timestamp) {
        if self.cases.contains_key(id) || !place.is_open() {
            return;
        }
        let sealed = place.attack().and_then(|mut attack| {
            attack.state = State::Over;
            attack.ended_at = attack.ended_at.or(Some(now));
            let mut case = self.case(attack);
            case.recorder = Some(place.resume(&mut case, now)?);
            case.remarks.push("recording was interrupted, and the attack's end was not seen".to_owned());
            Ok(case)
        });
        match sealed {
            Ok(case) => self.seal(case, now),
            Err(wrong) => self.shared.fail(&wrong),
        }
    }

    /// Hands over what is over.
    fn end(&mut self, now: Timestamp) {
        let over = |case: &Case| case.attack.state == State::Over;
        let ids: Vec<String> =
            self.cases.iter().filter(|(_, case)| over(case)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(case) = self.cases.remove(&id) {
                self.seal(case, now);
            }
        }
    }

    fn seal(&self, case: Case, at: Timestamp) {
        let (setup, knowledge) = (Arc::clone(&self.setup), self.knowing());
        self.sealer.give(Finished { case, setup, knowledge, at });
    }

    fn knowing(&self) -> Knowledge {
        self.knowledge.with(self.routes.learned(), Some(self.quiet.known()))
    }

    fn aim(&self) {
        let followed = u64::try_from(self.cases.len()).unwrap_or(u64::MAX);
        self.shared.numbers.followed.store(followed, Ordering::Relaxed);
        let targets: Vec<Prefix> =
            self.cases.values().flat_map(|case| case.attack.targets.iter().copied()).collect();
        let mut aimed = self.shared.aim.write().unwrap_or_else(PoisonError::into_inner);
        if !aimed.is_at(&targets, &self.setup.config.networks) {
            let aim = if self.setup.config.intel.attacks > 0 {
                Aim::new(targets, self.setup.config.networks.clone())
            } else {
                Aim::default()
            };
            *aimed = Arc::new(aim);
        }
    }

    fn show(&mut self, now: Timestamp) {
        self.shown = now;
        let began = Instant::now();
        let knowing = self.knowing();
        for case in self.cases.values_mut() {
            if !std::mem::take(&mut case.changed) {
                self.shared.shown.rest(now, &case.attack.id);
                continue;
            }
            let dossier = conclude(&self.setup, &knowing, case);
            self.shared.shown.show(now, &case.attack, &dossier, case.samples.shown(now));
        }
        self.show_cost = Span::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }

    /// The daemon ends: open bags stay open for the next one.
    fn leave(mut self) {
        let now = self.clock.now();
        for case in std::mem::take(&mut self.cases).into_values() {
            if let Some(recorder) = case.recorder
                && let Err(wrong) = recorder.pause(now, "the daemon ends while the attack goes on")
            {
                self.shared.fail(&wrong);
            }
        }
        if let Err(wrong) = self.quiet.save(now, true) {
            tracing::warn!(cause = format!("{wrong:#}"), "what was learned of senders is not saved");
        }
    }
}

/// Rules of an attack, by id.
fn ids(attack: &Attack) -> Vec<&str> {
    attack.rules.iter().map(|rule| rule.id.as_str()).collect()
}
