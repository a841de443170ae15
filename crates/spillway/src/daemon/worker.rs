//! A worker: sockets in, counts out. All state of an exporter lives in one worker.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use base::map::Seed;
use base::prefix::PrefixTable;
use base::{Span, Timestamp};
use detect::Shard;
use detect::ShardTick;
use engine::{Feed, Feeds};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use telemetry::collector::View;
use telemetry::record::Sampling;
use telemetry::{Collector, Format};

use super::clock::Clock;
use super::listener::Socket;
use super::receive::{BATCH, Buffers, Headers, batch, headers};
use super::rest::Rest;
use super::roles::RoleBook;
use super::tally::{Board, Key, Published, Seen, Tally};
use crate::config::Config;
use crate::enforce::teller;
use crate::history::{Pen, Quill};
use crate::routing::Door;
use crate::routing::lookout::{Amount, Sighting, Spyglass};
use crate::witness::{self, Lens};

/// Batches taken from one socket before the others get their turn.
const TURN: usize = 16;
/// Ticks that may wait for the core. When it falls behind further, the worker goes on counting into the open one.
pub(super) const TICKS_WAITING_MAX: u32 = 4;
/// Templates are handed over for saving this often, in ticks.
const TEMPLATES_EVERY: u64 = 40;
/// The kernel lets ten local datagrams wait, one each 10 ms: a rest must not be longer than a few.
const REST_MAX: Duration = Duration::from_millis(20);

/// What a worker tells the core.
#[derive(Debug)]
pub(super) struct Report {
    /// Whose.
    pub(super) worker: usize,
    /// Everything up to here is told.
    pub(super) until: Timestamp,
    /// The counts since the last report.
    pub(super) tick: ShardTick,
    /// What came of each exporter since then.
    pub(super) feeds: Vec<Feed>,
    /// Templates, when it is their time.
    pub(super) templates: Option<Vec<u8>>,
    /// What was seen of attacks that routers are told about.
    pub(super) seen: Vec<(Sighting, Amount)>,
}

/// What workers share with the rest.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// Set when the daemon ends.
    pub(super) stop: Arc<AtomicBool>,
    /// Reports of this worker that the core has not taken yet.
    pub(super) waiting: Arc<AtomicU32>,
    /// Where counts are published.
    pub(super) board: Arc<Board>,
    /// Where it stands what is looked for.
    pub(super) door: Door,
    /// Who looks at the sources of attacks.
    pub(super) witness: witness::Door,
    /// Where samples are kept.
    pub(super) history: Pen,
}

/// One worker.
pub(super) struct Worker<'a> {
    index: usize,
    tick: Span,
    allow: Option<PrefixTable<()>>,
    sockets: &'a [Socket],
    /// Listeners of datagrams from elsewhere.
    listeners: usize,
    /// Where packets of this machine's interfaces are told, with the place of their listener.
    local: Option<(UnixDatagram, usize)>,
    collector: Collector,
    shard: Shard,
    roles: RoleBook,
    tally: Tally,
    feeds: Feeds,
    spyglass: Spyglass,
    lens: Lens,
    quill: Option<Quill>,
    shared: Shared,
    reports: SyncSender<Report>,
    /// The sampling last resolved, by the collector's index of the exporter.
    rates: Vec<Sampling>,
    ticks: u64,
    changed: bool,
}

impl<'a> Worker<'a> {
    /// A worker over these sockets; `key` steers the choice of samples, `seed` the slots of tables.
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
    pub(super) fn new(
        (index, workers): (usize, usize),
        config: &Config,
        sockets: &'a [Socket],
        listeners: usize,
        key: u64,
        seed: &Seed,
        shared: Shared,
        reports: SyncSender<Report>,
    ) -> Self {
        let settings = config.engine();
        let allow = &config.listen.allow;
        Self {
            index,
            tick: settings.tick,
            allow: (!allow.is_empty()).then(|| PrefixTable::new(allow.iter().map(|prefix| (*prefix, ())))),
            sockets,
            listeners,
            local: None,
            collector: Collector::new(
                telemetry::collector::Settings { member: member(index, workers), ..config.telemetry() },
                seed.clone(),
            ),
            shard: Shard::new(settings.profile, &settings.networks, settings.tick, key).thinned(),
            roles: RoleBook::new(config),
            tally: Tally::new(listeners + 1, seed.clone()),
            feeds: Feeds::default(),
            spyglass: Spyglass::default(),
            lens: Lens::new(shared.witness.clone()),
            quill: shared.history.quill(),
            shared,
            reports,
            rates: Vec::new(),
            ticks: 0,
            changed: true,
        }
    }

