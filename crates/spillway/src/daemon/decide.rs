//! The decision core's thread: reports of workers in, attacks out to API, store and notifications.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use base::{Span, Timestamp};
use detect::ShardTick;
use engine::report::{Attack, Severity, State};
use engine::{Engine, Feed, Input, Output};
use store::{AttackRow, Snapshot};

use super::brief::brief;
use super::documents::{row, text};
use super::ears::{Drops, Ears};
use super::enforcing::{self, Desk};
use super::herald::{self, Herald, News};
use super::mailbox::{CloseAtEnd, Mailbox};
use super::notify::Notifier;
use super::scout::Scout;
use super::source::Source;
use super::worker::{Report, Shared};
use crate::enforce;
use crate::enforce::choose::{self, Bounds};
use crate::policy::View;
use crate::policy::desk::Live;

/// The core's state is saved this often, and with every attack that begins, ends or gets other rules.
const SNAPSHOT_EVERY: Span = Span::from_secs(10);
/// What was learned as normal is saved this often, and at the end; in the first minute with everything else, and at least so
/// often, as far as saving may cost.
const LEARNED_EVERY: Span = Span::from_secs(60);
const YOUNG_EVERY: Span = Span::from_secs(2);
/// Saving may cost at most this share of the time: with a large state, turning points wait for each other.
const SNAPSHOT_SHARE: u64 = 20;
/// Attacks stay in memory this long after their end; by then the store has them.
const ENDED_KEPT: Span = Span::from_secs(60);
/// A longer silence (suspended machine, clock set) is stepped over, not walked through tick by tick.
const GAP_MAX: u64 = 240;
/// Leases of rules that are in force are renewed at least this often.
const RENEW_EVERY: Span = Span::from_secs(10);

/// Who enforces, within which bounds.
pub(super) struct Office {
    /// What may act.
    pub(super) bounds: Bounds,
    /// Where the wanted set is laid.
    pub(super) desk: Arc<Desk>,
}

/// Everything around the engine.
pub(super) struct Core {
    engine: Engine,
    tick: Span,
    /// What holds for whom, as of the last tick.
    view: View,
    /// What of it was acted on last.
    stamp: Vec<u64>,
    /// Up to where each worker has reported.
    reached: Vec<Timestamp>,
    pending: Vec<(Timestamp, ShardTick, Vec<Feed>)>,
    /// Up to where the engine knows.
    until: Timestamp,
    saved: Timestamp,
    /// When what was learned was saved.
    learned: Timestamp,
    /// When something was saved for the first time.
    begun: Option<Timestamp>,
    /// What saving took the last time.
    save_cost: Span,
    /// A turning point waits to be saved.
    due: bool,
    /// Datagrams dropped by the kernel: as last said in the log, and as last told the engine.
    dropped: u64,
    drops: Drops,
    ears: Ears,
    attacks: BTreeMap<String, Attack>,
    /// The second of which traffic was shown last.
    shown: u64,
    source: Arc<Source>,
    mailbox: Arc<Mailbox>,
    /// What people are told when it is on the disk.
    herald: Herald,
    notifier: Notifier,
    /// With the time of the last wanted set, and the revision that was shown last.
    office: Option<(Office, Timestamp, u64)>,
    /// Who tells the ladder, where there is one.
    scout: Option<Scout>,
    /// The desk is closed with the core.
    _desk: Option<enforcing::CloseAtEnd>,
    /// However the core ends, the store's thread hears of it.
    _close: CloseAtEnd,
}

impl Core {
    /// Goes on with what the engine knows.
    pub(super) fn new(
        mut engine: Engine,
        workers: usize,
        source: Arc<Source>,
        mailbox: Arc<Mailbox>,
        notifier: Notifier,
        office: Option<Office>,
        scout: Option<Scout>,
    ) -> Self {
        let tick = engine.settings().tick;
        let view = source.routes.policy.view(engine.now());
        if scout.is_some() {
            engine.follow_services();
        }
        let active = engine.attacks().into_iter().filter(|attack| attack.state == State::Active);
        let attacks: BTreeMap<_, _> = active
            .map(|mut attack| {
                fit(&mut attack, office.as_ref().map(|office| &office.bounds), &view, engine.now());
                (attack.id.clone(), attack)
            })
            .collect();
        source.routes.witness.begin(attacks.values());
        let mut core = Self {
            engine,
            tick,
            stamp: view.stamp(),
            view,
            reached: vec![Timestamp::ZERO; workers],
            pending: Vec::new(),
            until: Timestamp::ZERO,
            saved: Timestamp::ZERO,
            learned: Timestamp::ZERO,
            begun: None,
            save_cost: Span::ZERO,
            due: false,
            dropped: 0,
            drops: Drops::default(),
            ears: Ears::default(),
            attacks,
            shown: 0,
            source,
            _close: CloseAtEnd(Arc::clone(&mailbox)),
            herald: Herald::new(Arc::clone(&mailbox)),
            mailbox,
            notifier,
            _desk: office.as_ref().map(|office| enforcing::CloseAtEnd(Arc::clone(&office.desk))),
            office: office.map(|office| (office, Timestamp::ZERO, 0)),
            scout,
        };
        core.publish();
        core
    }

