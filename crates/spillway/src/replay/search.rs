//! The first pass: records in, attacks out.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use base::Timestamp;
use base::map::Seed;
use engine::report::Attack;
use engine::{Engine, Feed, Front, Input, Output, Settings};
use telemetry::Record;

use super::{Feed as Files, Item};

/// What a recording held.
#[derive(Debug, Default)]
pub struct Found {
    /// Its packets, scaled where sampled.
    pub packets: u64,
    /// Their layer-3 octets by original length, scaled where sampled.
    pub bytes: u64,
    /// Packets that each shard counted.
    pub packets_per_shard: Vec<u64>,
}

/// How the work is cut and the tables are seeded: neither shows in the result.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Number of shards.
    pub shards: usize,
    /// Seed of the tables.
    pub seed: Seed,
}

/// Records handed over at once: few enough to stay in a core's own cache.
const BATCH: usize = 1024;
/// Batches under way; a reader that is faster waits.
const BATCHES_MAX: usize = 4;
/// Ticks that the core may lag behind.
const TICKS_MAX: usize = 16;

/// Looks through all files; `each` gets every report as it is made, with the time when it was decided. Reading and counting work side by side; the reports and
/// their order do not show it.
pub fn search(
    feed: &mut Files,
    settings: &Settings,
    cut: Cut,
    mut each: impl FnMut(Timestamp, Attack) -> anyhow::Result<()>,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let (mut reader, worker) = pair();
    std::thread::scope(|scope| {
        let counting = scope.spawn(move || worker.run(settings.clone(), cut));
        let mut take = |report: Report| each(report.0, *report.1);
        let read = feed.pass("looking for attacks:", |item| {
            let (packets, bytes) = size(&item);
            found.packets = found.packets.saturating_add(packets);
            found.bytes = found.bytes.saturating_add(bytes);
            let full = match item {
                Item::Packet(_, None) => false,
                Item::Packet(packet, Some(parsed)) => reader.push(Record::packet(packet.at, parsed)),
                Item::Record(record, _) => reader.push(*record),
                Item::Health(until, feeds) => reader.health(until, feeds),
            };
            if full {
                reader.reports.try_iter().try_for_each(&mut take)?;
            }
            Ok(())
        });
        let reports = reader.finish();
        read?;
        reports.iter().try_for_each(take)?;
        found.packets_per_shard =
            counting.join().map_err(|_| anyhow::Error::msg("the engine gave up; please report this"))?;
        Ok(found)
    })
}

/// A report and when it was decided.
type Report = (Timestamp, Box<Attack>);

/// What is handed over, in the order in which it was read.
enum Work {
    Records(Vec<Record>),
    Health(Timestamp, Vec<Feed>),
}

/// Fills batches.
struct Reader {
    batch: Vec<Record>,
    full: SyncSender<Work>,
    empty: Receiver<Vec<Record>>,
    reports: Receiver<Report>,
}

/// Empties them into the shards, whose ticks go on to the core.
struct Worker {
    full: Receiver<Work>,
    empty: Sender<Vec<Record>>,
    reports: Sender<Report>,
}

fn pair() -> (Reader, Worker) {
    let (full_to, full) = mpsc::sync_channel(BATCHES_MAX);
    let (empty_to, empty) = mpsc::channel();
    let (reports_to, reports) = mpsc::channel();
    let reader = Reader { batch: Vec::with_capacity(BATCH), full: full_to, empty, reports };
    (reader, Worker { full, empty: empty_to, reports: reports_to })
}

impl Reader {
    /// True when a batch went out.
    #[inline]
    fn push(&mut self, record: Record) -> bool {
        self.batch.push(record);
        if self.batch.len() < BATCH {
            return false;
        }
        self.send();
        true
    }

    /// How exporters were heard: after the records before it. True: a batch went out.
    fn health(&mut self, until: Timestamp, feeds: &[Feed]) -> bool {
        self.send();
        let _ = self.full.send(Work::Health(until, feeds.to_vec()));
        true
    }

    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH));
        // A worker that is gone is told of when it is joined.
        let _ = self.full.send(Work::Records(std::mem::replace(&mut self.batch, next)));
    }

    /// Sends the rest; the reports still to come end when the worker does.
    fn finish(self) -> Receiver<Report> {
        let _ = self.full.send(Work::Records(self.batch));
        self.reports
    }
}

impl Worker {
    /// Until the reader is done; gives the packets that each shard counted.
    fn run(self, settings: Settings, cut: Cut) -> Vec<u64> {
        let Self { full, empty, reports } = self;
        let mut front = Front::new(&settings, cut.shards);
        let (ticks, ended) = mpsc::sync_channel(TICKS_MAX);
        std::thread::scope(|scope| {
            scope.spawn(move || decide(settings, cut.seed, &ended, &reports));
            for work in &full {
                let mut batch = match work {
                    Work::Records(batch) => batch,
                    Work::Health(until, feeds) => {
                        let _ = ticks.send((until, Input::Health { until, feeds, dropped: 0 }));
                        continue;
                    }
                };
                for tick in batch.iter().filter_map(|record| front.record(record)) {
                    // A core that is gone is told of when it is joined.
                    let _ = ticks.send(tick);
                }
                batch.clear();
                let _ = empty.send(batch);
            }
            if let Some(tick) = front.finish() {
                let _ = ticks.send(tick);
            }
            drop(ticks);
        });
        front.packets_per_shard().to_vec()
    }
}

/// The core, tick by tick.
fn decide(settings: Settings, seed: Seed, ended: &Receiver<(Timestamp, Input)>, reports: &Sender<Report>) {
    let mut engine = Engine::new(settings, seed);
    let tell = |engine: &mut Engine| {
        while let Some(Output::Attack { at, attack }) = engine.poll_output() {
            let _ = reports.send((at, attack));
        }
    };
    for (until, tick) in ended {
        engine.handle(until, tick);
        tell(&mut engine);
    }
    engine.finish();
    tell(&mut engine);
}

/// Packets and octets of an item, scaled.
#[inline]
fn size(item: &Item<'_>) -> (u64, u64) {
    match item {
        Item::Packet(_, Some(parsed)) => (1, u64::from(parsed.headers.length)),
        Item::Packet(packet, None) => (1, u64::from(packet.layer3_len())),
        Item::Record(record, _) => {
            let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
            (record.packets.saturating_mul(rate), record.bytes.saturating_mul(rate))
        }
        Item::Health(..) => (0, 0),
    }
}

/// Packets that an item stands for.
#[inline]
pub fn packets(item: &Item<'_>) -> u64 {
    size(item).0
}