    /// Also hears what is told of packets on this machine's interfaces; `listener` counts it.
    pub(super) fn listen_here(&mut self, socket: UnixDatagram, listener: usize) {
        self.local = Some((socket, listener));
    }

    /// Takes up templates that were saved.
    pub(super) fn remember(&mut self, at: Timestamp, templates: &[u8]) {
        if let Err(cause) = self.collector.import_templates(at, templates) {
            tracing::warn!(%cause, "saved templates are left aside; exporters will send theirs again");
        }
    }

    /// Works until it is told to stop, then tells the rest.
    pub(super) fn run(mut self, mut clock: Clock) {
        let mut buffers = Buffers::new();
        let mut headers: Vec<Headers> = self.sockets.iter().map(|_| headers()).collect();
        let rest = Rest::new(self.sockets, self.tick);
        let mut open = clock.now().tick(self.tick);
        let mut last = clock.now();
        loop {
            let stopping = self.shared.stop.load(Ordering::Relaxed);
            let (busy, taken) = self.drain(clock, &mut buffers, &mut headers);
            clock.follow();
            let now = clock.now();
            if now.tick(self.tick) != open || stopping {
                self.close(now, stopping);
                open = now.tick(self.tick);
            }
            if stopping {
                return;
            }
            match busy {
                Busy::Full => {}
                Busy::Some => {
                    let rest = rest.after(now, now.since(last), taken);
                    std::thread::sleep(if self.local.is_some() { rest.min(REST_MAX) } else { rest });
                }
                Busy::No => self.wait(now),
            }
            last = now;
        }
    }

