//! The engine through its door: datagrams or records in, alarms out.

use std::collections::BTreeMap;

use base::map::Seed;
use base::{Span, Timestamp};
use engine::report::{Attack, Severity, State};
use engine::{Output, Replay, Settings};
use sim::exporter::Sent;
use telemetry::Record;
use telemetry::collector::{self, Collector};

use crate::feed;
use crate::resources;

/// What was said of one attack.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    /// When it was first called an attack.
    pub(crate) first: Timestamp,
    /// From when on it was called one, and from when on not any more.
    pub(crate) turns: Vec<(Timestamp, bool)>,
    /// What was said last.
    pub(crate) last: Attack,
}

/// Everything that was said, and what it cost.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In the order in which they were raised.
    pub(crate) alarms: Vec<Alarm>,
    /// Of lower severity, to their end.
    pub(crate) suspicions: usize,
    pub(crate) records: u64,
    /// CPU time of decoding, counting and deciding.
    pub(crate) cpu: Span,
    /// When a record that `told` knows arrived.
    pub(crate) told: Option<Timestamp>,
}

/// Datagrams between two looks at the clock.
const BATCH: usize = 1024;

/// Runs what the routers send through collector and engine. `told` knows records of the event.
pub(crate) fn datagrams(
    sent: impl Iterator<Item = Sent>,
    settings: Settings,
    told: impl Fn(&Record) -> bool,
) -> Seen {
    let mut watch = Watch::new(settings);
    let mut collector = Collector::new(collector::Settings::default(), Seed::new(1));
    let mut sent = sent.peekable();
    let mut records: Vec<Record> = Vec::new();
    while sent.peek().is_some() {
        let batch: Vec<Sent> = sent.by_ref().take(BATCH).collect();
        let before = resources::cpu();
        for datagram in &batch {
            records.clear();
            let from = feed::address(datagram.router);
            collector.datagram(datagram.at, from, &datagram.bytes, &mut |_, record: Option<&Record>| {
                records.extend(record.copied());
            });
            for record in &records {
                if watch.seen.told.is_none() && told(record) {
                    watch.seen.told = Some(datagram.at);
                }
                watch.record(record);
            }
        }
        watch.seen.cpu = Span::from_nanos(watch.seen.cpu.nanos() + resources::cpu().since(before).nanos());
    }
    watch.finish()
}

/// Runs packets through the engine as a capture would.
pub(crate) fn packets(records: impl Iterator<Item = Record>, settings: Settings) -> Seen {
    let mut watch = Watch::new(settings);
    for record in records {
        watch.record(&record);
    }
    watch.finish()
}

struct Watch {
    replay: Replay,
    seen: Seen,
    /// By id; `None` for what is only a suspicion so far.
    said: BTreeMap<String, Option<Alarm>>,
}

impl Watch {
    fn new(settings: Settings) -> Self {
        Self { replay: Replay::new(settings, 1, &Seed::new(1)), seen: Seen::default(), said: BTreeMap::new() }
    }

    fn record(&mut self, record: &Record) {
        self.seen.records += 1;
        self.replay.record(record);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.replay.poll_output() {
            let Output::Attack { at, attack } = output;
            let said = self.said.entry(attack.id.clone()).or_default();
            let severe = attack.severity == Severity::Attack;
            let stands = severe && attack.state == State::Active;
            match said {
                Some(alarm) => {
                    if alarm.turns.last().is_some_and(|(_, stood)| *stood != stands) {
                        alarm.turns.push((at, stands));
                    }
                    alarm.last = *attack;
                }
                None if severe => {
                    *said = Some(Alarm { first: at, turns: vec![(at, stands)], last: *attack });
                }
                None => {}
            }
        }
    }

    fn finish(mut self) -> Seen {
        self.replay.finish();
        self.drain();
        self.seen.suspicions = self.said.values().filter(|said| said.is_none()).count();
        self.seen.alarms = self.said.into_values().flatten().collect();
        self.seen.alarms.sort_by(|a, b| a.first.cmp(&b.first).then_with(|| a.last.id.cmp(&b.last.id)));
        self.seen
    }
}
