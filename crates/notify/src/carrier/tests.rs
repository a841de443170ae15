use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex};

use super::*;
use crate::router::tests::{brief, channel};
use crate::{EventKind, Severity};

/// A far end that does as it is told; what it got is kept.
#[derive(Clone, Default)]
struct Far(Arc<StdMutex<(Vec<String>, Option<Failure>)>>);

impl Far {
    fn got(&self) -> Vec<Message> {
        let got = self.0.lock().unwrap();
        got.0.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.got().into_iter().map(|message| message.id).collect()
    }

    fn fails(&self, how: Option<Failure>) {
        self.0.lock().unwrap().1 = how;
    }
}

impl Channel for Far {
    fn send(&mut self, _: &Message, body: &str, _: Timestamp) -> Result<String, Failure> {
        let mut state = self.0.lock().unwrap();
        state.0.push(body.to_owned());
        state.1.clone().map_or_else(|| Ok("ok".to_owned()), Err)
    }
}

struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("spillway-notify-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn outbox(&self) -> Mutex<Outbox> {
        Mutex::new(Outbox::open(&self.0).unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn event(channel: &str, id: &str, kind: EventKind, at: Timestamp) -> EventRow {
    let event = Event { kind, at, attack: Some(brief(id, "198.51.100.7/32")), trouble: None, note: None };
    EventRow {
        channel: channel.to_owned(),
        at,
        rank: kind.rank(),
        replaces: (kind.rank() == 0).then(|| format!("{kind:?} {id}")),
        document: serde_json::to_string(&event).unwrap(),
        ..EventRow::default()
    }
}

fn put(outbox: &Mutex<Outbox>, cap: u64, events: &[EventRow]) -> BTreeMap<String, u64> {
    let caps = events.iter().map(|event| (event.channel.clone(), cap)).collect();
    outbox.lock().unwrap().put(events, &[], &[], &caps).unwrap()
}

fn carrier(settings: Settings, far: &Far) -> Carrier {
    Carrier::new(settings, "host".to_owned(), Box::new(far.clone()), 10)
}

/// Steps until it waits; gives until when.
fn run(carrier: &mut Carrier, outbox: &Mutex<Outbox>, now: Timestamp, counts: &Counts) -> Option<Timestamp> {
    for _ in 0..1000 {
        if let Step::Wait(until) = carrier.step(outbox, &|| now, counts) {
            return until;
        }
    }
    panic!("it never waits");
}

fn count(counts: &Counts, channel: &str, result: &str) -> u64 {
    counts.all().get(&(channel.to_owned(), result.to_owned())).copied().unwrap_or(0)
}

#[test]
fn few_events_are_a_message_each_and_many_are_one() {
    let scratch = Scratch::new("groups");
    let (outbox, far, counts) = (scratch.outbox(), Far::default(), Counts::default());
    let mut carrier = carrier(channel("a"), &far);
    let start = |id: usize| event("a", &id.to_string(), EventKind::AttackStarted, at(0));
    put(&outbox, 100, &[start(1), start(2)]);
    assert_eq!(run(&mut carrier, &outbox, at(1999), &counts), Some(at(2000)));
    assert_eq!(far.got().len(), 0);
    run(&mut carrier, &outbox, at(2000), &counts);
    assert_eq!(far.got().iter().map(|message| message.events.len()).collect::<Vec<_>>(), [1, 1]);
    put(&outbox, 200, &(10..70).map(start).collect::<Vec<_>>());
    run(&mut carrier, &outbox, at(4000), &counts);
    let sizes: Vec<usize> = far.got().iter().map(|message| message.events.len()).collect();
    assert_eq!(sizes, [1, 1, 50, 10]);
    assert!(far.got()[2].summary.starts_with("attacks: 50 started"), "{}", far.got()[2].summary);
    let mut ids = far.ids();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "ids differ");
    assert_eq!(count(&counts, "a", "sent"), 4);
    assert_eq!(outbox.lock().unwrap().waiting().unwrap(), BTreeMap::new());
}

#[test]
fn a_failure_is_tried_again_with_its_id_and_nothing_overtakes_it() {
    let scratch = Scratch::new("retries");
    let (outbox, far, counts) = (scratch.outbox(), Far::default(), Counts::default());
    let mut first = carrier(channel("a"), &far);
    put(&outbox, 100, &[event("a", "1", EventKind::AttackStarted, at(0))]);
    far.fails(Some(Failure::passing("connection refused")));
    let mut now = at(2000);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let until = run(&mut first, &outbox, now, &counts).unwrap();
        waits.push(until.since(now).nanos() / 1_000_000);
        now = until;
        put(&outbox, 100, &[event("a", "2", EventKind::AttackStarted, now)]);
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1] || pair[1] > 45_000), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 60_000), "{waits:?}");
    let id = far.ids()[0].clone();
    assert!(far.ids().iter().all(|one| *one == id), "the same id each time, and nothing else");
    // Killed here: another process goes on with the same message.
    drop((first, outbox));
    let outbox = scratch.outbox();
    let mut second = carrier(channel("a"), &far);
    far.fails(None);
    run(&mut second, &outbox, now.plus(Span::from_secs(60)), &counts);
    assert_eq!(far.ids()[8], id);
    assert_eq!(far.got()[9].events.len(), 8, "what came meanwhile is one message");
    assert_eq!((count(&counts, "a", "failed"), count(&counts, "a", "sent")), (8, 2));
}