    /// Sleeps until a datagram comes, or the tick ends.
    fn wait(&self, now: Timestamp) {
        let next = (now.tick(self.tick) + 1).saturating_mul(self.tick.nanos());
        let left = next.saturating_sub(now.nanos()) / 1_000_000 + 1;
        let mut fds: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket.udp.as_fd(), PollFlags::POLLIN)).collect();
        let local = self.local.iter().map(|(socket, _)| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        fds.extend(local);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // An interrupted or failed wait is a short one.
        let _ = poll(&mut fds, timeout);
    }

    /// Empties the sockets as far as a turn goes.
    fn drain(&mut self, clock: Clock, buffers: &mut Buffers, headers: &mut [Headers]) -> (Busy, usize) {
        let (mut busy, mut taken) = (Busy::No, 0);
        let sockets = self.sockets;
        for (socket, headers) in sockets.iter().zip(headers) {
            for turn in 0..TURN {
                let now = clock.now();
                let got = batch(socket, headers, buffers, |from, bytes| {
                    self.datagram(now, socket.listener, from, bytes);
                });
                match got {
                    Ok(0) => break,
                    Ok(count) => {
                        taken += count;
                        busy = busy.max(if turn + 1 == TURN { Busy::Full } else { Busy::Some });
                        if count < BATCH {
                            break;
                        }
                    }
                    Err(cause) => {
                        self.changed = true;
                        if let Some(errors) = self.tally.errors.get_mut(socket.listener) {
                            *errors += 1;
                        }
                        tracing::debug!(%cause, "socket error");
                        break;
                    }
                }
            }
        }
        taken += self.drain_here(clock);
        (busy, taken)
    }

    /// Takes what is told of packets on this machine's interfaces. It is not a reason to rest: it comes by the clock.
    fn drain_here(&mut self, clock: Clock) -> usize {
        let Some((socket, listener)) = self.local.take() else { return 0 };
        let mut buffer = vec![0; 1 << 16];
        let mut taken = 0;
        while taken < TURN
            && let Ok(length) = socket.recv(&mut buffer)
        {
            taken += 1;
            let datagram = buffer.get(..length).unwrap_or(&[]);
            if let Some(from) = teller::sender(datagram) {
                self.datagram(clock.now(), listener, from, datagram);
            }
        }
        self.local = Some((socket, listener));
        taken
    }

    fn datagram(&mut self, now: Timestamp, listener: usize, from: std::net::IpAddr, bytes: &[u8]) {
        self.changed = true;
        let here = listener >= self.listeners;
        if !here && self.allow.as_ref().is_some_and(|allow| allow.longest(from).is_none()) {
            if let Some(refused) = self.tally.refused.get_mut(listener) {
                *refused += 1;
            }
            return;
        }
        let (shard, roles, spyglass) = (&mut self.shard, &self.roles, &mut self.spyglass);
        let lens = &mut self.lens;
        let quill = &mut self.quill;
        let mut flows = 0;
        let mut traffic = (0u64, 0u64);
        let mut last: Option<(u32, Sampling)> = None;
        self.collector.datagram(now, from, bytes, &mut |told, record| {
            flows += 1;
            let Some(record) = record else { return };
            last = Some((record.exporter, record.sampling));
            spyglass.see(from, told.dropped, record);
            if !roles.counts(record) {
                return;
            }
            let rate = u64::from(record.sampling.rate.unwrap_or(1));
            traffic.0 = traffic.0.saturating_add(record.packets.saturating_mul(rate));
            traffic.1 = traffic.1.saturating_add(record.bytes.saturating_mul(rate));
            lens.see(bytes, told, record);
            shard.record(record);
            if let Some(quill) = quill {
                quill.note(record, from);
            }
        });
        for discard in self.collector.discards() {
            self.spyglass.see_dropped(from, &discard.record);
            self.lens.see_dropped(bytes, from, discard);
        }
        if let Some((exporter, sampling)) = last {
            self.resolved(exporter, sampling);
        }
        self.tally.count(Key { listener, exporter: from, format: Format::recognise(bytes) }, flows, traffic);
    }

    fn resolved(&mut self, exporter: u32, sampling: Sampling) {
        let at = usize::try_from(exporter).unwrap_or(0);
        if self.rates.len() <= at {
            self.rates.resize(at + 1, Sampling::UNKNOWN);
        }
        if let Some(rate) = self.rates.get_mut(at) {
            *rate = sampling;
        }
    }

    /// The tick has ended: reports it, unless the core is behind, and publishes the counters.
    fn close(&mut self, now: Timestamp, last: bool) {
        self.ticks += 1;
        self.lens.close();
        if let Some(quill) = &mut self.quill {
            quill.hand_over();
        }
        self.roles.refresh(&mut self.collector);
        self.collector.expire(now);
        if self.changed {
            self.changed = false;
            self.publish();
        }
        if !last && self.shared.waiting.load(Ordering::Acquire) >= TICKS_WAITING_MAX {
            return;
        }
        let number = now.tick(self.tick) + u64::from(last);
        let until = Timestamp::from_nanos(number.saturating_mul(self.tick.nanos()));
        let templates =
            (last || self.ticks.is_multiple_of(TEMPLATES_EVERY)).then(|| self.collector.export_templates());
        let feeds = self.feeds.since(&mut self.collector);
        if let Some(lookout) = self.shared.door.lookout() {
            self.spyglass.aim(&lookout.watched());
        }
        let seen = self.spyglass.take();
        let report = Report { worker: self.index, until, tick: self.shard.close(), feeds, templates, seen };
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        // The channel has room for more than may wait; a core that is gone needs no report.
        let _ = self.reports.send(report);
    }

    fn publish(&self) {
        let exporters = self.collector.exporters().map(|view| self.seen(&view)).collect();
        self.shared.board.publish(Published {
            counts: self.tally.counts(),
            refused: self.tally.refused.clone(),
            errors: self.tally.errors.clone(),
            exporters,
        });
    }

    fn seen(&self, view: &View<'_>) -> Seen {
        let stats = view.stats;
        let at = usize::try_from(view.index).unwrap_or(usize::MAX);
        let sampling = self.rates.get(at).copied().unwrap_or(Sampling::UNKNOWN);
        let document = api::model::Exporter {
            index: view.index,
            address: view.address.to_string(),
            datagrams: stats.datagrams,
            flows: stats.flows,
            sampling_rate: sampling.rate,
            sampling_source: sampling.source.name().to_owned(),
            formats: self.tally.formats(view.address),
            sequence_lost: stats.lost_datagrams.saturating_add(stats.lost_records),
            templates: stats.templates,
            buffered_bytes: stats.buffered_bytes,
            faults: stats.faults.iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            last_seen: (view.last_seen > Timestamp::ZERO).then(|| view.last_seen.to_string()),
            interfaces: view
                .names
                .iter()
                .map(|(index, name)| (index.to_string(), name.text.clone()))
                .collect(),
            export_delay_seconds: view.delay.export().map(Span::as_secs_f64),
            flow_duration_seconds: view.delay.lasting().map(Span::as_secs_f64),
            earliest_detection_seconds: view.delay.earliest_detection().map(Span::as_secs_f64),
            truth_factor: view.truth.verdict().factor(),
            truth_off: view.truth.verdict().is_off(),
            flows_too_fast: view.speeds.flows(),
            doubtful: view.doubt().is_some(),
            heard: "unknown".to_owned(),
            heard_since: None,
            usual_records_per_second: None,
        };
        Seen { address: view.address, document, last_seen: view.last_seen }
    }
}

/// Which of how many collectors a worker's is.
fn member(worker: usize, workers: usize) -> (u32, u32) {
    (u32::try_from(worker).unwrap_or(0), u32::try_from(workers).unwrap_or(1))
}

/// Whether there was anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Busy {
    No,
    Some,
    Full,
}
