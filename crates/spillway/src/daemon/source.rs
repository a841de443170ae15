//! What the API may ask: attacks as of the last tick, numbers as of now.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use api::metrics::{self, Histogram, Metrics};
use api::{Kind, Live, LiveAttack};
use base::Timestamp;
use engine::report::{Attack, Severity, State};
use engine::{Heard, Hearing};
use serde_json::value::RawValue;

use super::course::Courses;
use super::documents::{live_document, made_document, rule_document, rule_state};
use super::drops;
use super::enforcing::{Desk, Standing};
use super::notify::Told;
use super::persist::Effort;
use super::routes::Routes;
use super::tally::{Board, Seen};
use super::traffic::Traffic;
use crate::disclosure::Cases;
use crate::enforce::teller::Refused;
use crate::history::Pen;
use crate::policy::View;
use crate::privacy::AtRest;

/// Numbers that the core's thread counts.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    /// Attacks by leading vector.
    pub(super) attacks: BTreeMap<String, u64>,
    /// First packet to decision.
    pub(super) detection_delay: Histogram,
    /// Work per tick.
    pub(super) tick: Histogram,
    /// Targets under watch.
    pub(super) tracked: usize,
    /// Share of own hosts of which it is known what is usual, by customer.
    pub(super) baseline_ready: Vec<(String, f64)>,
    /// What own networks got and sent, by customer.
    pub(super) traffic: Vec<metrics::Flowed>,
    /// What the core left out at its caps, by name.
    pub(super) left_out: Vec<(&'static str, u64)>,
    /// How exporters are heard.
    pub(super) heard: BTreeMap<IpAddr, Heard>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            attacks: BTreeMap::new(),
            detection_delay: Histogram::new(&[0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0]),
            tick: Histogram::new(&[0.001, 0.002, 0.005, 0.01, 0.05, 0.25]),
            tracked: 0,
            baseline_ready: Vec::new(),
            traffic: Vec::new(),
            left_out: Vec::new(),
            heard: BTreeMap::new(),
        }
    }
}

/// A listener's sockets and what they lost.
#[derive(Debug)]
struct Drops {
    /// (inode, index of the listener, counter).
    sockets: Vec<(u64, usize, drops::Counter)>,
}

/// Shared by all threads of the daemon.
#[derive(Debug)]
pub(super) struct Source {
    listeners: Vec<&'static str>,
    drops: Mutex<Drops>,
    boards: Vec<Arc<Board>>,
    attacks: RwLock<Arc<Shown>>,
    numbers: Mutex<Numbers>,
    /// What the store's thread does.
    pub(super) effort: Arc<Mutex<Effort>>,
    /// What notifications did.
    pub(super) told: Arc<Told>,
    /// What the enforcer did, and telemetry of local packets that found no room.
    pub(super) desk: Option<(Arc<Desk>, Refused)>,
    /// How attacks that are over are shown: as they are kept.
    pub(super) at_rest: Arc<AtRest>,
    /// Those that were, until they are shown no more.
    over: Mutex<BTreeMap<String, Attack>>,
    /// What retention did.
    pub(super) swept: Arc<Mutex<metrics::Privacy>>,
    /// The desk for routes, and the sign of life that it looks for.
    pub(super) routes: Routes,
    /// Where samples are kept.
    pub(super) history: Pen,
    /// Exporters that are interfaces of this machine, by the address under which they are heard.
    pub(super) locals: BTreeMap<IpAddr, String>,
    /// What stands over every page of the dashboard.
    pub(super) banner: Option<String>,
    /// Where disclosures are.
    pub(super) cases: Option<Cases>,
    /// What arrived in the last seconds.
    pub(super) traffic: Mutex<Traffic>,
    /// How attacks ran.
    pub(super) courses: Mutex<Courses>,
    /// Set while traffic is watched.
    pub(super) ready: AtomicBool,
    /// When the configuration was taken and whether the last reload was, seconds since 1970.
    reload: Mutex<(bool, f64)>,
}

/// Attacks and rules as documents, and their numbers.
#[derive(Debug, Default)]
struct Shown {
    attacks: Vec<LiveAttack>,
    rules: Vec<Box<RawValue>>,
    active: BTreeMap<(String, String), u64>,
    rule_counts: BTreeMap<(String, String), u64>,
    /// States of rules by (attack, id): what changes is an event.
    rule_states: BTreeMap<(String, String), &'static str>,
}