    /// Works until all workers are gone, then saves.
    pub(super) fn run(mut self, reports: Receiver<Report>, shared: &[Shared]) {
        loop {
            let report = if self.herald.waits() {
                reports.recv_timeout(herald::LOOK)
            } else {
                reports.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match report {
                Ok(report) => {
                    if let Some(shared) = shared.get(report.worker) {
                        shared.waiting.fetch_sub(1, Ordering::AcqRel);
                    }
                    self.take(report);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tell();
        }
        self.learned = Timestamp::ZERO;
        self.save(Vec::new());
        while self.herald.waits() {
            std::thread::sleep(herald::LOOK);
            self.tell();
        }
        self.notifier.finish(self.until);
    }

    fn take(&mut self, report: Report) {
        if let Some(templates) = report.templates {
            let name = format!("templates/{}/{}", self.reached.len(), report.worker);
            self.mailbox.put(Vec::new(), vec![snapshot(name, report.until, templates)], false);
        }
        if let Some(scout) = &mut self.scout {
            scout.hear(report.until, &report.feeds, report.seen);
        }
        self.pending.push((report.until, report.tick, report.feeds));
        if let Some(reached) = self.reached.get_mut(report.worker) {
            *reached = report.until;
        }
        let horizon = self.reached.iter().copied().min().unwrap_or(Timestamp::ZERO);
        while self.until < horizon {
            self.step(horizon);
        }
    }

    /// One tick of the engine.
    fn step(&mut self, horizon: Timestamp) {
        let (from, to) = (self.until.tick(self.tick), horizon.tick(self.tick));
        self.until = if self.until == Timestamp::ZERO || to.saturating_sub(from) > GAP_MAX {
            horizon
        } else {
            self.until.plus(self.tick).min(horizon)
        };
        let until = self.until;
        self.view = self.source.routes.policy.view(until);
        let begun = Instant::now();
        let (mut shards, mut feeds) = (Vec::new(), Vec::new());
        for (_, tick, more) in self.pending.extract_if(.., |(told, ..)| *told <= until) {
            shards.push(tick);
            feeds.extend(more);
        }
        let dropped = self.drops.since(until, &self.source);
        self.engine.handle(until, Input::Health { until, feeds, dropped });
        self.ears.listen(until, &self.engine, &self.source);
        self.engine.handle(until, Input::Tick { until, shards });
        for id in self.view.closed() {
            if self.attacks.get(id).is_some_and(|attack| attack.state == State::Active) {
                self.engine.handle(until, Input::Close { id: id.to_owned() });
            }
        }
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= until) {
            self.engine.handle_timeout(until);
        }
        let spent = begun.elapsed().as_secs_f64();
        let mut numbers = self.source.numbers();
        numbers.tick.observe(spent);
        numbers.tracked = self.engine.tracked_targets();
        numbers.left_out = self.engine.left_out().to_vec();
        if until.secs() != self.shown {
            numbers.traffic = flowed(&self.engine);
        }
        // It looks at all hosts: milliseconds where there are many.
        if until.secs() / READY_EVERY != self.shown / READY_EVERY {
            numbers.baseline_ready = ready(&mut self.engine);
        }
        drop(numbers);
        self.shown = until.secs();
        let mut rows = Vec::new();
        let mut turning = false;
        while let Some(Output::Attack { attack, .. }) = self.engine.poll_output() {
            turning |= self.hear(*attack, &mut rows);
        }
        self.source.routes.pulse.beat();
        let active = self.attacks.values().filter(|attack| attack.state == State::Active);
        self.source.routes.pulse.sees(active.count());
        self.enforce(turning);
        self.scout(turning);
        self.note_traffic();
        if turning || !rows.is_empty() {
            self.publish();
        }
        let active = self.attacks.values().filter(|attack| attack.state == State::Active);
        self.notifier.renew(active.map(|attack| &attack.id), until);
        self.notifier.look(until);
        self.due |= turning;
        let rested = until.since(self.saved) >= self.save_cost.times(SNAPSHOT_SHARE);
        if (self.due && rested) || until.since(self.saved) >= SNAPSHOT_EVERY {
            self.save(rows);
        } else if !rows.is_empty() {
            let number = self.mailbox.put(rows, Vec::new(), turning);
            self.herald.laid(number);
        } else if self.is_young() && until.since(self.learned) >= YOUNG_EVERY && rested {
            // Who dies now would come back without an idea of what is honest.
            self.save(rows);
        }
    }

    /// Takes in an attack's new state; tells whether it is a turning point that must survive.
    fn hear(&mut self, mut attack: Attack, rows: &mut Vec<AttackRow>) -> bool {
        fit(&mut attack, self.office.as_ref().map(|(office, ..)| &office.bounds), &self.view, self.until);
        let known = self.attacks.get(&attack.id);
        let ids = |attack: &Attack| attack.rules.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        let turning = known.is_none_or(|known| {
            known.state != attack.state || known.severity != attack.severity || ids(known) != ids(&attack)
        });
        // who acts does so at once, who only tells waits for the disk
        if self.notifier.acts() || !(turning || self.herald.owes(&attack.id)) {
            self.notifier.tell(&attack, self.until);
        }
        if turning {
            let risen = attack.severity == Severity::Attack
                && known.is_none_or(|known| known.severity < attack.severity);
            self.herald.owe(News { attack: attack.clone(), risen }, known);
        }
        self.source.routes.witness.hear(&attack);
        let standing = self.office.as_ref().map(|(office, ..)| office.desk.standing());
        rows.push(row(&attack, self.until, &self.view, standing.as_deref()));
        self.attacks.insert(attack.id.clone(), attack);
        turning
    }

    /// Tells people what is on the disk, or took too long to get there.
    fn tell(&mut self) {
        let (news, unwritten) = self.herald.release();
        if news.is_empty() {
            return;
        }
        self.source.effort.lock().unwrap_or_else(PoisonError::into_inner).unwritten += unwritten;
        if unwritten > 0 {
            let ids: Vec<&str> = news.iter().map(|news| news.attack.id.as_str()).collect();
            tracing::warn!(
                unwritten,
                attacks = ids.join(" "),
                "told before it is on the disk, which does not answer"
            );
        }
        for News { attack, risen } in news {
            if risen {
                let class = attack.vectors.first().map_or("unknown", |vector| &vector.name);
                let mut numbers = self.source.numbers();
                *numbers.attacks.entry(class.to_owned()).or_insert(0) += 1;
                numbers.detection_delay.observe(attack.detected_at.since(attack.started_at).as_secs_f64());
                drop(numbers);
                tracing::warn!(attack_id = attack.id, target = %attack.target, class, pps = attack.peak_pps, "attack");
            } else if attack.state == State::Over {
                tracing::warn!(attack_id = attack.id, target = %attack.target, "over");
            }
            self.source.routes.events.0.push(api::Kind::Attack, text(&attack));
            if !self.notifier.acts() {
                self.notifier.tell(&attack, self.until);
            }
            self.source.routes.post.tell(|| brief(&attack, self.view.mode(&attack.target)));
        }
        self.publish();
    }

    /// Lays the rules that shall act on the desk, where they changed or their leases want renewal; shows what came of
    /// those that lay there before.
    fn enforce(&mut self, turning: bool) {
        let stamp = self.view.stamp();
        let decided = std::mem::replace(&mut self.stamp, stamp) != self.stamp;
        let Some((office, at, shown)) = &mut self.office else {
            if decided {
                self.publish();
            }
            return;
        };
        if turning || decided || self.until.since(*at) >= office.bounds.renew().min(RENEW_EVERY) {
            *at = self.until;
            office.desk.want(office.bounds.choose(&self.view, self.attacks.values()));
        }
        let revision = office.desk.revision();
        if std::mem::replace(shown, revision) != revision || decided {
            self.publish();
        }
    }

    /// Tells the ladder what is known, and shows what came of it.
    fn scout(&mut self, turning: bool) {
        let Some(scout) = &mut self.scout else { return };
        let standing = self.office.as_ref().map(|(office, ..)| office.desk.standing());
        if scout.tell((self.until, turning), &self.engine, &self.attacks, standing.as_deref(), &self.source) {
            self.publish();
        }
    }

    /// Adds what arrived in this tick to the seconds that the dashboard draws, and to how attacks ran.
    fn note_traffic(&self) {
        let standing = self.office.as_ref().map(|(office, ..)| office.desk.standing());
        // what rules would drop that only count arrives
        let dropped = standing.map(|standing| {
            let acting = standing.actual.iter().filter(|(id, _)| !standing.dry.contains(*id));
            acting.map(|(_, done)| done.dropped).sum()
        });
        let mut traffic = self.source.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.tick(self.until, self.engine.received(), self.engine.sizes(), dropped);
        let mut courses = self.source.courses.lock().unwrap_or_else(PoisonError::into_inner);
        courses.tick(self.until, self.engine.parts());
    }

    /// Hands the attacks to the API.
    fn publish(&mut self) {
        let now = self.until;
        self.attacks.retain(|_, attack| {
            attack.state == State::Active
                || attack.ended_at.is_none_or(|end| now.since(end) < ENDED_KEPT.times(2))
        });
        let standing = self.office.as_ref().map(|(office, ..)| office.desk.standing());
        let active = self.attacks.values().filter(|attack| attack.state == State::Active);
        let active = active.map(|attack| (attack.id.clone(), attack.target)).collect();
        self.source.routes.policy.know(active, live(&self.attacks));
        self.source.history.know(&self.attacks);
        self.source.publish(&self.herald.seen(&self.attacks), &self.view, standing.as_deref());
    }

    /// Puts the core's state and these rows into the mailbox, to be written together.
    fn save(&mut self, rows: Vec<AttackRow>) {
        self.saved = self.until;
        self.warn_of_drops();
        let urgent = std::mem::take(&mut self.due);
        let cost =
            |begun: Instant| Span::from_nanos(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let begun = Instant::now();
        let mut states = vec![snapshot("core".to_owned(), self.until, self.engine.snapshot_attacks())];
        self.save_cost = cost(begun);
        self.begun.get_or_insert(self.until);
        if self.is_young() || self.until.since(self.learned) >= LEARNED_EVERY {
            self.learned = self.until;
            states.push(snapshot("learned".to_owned(), self.until, self.engine.snapshot_learned()));
            if self.is_young() {
                self.save_cost = cost(begun);
            }
        }
        let number = self.mailbox.put(rows, states, urgent);
        self.herald.laid(number);
    }

    /// Whether what it knows as normal is mostly not on the disk yet.
    fn is_young(&self) -> bool {
        self.begun.is_none_or(|begun| self.until.since(begun) < LEARNED_EVERY)
    }
}

impl Core {
    /// Datagrams that the kernel dropped must not be found by chance in a metric.
    fn warn_of_drops(&mut self) {
        let dropped = self.source.drops().iter().sum();
        if dropped > self.dropped {
            let since = dropped - self.dropped;
            tracing::warn!(
                since,
                dropped,
                "the kernel dropped datagrams; raise `listen.receive_buffer` or net.core.rmem_max"
            );
        }
        self.dropped = dropped;
    }
}

/// Makes of an attack's rules those that its targets like, also where only routers and absorbers filter.
fn fit(attack: &mut Attack, bounds: Option<&Bounds>, view: &View, now: Timestamp) {
    match bounds {
        Some(bounds) => bounds.fit(attack, view, now, enforce::own),
        None => choose::soften(attack, view),
    }
}

fn snapshot(name: String, taken_at: Timestamp, body: Vec<u8>) -> Snapshot {
    Snapshot { name, taken_at, build: env!("CARGO_PKG_VERSION").to_owned(), body }
}

/// What own networks got and sent, by customer.
fn flowed(engine: &Engine) -> Vec<api::metrics::Flowed> {
    let of = engine.flowed().map(|(group, direction, proto, sum)| api::metrics::Flowed {
        group: group.to_owned(),
        direction: direction.name(),
        proto,
        packets: sum.packets,
        bytes: sum.bytes,
    });
    of.collect()
}

/// Of how many hosts it is known what is usual, as a share, by customer.
#[expect(clippy::cast_precision_loss, reason = "counts of hosts")]
fn ready(engine: &mut Engine) -> Vec<(String, f64)> {
    let all = engine.ready().into_iter();
    all.map(|(group, ready)| (group.to_owned(), ready.learned as f64 / ready.hosts.max(1) as f64)).collect()
}

/// Seconds from one look at all hosts to the next.
const READY_EVERY: u64 = 10;

/// Rules of attacks that go on, as they can be taken back.
fn live(attacks: &BTreeMap<String, Attack>) -> Vec<Live> {
    let active = attacks.values().filter(|attack| attack.state == State::Active);
    let rules = active.flat_map(|attack| {
        attack.rules.iter().map(|rule| Live {
            id: rule.id.clone(),
            text: rule.text.clone(),
            attack: attack.id.clone(),
            target: attack.target,
            until: rule.expires_at,
        })
    });
    rules.collect()
}