#[test]
fn what_cannot_be_delivered_is_given_up_and_kept_to_be_seen() {
    let scratch = Scratch::new("dead");
    let (outbox, far, counts) = (scratch.outbox(), Far::default(), Counts::default());
    let mut carrier = carrier(channel("a"), &far);
    let mut now = at(0);
    far.fails(Some(Failure::passing("timeout")));
    put(&outbox, 100, &[event("a", "1", EventKind::AttackStarted, now)]);
    while let Some(until) = run(&mut carrier, &outbox, now, &counts) {
        now = until;
    }
    assert_eq!(count(&counts, "a", "dead"), 1);
    assert!(now.since(at(0)) >= Span::from_secs(3600), "for `give_up`");
    // What the other side refuses is not worth an hour.
    far.fails(Some(Failure::refused("HTTP 404")));
    let attempts = far.got().len();
    put(&outbox, 100, &[event("a", "2", EventKind::AttackStarted, now)]);
    while let Some(until) = run(&mut carrier, &outbox, now, &counts) {
        now = until;
    }
    assert_eq!(far.got().len() - attempts, 3);
    let outbox = outbox.lock().unwrap();
    assert_eq!(outbox.waiting().unwrap()["a"].dead, 2);
    let dead = outbox.dead("a").unwrap();
    assert_eq!(dead[0].answer.as_deref(), Some("HTTP 404"));
    // Which attack it was, and nothing of what was said of it.
    let kept: Message = serde_json::from_str(&dead[0].document).unwrap();
    assert_eq!(kept.events[0].note.as_deref(), Some("attack 2"));
    assert!(
        kept.events[0].attack.is_none() && !dead[0].document.contains("198.51.100"),
        "{}",
        dead[0].document
    );
}

#[test]
fn the_second_path_takes_over_after_its_time_and_gives_back() {
    let scratch = Scratch::new("fallback");
    let (outbox, far, near, counts) = (scratch.outbox(), Far::default(), Far::default(), Counts::default());
    let after = Span::from_secs(30);
    let mut first = carrier(Settings { fallback: Some(("b".to_owned(), after)), ..channel("a") }, &far);
    let mut second = carrier(channel("b"), &near);
    far.fails(Some(Failure::passing("no route")));
    put(&outbox, 100, &[event("a", "1", EventKind::AttackStarted, at(0))]);
    let mut now = at(2000);
    while let Some(until) = run(&mut first, &outbox, now, &counts) {
        run(&mut second, &outbox, now, &counts);
        assert!(near.got().is_empty(), "not before its time");
        now = until;
    }
    assert!(now.since(at(2000)) >= after && now.since(at(2000)) <= after.times(2), "{now}");
    run(&mut second, &outbox, now, &counts);
    assert_eq!(near.ids(), [far.ids()[0].clone()]);
    // The next one is tried once, and goes the second path at once.
    put(&outbox, 100, &[event("a", "2", EventKind::AttackStarted, now)]);
    let later = now.plus(Span::from_secs(2));
    let tried = far.got().len();
    run(&mut first, &outbox, later, &counts);
    run(&mut second, &outbox, later, &counts);
    assert_eq!((far.got().len() - tried, near.got().len()), (1, 2));
    // It is there again.
    far.fails(None);
    put(&outbox, 100, &[event("a", "3", EventKind::AttackStarted, later)]);
    run(&mut first, &outbox, later.plus(Span::from_secs(2)), &counts);
    run(&mut second, &outbox, later.plus(Span::from_secs(2)), &counts);
    assert_eq!(near.got().len(), 2);
    assert_eq!((count(&counts, "a", "handed_over"), count(&counts, "a", "sent")), (2, 1));
}

#[test]
fn a_full_outbox_keeps_starts_before_updates_and_counts_what_goes() {
    let scratch = Scratch::new("full");
    let outbox = scratch.outbox();
    let one = |kind, id: usize| event("a", &id.to_string(), kind, at(0));
    let starts: Vec<EventRow> = (0..8).map(|id| one(EventKind::AttackStarted, id)).collect();
    assert_eq!(put(&outbox, 10, &starts), BTreeMap::new());
    let more: Vec<EventRow> = (0..4).map(|id| one(EventKind::AttackChanged, id)).collect();
    assert_eq!(put(&outbox, 10, &more), BTreeMap::from([("a".to_owned(), 2)]));
    // A newer change of the same attack takes the place of the older one.
    assert_eq!(put(&outbox, 10, &[one(EventKind::AttackChanged, 3)]), BTreeMap::new());
    let rest: Vec<EventRow> = (8..11).map(|id| one(EventKind::AttackStarted, id)).collect();
    assert_eq!(put(&outbox, 10, &rest), BTreeMap::from([("a".to_owned(), 3)]));
    let kept = outbox.lock().unwrap().events("a", 100).unwrap();
    assert_eq!(kept.len(), 10);
    assert!(kept.iter().all(|event| event.rank == 2), "starts alone are left");
}

#[test]
fn messages_a_minute_are_capped_and_patience_is_asked_for() {
    let scratch = Scratch::new("rate");
    let (outbox, far, counts) = (scratch.outbox(), Far::default(), Counts::default());
    let mut carrier = carrier(Settings { per_minute: 2, ..channel("a") }, &far);
    let starts: Vec<EventRow> =
        (0..3).map(|id| event("a", &id.to_string(), EventKind::AttackStarted, at(0))).collect();
    put(&outbox, 100, &starts);
    assert_eq!(run(&mut carrier, &outbox, at(2000), &counts), Some(at(62_000)));
    assert_eq!(far.got().len(), 2);
    far.fails(Some(Failure { retry_after: Some(Span::from_secs(77)), ..Failure::passing("HTTP 429") }));
    assert_eq!(run(&mut carrier, &outbox, at(62_000), &counts), Some(at(139_000)));
    assert_eq!(far.got()[0].events[0].attack.as_ref().unwrap().severity, Severity::Attack);
}