impl Source {
    /// `sockets` are (inode, index of the listener).
    pub(super) fn new(
        listeners: Vec<&'static str>,
        sockets: &[(u64, usize)],
        boards: Vec<Arc<Board>>,
        at_rest: Arc<AtRest>,
    ) -> Self {
        let sockets = sockets.iter().map(|(inode, at)| (*inode, *at, drops::Counter::default())).collect();
        Self {
            listeners,
            drops: Mutex::new(Drops { sockets }),
            boards,
            attacks: RwLock::default(),
            numbers: Mutex::default(),
            effort: Arc::default(),
            told: Arc::default(),
            desk: None,
            at_rest,
            over: Mutex::default(),
            swept: Arc::default(),
            routes: Routes::default(),
            history: Pen::default(),
            locals: BTreeMap::new(),
            banner: None,
            cases: None,
            traffic: Mutex::default(),
            courses: Mutex::default(),
            ready: AtomicBool::new(false),
            reload: Mutex::new((true, 0.0)),
        }
    }

    /// The core's numbers, to be counted up.
    pub(super) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Disclosures that left, by purpose and result; without a ledger nothing leaves.
    fn reports(&self) -> BTreeMap<(String, String), u64> {
        let place = self.cases.as_ref().zip(self.routes.pen.now());
        place.map(|(cases, now)| self.routes.reports.sums(cases, now)).unwrap_or_default()
    }

    /// How exporters are heard from now on.
    pub(super) fn hear(&self, heard: &BTreeMap<IpAddr, Heard>) {
        self.numbers().heard.clone_from(heard);
    }

    /// How exporters are heard, by name.
    pub(super) fn heard(&self) -> Vec<(String, Heard)> {
        let heard: Vec<Heard> = self.numbers().heard.values().cloned().collect();
        heard.into_iter().map(|heard| (self.name(&heard.address), heard)).collect()
    }

    /// Exporters, and attacks that go on.
    pub(super) fn standing(&self) -> (usize, u64) {
        (self.exporters().len(), self.shown().active.values().sum())
    }

    /// Shows these attacks from now on.
    pub(super) fn publish(
        &self,
        attacks: &BTreeMap<String, Attack>,
        view: &View,
        standing: Option<&Standing>,
    ) {
        let backend = standing.map_or("none", |standing| standing.backend);
        let mut shown = Shown::default();
        let before = self.shown();
        let lookout = self.routes.door.lookout();
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.retain(|id, _| attacks.contains_key(id));
        for attack in attacks.values() {
            let attack = match attack.state {
                State::Active => attack,
                State::Over => over.entry(attack.id.clone()).or_insert_with(|| self.at_rest.attack(attack)),
            };
            let mitigation = lookout.as_ref().and_then(|lookout| lookout.shown(&attack.id));
            let document = live_document(attack, view, standing, mitigation);
            let Ok(document) = RawValue::from_string(document) else { continue };
            shown.attacks.push(LiveAttack {
                id: attack.id.clone(),
                started_at: attack.started_at,
                over: attack.state == State::Over,
                document,
            });
            if attack.state == State::Over {
                continue;
            }
            let class = attack.vectors.first().map_or("unknown", |vector| &vector.name);
            let severity = if attack.severity == Severity::Attack { "attack" } else { "suspicious" };
            *shown.active.entry((class.to_owned(), severity.to_owned())).or_insert(0) += 1;
            for rule in &attack.rules {
                let state = rule_state(attack, rule, view, standing);
                let document = rule_document(attack, rule, &state, standing);
                let key = (attack.id.clone(), rule.id.clone());
                if before.rule_states.get(&key) != Some(&state.0) {
                    self.routes.events.0.push(Kind::Rule, document.clone());
                }
                shown.rule_states.insert(key, state.0);
                shown.rules.extend(RawValue::from_string(document));
                *shown.rule_counts.entry((backend.to_owned(), state.0.to_owned())).or_insert(0) += 1;
            }
        }
        for (held, rule) in view.rules() {
            let end = held.end().unwrap_or_default();
            let document =
                made_document(&rule.id, &::rules::Rule { lease: None, ..rule.clone() }, end, standing);
            shown.rules.extend(RawValue::from_string(document));
        }
        *self.attacks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
    }

    /// A configuration was looked at.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 need no more than 53 bits")]
    pub(super) fn taken(&self, ok: bool, now: Timestamp) {
        let mut reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.0 = ok;
        if ok {
            reload.1 = now.nanos() as f64 / 1e9;
        }
    }

