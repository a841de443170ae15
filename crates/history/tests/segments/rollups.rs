//! Sums by minute and hour: whole, crash-safe, and the same as samples where both can answer.

use std::path::PathBuf;

use base::{Prefix, Span, Timestamp};
use history::rollup::{Book, Keep, Rollups, Shelf, Wanted, answer, ask, why_not};
use history::{
    Answer, Archive, Direction, Field, KeptAs, Measure, Question, Recorder, Sample, Spilling, Value, Work,
};

use crate::facts::Folder;

const HOUR: u64 = 3_600;
/// Midnight of some day.
const BEGIN: u64 = 1_790_000_000 - 1_790_000_000 % 86_400;

fn networks() -> Vec<Prefix> {
    vec!["198.18.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()]
}

fn question(filter: &str, (from, to): (u64, u64), by: &[&str]) -> Question {
    Question {
        filter: filter.parse().unwrap(),
        from: Timestamp::from_secs(from),
        to: Timestamp::from_secs(to),
        by: by.iter().map(|name| Field::named(name).unwrap()).collect(),
        step: None,
        top: 100,
        order: Measure::Bytes,
    }
}

/// One record each 20 s for each of some hosts, by a rule that tests can count.
fn tell(
    shelf: &Shelf,
    (from, to): (u64, u64),
    mut see: impl FnMut((u64, &str, Direction, u8, &'static str, u64)),
) {
    let hosts = ["198.18.1.1", "198.18.1.9", "198.18.2.1", "2001:db8:1::1"];
    for at in (from..to).step_by(20) {
        for (number, host) in (1u64..).zip(hosts) {
            let direction = if (at / 20 + number) % 5 == 0 { Direction::Out } else { Direction::In };
            let (protocol, class) = if number % 2 == 0 { (17, "udp") } else { (6, "tcp-data") };
            let bytes = number * 100 + at % 7;
            let told = (Timestamp::from_secs(at), host.parse().unwrap(), direction);
            shelf.minutes().add(told, (protocol, class), (number, bytes));
            see((at, host, direction, protocol, class, bytes));
        }
    }
}

struct World {
    folder: Folder,
    shelf: Shelf,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(&folder.0).unwrap();
        Self { folder, shelf: Shelf::default() }
    }

    fn file(&self) -> PathBuf {
        self.folder.0.join("rollups.db")
    }

    fn ask(&self, question: &Question) -> Answer {
        let mut stop = || false;
        let file = self.file();
        let networks = networks();
        let rollups = Rollups { file: &file, shelf: Some(&self.shelf), networks: &networks };
        ask(rollups, question, &mut Work::until(&mut stop)).unwrap()
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn sums_say_what_was_told_from_memory_minutes_and_hours() {
    let world = World::new();
    let mut book = Book::open(&world.file()).unwrap();
    let mut told = Vec::new();
    let end = BEGIN + 5 * HOUR + 600;
    for from in (BEGIN..end).step_by(600) {
        tell(&world.shelf, (from, from + 600), |(at, host, direction, protocol, class, bytes)| {
            told.push((at, host.to_owned(), direction, protocol, class, bytes));
        });
        // The last ten minutes are in memory.
        if from + 600 < end {
            book.turn(&world.shelf, at(from + 600), Keep::default(), false).unwrap();
        }
    }
    for (filter, wanted) in [
        ("", None),
        ("target in 198.18.1.0/24", Some("198.18.1.")),
        ("target in 2001:db8::/32", Some("2001:")),
    ] {
        for (from, to) in
            [(BEGIN, end), (BEGIN + 1_800, BEGIN + 4 * HOUR + 60), (BEGIN + 60, BEGIN + 120), (end - 60, end)]
        {
            let is_asked = |line: &&(u64, String, Direction, u8, &str, u64)| {
                line.0 >= from && line.0 < to && wanted.is_none_or(|front| line.1.starts_with(front))
            };
            let whole: u64 = told.iter().filter(is_asked).map(|line| line.5).sum();
            let answer = world.ask(&question(filter, (from, to), &["class", "direction"]));
            assert_eq!(answer.total.bytes, whole, "{filter} {from} {to}");
            assert_eq!(answer.total.samples, told.iter().filter(is_asked).count() as u64);
            assert_eq!((answer.kept, answer.partial()), (KeptAs::Rollups, None));
            for row in &answer.rows {
                let bytes: u64 = told
                    .iter()
                    .filter(is_asked)
                    .filter(|line| {
                        row[0] == Value::Text(line.4.to_owned())
                            && row[1] == Value::Text(line.2.name().to_owned())
                    })
                    .map(|line| line.5)
                    .sum();
                assert_eq!(row[2], Value::Number(bytes));
            }
        }
    }
    // A series of hours, and what reads hours reads little.
    let mut series = question("proto = udp", (BEGIN, BEGIN + 4 * HOUR), &["target"]);
    series.step = Some(Span::from_secs(HOUR));
    let series = world.ask(&series);
    assert_eq!(series.rows.len(), 4 * 2, "{series:?}");
    // Four hours of four hosts either way, not 240 minutes.
    assert!(series.scanned.rows <= 32, "{:?}", series.scanned);
}

#[test]
fn samples_and_sums_agree_and_the_answer_says_which() {
    let world = World::new();
    let mut book = Book::open(&world.file()).unwrap();
    let now = at(BEGIN + 4 * HOUR);
    let flows = world.folder.0.join("flows");
    let mut recorder = Recorder::open(&flows, Spilling::default(), at(BEGIN)).unwrap();
    recorder.know(&networks());
    tell(&world.shelf, (BEGIN, BEGIN + 4 * HOUR), |(secs, host, direction, protocol, class, bytes)| {
        recorder.push(&Sample {
            at: at(secs),
            target: host.parse().unwrap(),
            foreign: "203.0.113.1".parse().unwrap(),
            direction,
            protocol,
            target_port: None,
            foreign_port: None,
            tcp_flags: None,
            class,
            packets: 1,
            bytes,
            rate: None,
            asn: None,
            country: None,
            attack: None,
            customer: None,
            exporter: "192.0.2.1".parse().unwrap(),
            input_if: None,
            output_if: None,
        });
        if secs % 600 == 0 {
            book.turn(&world.shelf, at(secs), Keep::default(), false).unwrap();
        }
    });
    recorder.spill(now).unwrap();
    let file = world.file();
    let networks = networks();
    let rollups = Rollups { file: &file, shelf: Some(&world.shelf), networks: &networks };
    let of = |question: &Question, wanted| {
        let mut stop = || false;
        answer(
            Archive { folder: &flows, recent: None },
            Some(rollups),
            question,
            wanted,
            &mut Work::until(&mut stop),
        )
    };
    for (filter, by) in
        [("", vec!["class"]), ("dst in 198.18.1.0/24", vec!["proto"]), ("direction = out", vec!["target"])]
    {
        let question = question(filter, (BEGIN, BEGIN + 4 * HOUR), &by);
        let (sums, samples) = (of(&question, Wanted::Auto).unwrap(), of(&question, Wanted::Samples).unwrap());
        assert_eq!((sums.kept, samples.kept), (KeptAs::Rollups, KeptAs::Samples), "{filter}");
        let bytes = |answer: &Answer| answer.rows.iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>();
        assert_eq!(bytes(&sums), bytes(&samples), "{filter}");
        assert!(sums.total.bytes > 0);
    }
    // What sums do not know, and what is short, samples answer.
    for (filter, by, hours) in [("", "src", 4), ("src-port = 53", "class", 4), ("", "class", 1)] {
        let question = question(filter, (BEGIN, BEGIN + hours * HOUR), &[by]);
        assert_eq!(of(&question, Wanted::Auto).unwrap().kept, KeptAs::Samples, "{filter} {by}");
    }
    let odd = question("asn = 64500", (BEGIN, BEGIN + 4 * HOUR), &["class"]);
    assert!(of(&odd, Wanted::Rollups).unwrap_err().to_string().contains("know no asn"));
    assert!(why_not(&question("src in 198.18.0.0/16", (0, 1), &[]), &networks).is_some());
    // Sums that began after the oldest sample leave it to the samples.
    let early = question("", (BEGIN - 9 * HOUR, BEGIN + 4 * HOUR), &["class"]);
    assert_eq!(of(&early, Wanted::Auto).unwrap().kept, KeptAs::Rollups);
}

#[test]
fn hosts_too_many_to_be_told_apart_are_whole_in_their_network_and_said() {
    let world = World::new();
    let mut book = Book::open(&world.file()).unwrap();
    for number in 0..5_000u64 {
        let host = format!("198.18.{}.{}", number / 250, number % 250);
        let told = (at(BEGIN), host.parse().unwrap(), Direction::In);
        world.shelf.minutes().add(told, (17, "udp"), (1, 5_000 - number));
    }
    book.turn(&world.shelf, at(BEGIN + 60), Keep::default(), false).unwrap();
    let range = (BEGIN, BEGIN + HOUR);
    let whole = world.ask(&question("", range, &["class"]));
    assert_eq!((whole.total.bytes, whole.total.samples, whole.partial()), (5_000 * 5_001 / 2, 5_000, None));
    let of_a_network = world.ask(&question("target in 198.18.19.0/24", range, &["class"]));
    assert_eq!((of_a_network.total.samples, of_a_network.partial()), (250, None));
    let of_a_host = world.ask(&question("target = 198.18.19.1", range, &["class"]));
    assert_eq!(of_a_host.total.samples, 0);
    assert!(of_a_host.partial().unwrap().contains("too many to be told apart"));
    let great = world.ask(&question("target = 198.18.0.1", range, &["target"]));
    assert_eq!(great.total.bytes, 4_999);
    // By target, what has no line of its own is among the others.
    let by_target = world.ask(&question("", range, &["target"]));
    assert_eq!(by_target.total.samples, 5_000);
    assert!(by_target.crowded && by_target.rows.last().unwrap()[0] == Value::Other);
    // The hour has its own room.
    book.turn(&world.shelf, at(BEGIN + 2 * HOUR), Keep::default(), false).unwrap();
    assert_eq!(world.ask(&question("", range, &["class"])).total, whole.total);
}

#[test]
fn minutes_go_before_hours_and_hours_stay() {
    let world = World::new();
    let mut book = Book::open(&world.file()).unwrap();
    let keep = Keep { minutes: Span::from_secs(2 * HOUR), hours: Span::from_secs(6 * HOUR) };
    let mut deleted = 0;
    for hour in 0..12 {
        let from = BEGIN + hour * HOUR;
        tell(&world.shelf, (from, from + 600), |_| {});
        deleted += book.turn(&world.shelf, at(from + HOUR + 200), keep, false).unwrap().deleted;
    }
    assert!(deleted > 0);
    let now = BEGIN + 12 * HOUR;
    let records = |from: u64, to: u64| world.ask(&question("", (from, to), &["class"])).total.samples;
    assert_eq!(records(now - 24 * HOUR, now), 5 * 30 * 4, "an hour goes when its beginning is too old");
    let old = world.ask(&question("", (now - 5 * HOUR, now - 5 * HOUR + 60), &["class"]));
    assert_eq!((old.from, old.to), (at(now - 5 * HOUR), at(now - 4 * HOUR)));
    assert_eq!(old.total.samples, 120);
    // After a long absence it goes on where there is something again, in few turns.
    let later = now + 400 * HOUR;
    tell(&world.shelf, (later, later + 600), |_| {});
    book.turn(&world.shelf, at(later + HOUR + 200), keep, false).unwrap();
    book.turn(&world.shelf, at(later + HOUR + 210), keep, false).unwrap();
    let there = world.ask(&question("", (later, later + HOUR), &["class"]));
    assert_eq!((there.total.samples, there.scanned.rows), (120, 8));
}

#[test]
fn what_the_file_refuses_waits_in_memory_and_a_half_written_turn_is_none() {
    let world = World::new();
    let mut book = Book::open(&world.file()).unwrap();
    tell(&world.shelf, (BEGIN, BEGIN + 120), |_| {});
    // Somebody holds the file.
    let other = rusqlite::Connection::open(world.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(book.turn(&world.shelf, at(BEGIN + 120), Keep::default(), false).is_err());
    let whole = || world.ask(&question("", (BEGIN, BEGIN + HOUR), &["class"])).total.samples;
    assert_eq!(whole(), 24);
    other.execute_batch("ROLLBACK").unwrap();
    book.turn(&world.shelf, at(BEGIN + 121), Keep::default(), false).unwrap();
    assert_eq!(whole(), 24);
    // Killed before the minute was over, and started again: the minute goes on.
    tell(&world.shelf, (BEGIN + 120, BEGIN + 140), |_| {});
    book.turn(&world.shelf, at(BEGIN + 130), Keep::default(), true).unwrap();
    drop(book);
    let mut book = Book::open(&world.file()).unwrap();
    tell(&world.shelf, (BEGIN + 140, BEGIN + 180), |_| {});
    book.turn(&world.shelf, at(BEGIN + 180), Keep::default(), false).unwrap();
    assert_eq!(whole(), 36);
    // What was late for its hour is in it all the same.
    book.turn(&world.shelf, at(BEGIN + 2 * HOUR), Keep::default(), false).unwrap();
    tell(&world.shelf, (BEGIN + 180, BEGIN + 200), |_| {});
    book.turn(&world.shelf, at(BEGIN + 2 * HOUR + 60), Keep::default(), false).unwrap();
    assert_eq!(whole(), 40);
    let by_hour = world.ask(&question("", (BEGIN, BEGIN + HOUR), &["target"]));
    assert_eq!(by_hour.scanned.rows, 8, "hours answer: {:?}", by_hour.scanned);
}