    /// Datagrams dropped by the kernel, by listener.
    pub(super) fn drops(&self) -> Vec<u64> {
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        let inodes: Vec<u64> = drops.sockets.iter().map(|(inode, _, _)| *inode).collect();
        for (inode, now) in drops::read(&inodes) {
            for (_, _, counter) in drops.sockets.iter_mut().filter(|(of, _, _)| *of == inode) {
                counter.read(now);
            }
        }
        let of =
            |at| drops.sockets.iter().filter(move |(_, of, _)| *of == at).map(|(_, _, c)| c.total()).sum();
        (0..self.listeners.len()).map(of).collect()
    }

    /// An exporter's address, or the interface it stands for.
    fn name(&self, address: &IpAddr) -> String {
        self.locals.get(address).map_or_else(|| address.to_string(), |name| format!("local:{name}"))
    }

    fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.attacks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exporters of all workers by address. Steering keeps one in one worker, so an address stands here once.
    fn exporters(&self) -> Vec<Seen> {
        let mut all: Vec<Seen> =
            self.boards.iter().flat_map(|board| board.look().exporters.clone()).collect();
        // After a change of the number of workers, templates taken up again may name an exporter twice.
        all.sort_by_key(|seen| (seen.address, std::cmp::Reverse(seen.document.datagrams)));
        all.dedup_by_key(|seen| seen.address);
        let numbers = self.numbers();
        for seen in &mut all {
            seen.document.address = self.name(&seen.address);
            let Some(heard) = numbers.heard.get(&seen.address) else { continue };
            heard.hearing.name().clone_into(&mut seen.document.heard);
            seen.document.heard_since = Some(heard.since.to_string());
            seen.document.usual_records_per_second = heard.usual;
        }
        all
    }

    fn listeners(&self) -> Vec<metrics::Listener> {
        let mut out: Vec<metrics::Listener> = self
            .listeners
            .iter()
            .zip(self.drops())
            .map(|(name, socket_drops)| metrics::Listener {
                name: (*name).to_owned(),
                socket_drops,
                ..metrics::Listener::default()
            })
            .collect();
        for board in &self.boards {
            let published = board.look();
            for (listener, refused) in out.iter_mut().zip(&published.refused) {
                listener.refused += refused;
            }
            for (listener, errors) in out.iter_mut().zip(&published.errors) {
                listener.errors += errors;
            }
        }
        out
    }

    /// Counts by exporter, listener and format.
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 need no more than 53 bits")]
    fn counts(&self) -> Vec<metrics::Exporter> {
        let mut out: BTreeMap<String, metrics::Exporter> = BTreeMap::new();
        let of = |out: &mut BTreeMap<String, metrics::Exporter>, address: String| {
            let fresh = metrics::Exporter { address: address.clone(), ..metrics::Exporter::default() };
            out.entry(address).or_insert(fresh).clone()
        };
        for seen in self.exporters() {
            let document = seen.document;
            let mut exporter = of(&mut out, document.address.clone());
            exporter.faults = document.faults;
            exporter.sequence_lost = document.sequence_lost;
            exporter.sampling_rate = document.sampling_rate;
            exporter.export_delay = document.export_delay_seconds;
            exporter.flow_duration = document.flow_duration_seconds;
            exporter.earliest_detection = document.earliest_detection_seconds;
            exporter.truth_factor = document.truth_factor;
            exporter.doubtful = document.doubtful;
            exporter.last_seen = seen.last_seen.nanos() as f64 / 1e9;
            out.insert(document.address, exporter);
        }
        for (address, heard) in &self.numbers().heard {
            let address = self.name(address);
            let mut exporter = of(&mut out, address.clone());
            exporter.hearing = Some(match heard.hearing {
                Hearing::Whole => metrics::Hearing::Whole,
                Hearing::Part => metrics::Hearing::Part,
                Hearing::Silent => metrics::Hearing::Silent,
            });
            out.insert(address, exporter);
        }
        for board in &self.boards {
            for (key, count) in &board.look().counts {
                let address = self.name(&key.exporter);
                let mut exporter = of(&mut out, address.clone());
                let listener = self.listeners.get(key.listener).map_or("", |name| name).to_owned();
                let format = key.format.map_or("unknown", telemetry::Format::name).to_owned();
                let entry = exporter.counts.entry((listener, format)).or_insert((0, 0));
                entry.0 += count.datagrams;
                entry.1 += count.flows;
                exporter.traffic.0 = exporter.traffic.0.saturating_add(count.traffic.0);
                exporter.traffic.1 = exporter.traffic.1.saturating_add(count.traffic.1);
                out.insert(address, exporter);
            }
        }
        out.into_values().collect()
    }
}

impl api::Source for Source {
    fn live(&self) -> Arc<Live> {
        let shown = self.shown();
        let exporters = self.exporters().into_iter().map(|seen| seen.document).collect();
        Arc::new(Live { attacks: shown.attacks.clone(), rules: shown.rules.clone(), exporters })
    }

    fn brief(&self) -> api::Brief {
        let shown = self.shown();
        let (reload_ok, _) = *self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        api::Brief {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            attacks_active: shown.active.values().sum(),
            rules: u64::try_from(shown.rules.len()).unwrap_or(u64::MAX),
            reload_ok,
        }
    }

    fn metrics(&self) -> Metrics {
        let shown = self.shown();
        let numbers = self.numbers().clone();
        let effort = self.effort.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reload_ok, reload_at) = *self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let (resident_bytes, cpu_seconds) = super::process::usage();
        Metrics {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listeners: self.listeners(),
            exporters: self.counts(),
            attacks_active: shown.active.clone(),
            attacks: numbers.attacks,
            rules: shown.rule_counts.clone(),
            notifications: self.told.counts().into_iter().chain(self.routes.post.counts().all()).collect(),
            notifications_waiting: self
                .routes
                .post
                .waiting()
                .into_iter()
                .map(|(channel, w)| (channel, w.events + w.messages))
                .collect(),
            detection_delay: numbers.detection_delay,
            tick: numbers.tick,
            tracked_hosts: numbers.tracked as u64,
            baseline_ready: numbers.baseline_ready,
            reports: self.reports(),
            traffic: numbers.traffic,
            left_out: numbers.left_out.clone(),
            store_write: effort.writes,
            store_errors: effort.errors,
            store_lost: effort.lost,
            store_unwritten: effort.unwritten,
            snapshot_bytes: effort.snapshot_bytes,
            reload_ok,
            reload_at,
            resident_bytes,
            cpu_seconds,
            routing: self.routes.door.numbers(),
            dns: self.routes.names.numbers(),
            ledger: self.routes.pen.numbers(),
            api: None,
            intel: self.routes.witness.numbers(),
            privacy: self.swept.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            history: self.history.numbers(),
            dataplane: self.desk.as_ref().map(|(desk, refused)| {
                let standing = desk.standing();
                metrics::Dataplane {
                    backend: standing.backend.to_owned(),
                    wanted: standing.wanted as u64,
                    actual: standing.actual.len() as u64,
                    as_wanted: standing.error.is_none(),
                    applied: standing.applied,
                    errors: standing.errors,
                    apply: standing.apply.clone(),
                    told: standing.told.0,
                    lost: standing.told.1 + refused.load(Ordering::Relaxed),
                    decided: standing.decided.clone(),
                    left: standing.counted.left.clone(),
                    tables: standing.counted.tables.clone(),
                }
            }),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Relaxed) { Ok(()) } else { Err("not watching traffic yet".to_owned()) }
    }

    fn banner(&self) -> Option<String> {
        self.banner.clone()
    }

    fn traffic(&self) -> Vec<api::Second> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).seconds()
    }

    fn origins(&self, attack: &str) -> Option<Arc<api::Origins>> {
        self.routes.witness.origins(attack)
    }

    fn sites(&self) -> Vec<api::Site> {
        self.routes.witness.sites()
    }

    fn sources(&self, attack: &str) -> Option<Arc<api::Sources>> {
        self.routes.witness.sources(attack)
    }

    fn packets(&self, attack: &str) -> Option<Arc<api::Packets>> {
        self.routes.witness.packets(attack)
    }

    fn course(&self, attack: &str) -> Option<api::Course> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner).show(attack)
    }

    fn intelligence(&self) -> api::Intelligence {
        self.routes.witness.intelligence()
    }

    fn notes(&self) -> Vec<String> {
        let numbers = self.numbers();
        let missing = numbers.heard.values().filter(|heard| heard.hearing != Hearing::Whole);
        let note = |heard: &Heard| match heard.hearing {
            Hearing::Silent => format!("exporter {} is silent since {}", heard.address, heard.since),
            _ => format!("exporter {} is heard in part only since {}", heard.address, heard.since),
        };
        let ledger = self.routes.pen.trouble().map(|why| format!("the ledger cannot be written: {why}"));
        missing.map(note).chain(self.routes.witness.notes()).chain(ledger).collect()
    }
}
