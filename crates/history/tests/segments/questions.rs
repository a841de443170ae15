//! What a question may cost, and what is said when it costs more.

use std::net::IpAddr;

use base::{Prefix, Span};
use history::{
    Archive, Direction, Field, Filter, HistoryError, Measure, Question, Recorder, Sample, Spilling, Value,
    Work, ask, csv_header, csv_line, export,
};

use super::facts::{Folder, START, record, sample};

fn question(filter: &str, by: &[&str]) -> Question {
    Question {
        filter: filter.parse().unwrap(),
        from: START,
        to: START.plus(Span::from_secs(7_200)),
        by: by.iter().map(|field| Field::named(field).unwrap()).collect(),
        step: None,
        top: 10,
        order: Measure::Bytes,
    }
}

fn samples(count: u64) -> Vec<Sample<'static>> {
    (0..count).map(|number| sample(9, number, 7_200)).collect()
}

#[test]
fn a_question_about_one_target_reads_little() {
    let folder = Folder::new();
    let _recorder = record(&folder, &samples(200_000), 1);
    let archive = Archive { folder: &folder.0, recent: None };
    let mut never = || false;
    let one =
        ask(archive, &question("target = 198.51.100.7", &["foreign"]), &mut Work::until(&mut never)).unwrap();
    let all = ask(archive, &question("", &["foreign"]), &mut Work::until(&mut never)).unwrap();
    assert!(one.total.samples > 1_000 && one.scanned.pruned > 0);
    assert!(one.scanned.rows * 4 < all.scanned.rows, "{:?} of {:?}", one.scanned, all.scanned);
    assert_eq!((all.scanned.rows, all.scanned.pruned), (200_000, 0));
    let none = ask(archive, &question("target = 192.0.2.1", &[]), &mut Work::until(&mut never)).unwrap();
    assert_eq!((none.scanned.rows, none.total.samples), (0, 0));
}

#[test]
fn a_question_about_one_target_looks_at_little_of_what_is_in_memory() {
    let folder = Folder::new();
    // The other end of what goes out is never at home.
    let home: Prefix = "198.51.100.0/24".parse().unwrap();
    let all: Vec<Sample<'_>> = samples(50_000)
        .into_iter()
        .filter(|sample| sample.direction == Direction::In || !home.contains(sample.foreign))
        .collect();
    let mut recorder = Recorder::open(&folder.0, Spilling::default(), START).unwrap();
    recorder.know(&[home]);
    all.iter().for_each(|sample| recorder.push(sample));
    recorder.tick(START).unwrap();
    let recent = recorder.recent();
    let archive = Archive { folder: &folder.0, recent: Some(&recent) };
    let asked = |filter: &str, holds: &dyn Fn(&Sample<'_>) -> bool| {
        let mut never = || false;
        let answer = ask(archive, &question(filter, &["src"]), &mut Work::until(&mut never)).unwrap();
        let wanted: Vec<&Sample<'_>> = all.iter().filter(|sample| holds(sample)).collect();
        assert_eq!(answer.total.samples, wanted.len() as u64, "{filter}");
        assert_eq!(answer.total.bytes, wanted.iter().map(|sample| sample.bytes).sum::<u64>(), "{filter}");
        assert_eq!(answer.scanned.memory, answer.scanned.rows);
        answer.scanned.rows
    };
    let host: IpAddr = "198.51.100.7".parse().unwrap();
    let of_host = all.iter().filter(|sample| sample.target == host).count() as u64;
    let rows =
        asked("dst = 198.51.100.7", &|sample| sample.direction == Direction::In && sample.target == host);
    assert_eq!(rows, of_host, "what others got is not looked at");
    assert_eq!(asked("target = 192.0.2.1", &|_| false), 0);
    assert_eq!(asked("time < 2001-01-01T00:00:00Z", &|_| false), 0);
    // Where it may be any target, all is looked at.
    let all_of_it = all.len() as u64;
    assert_eq!(asked("not target = 198.51.100.7", &|sample| sample.target != host), all_of_it);
    assert_eq!(
        asked("target = 198.51.100.7 or proto = 6", &|sample| sample.target == host || sample.protocol == 6),
        all_of_it
    );
}

#[test]
fn a_question_looks_at_no_hour_but_its_own() {
    let folder = Folder::new();
    // Two hours with samples, and names of other hours and days whose files are none.
    let _recorder = record(&folder, &samples(20_000), 1);
    let days = std::fs::read_dir(&folder.0).unwrap().map(|day| day.unwrap().path());
    let day = days.min().unwrap();
    let long_ago = folder.0.join("2001-01-01");
    std::fs::create_dir_all(&long_ago).unwrap();
    for (folder, name) in
        [(&day, "00-0000000000-0000000000.parquet"), (&long_ago, "07-0000000000-0000000000.parquet")]
    {
        std::fs::write(folder.join(name), "no segment").unwrap();
    }
    let archive = Archive { folder: &folder.0, recent: None };
    let asked = |question: &Question| {
        let mut never = || false;
        ask(archive, question, &mut Work::until(&mut never)).unwrap()
    };
    let usual = asked(&question("", &[]));
    assert_eq!((usual.total.samples, usual.scanned.torn), (20_000, 0));
    let one = Question { to: START.plus(Span::from_secs(60)), ..question("", &[]) };
    assert_eq!(asked(&one).scanned.segments, 1);
    let always = Question { from: base::Timestamp::ZERO, ..question("", &[]) };
    let always = asked(&always);
    assert_eq!((always.total.samples, always.scanned.torn), (20_000, 2));
}

#[test]
fn work_beyond_its_bound_is_cut_off_and_said() {
    let folder = Folder::new();
    let _recorder = record(&folder, &samples(50_000), 1);
    let archive = Archive { folder: &folder.0, recent: None };
    let mut looks = 0;
    let mut stop = || {
        looks += 1;
        looks > 2
    };
    let answer = ask(archive, &question("", &[]), &mut Work::until(&mut stop)).unwrap();
    assert_eq!(answer.total.samples, 2 * 8_192);
    assert!(answer.partial().unwrap().starts_with("its time is over: nothing before"), "{answer:?}");
    let mut never = || false;
    let mut work = Work { rows_max: 10_000, ..Work::until(&mut never) };
    let answer = ask(archive, &question("", &[]), &mut work).unwrap();
    assert!(answer.partial().unwrap().contains("samples were looked at"));
    assert!(answer.total.samples <= 10_000 + 8_192);
}

#[test]
fn groups_beyond_their_bound_are_the_others() {
    let folder = Folder::new();
    let all = samples(20_000);
    let _recorder = record(&folder, &all, 1);
    let archive = Archive { folder: &folder.0, recent: None };
    let mut never = || false;
    let mut work = Work { groups_max: 16, ..Work::until(&mut never) };
    let answer = ask(archive, &question("", &["foreign"]), &mut work).unwrap();
    assert!(answer.crowded);
    assert_eq!(answer.rows.len(), 11);
    assert_eq!(answer.rows[10][0], Value::Other);
    let bytes = |row: &Vec<Value>| row[1].to_string().parse::<u64>().unwrap();
    assert_eq!(
        answer.rows.iter().map(bytes).sum::<u64>(),
        all.iter().map(|sample| sample.bytes).sum::<u64>()
    );
    assert!(answer.csv().starts_with("foreign,bytes,packets,samples\r\n"));
}

#[test]
fn questions_that_make_no_sense_say_what_would() {
    let folder = Folder::new();
    let archive = Archive { folder: &folder.0, recent: None };
    let wrong = |change: &dyn Fn(&mut Question)| {
        let mut asked = question("", &["src"]);
        change(&mut asked);
        let mut never = || false;
        match ask(archive, &asked, &mut Work::until(&mut never)) {
            Err(HistoryError::Question(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert!(wrong(&|q| q.to = q.from).contains("is empty"));
    assert!(wrong(&|q| q.by = vec![Field::named("host").unwrap()]).contains("two things"));
    assert!(wrong(&|q| q.by = vec![Field::named("bytes").unwrap()]).contains("no groups"));
    assert!(wrong(&|q| q.by = vec![Field::named("src").unwrap(); 4]).contains("at most 3"));
    assert!(wrong(&|q| q.step = Some(Span::from_millis(5))).contains("at least 1s"));
    assert!(
        wrong(&|q| {
            q.step = Some(Span::from_secs(1));
            q.to = q.from.plus(Span::from_secs(99_999));
        })
        .contains("steps")
    );
    // A folder that is not there holds nothing.
    let mut never = || false;
    assert_eq!(
        ask(archive, &question("", &[]), &mut Work::until(&mut never)).unwrap().rows,
        Vec::<Vec<Value>>::new()
    );
}

#[test]
fn what_is_exported_is_what_was_asked_for() {
    let folder = Folder::new();
    let all = samples(20_000);
    let _recorder = record(&folder, &all, 2);
    let archive = Archive { folder: &folder.0, recent: None };
    let range = (START, START.plus(Span::from_secs(7_200)));
    let filter: Filter = "direction = out and proto = udp".parse().unwrap();
    let mut never = || false;
    let other = Folder::new();
    let day = other.0.join("2026-11-26");
    std::fs::create_dir_all(&day).unwrap();
    let path = day.join("16-0000000000-0000000000.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let (_, done) = export(archive, &filter, range, &mut Work::until(&mut never), (file, &path)).unwrap();
    let wanted =
        all.iter().filter(|sample| sample.direction == Direction::Out && sample.protocol == 17).count();
    assert_eq!(done.rows, wanted as u64);
    // What was exported can be asked itself, where it has a segment's name.
    let answer = ask(
        Archive { folder: &other.0, recent: None },
        &question("", &["direction"]),
        &mut Work::until(&mut never),
    )
    .unwrap();
    assert_eq!(answer.total.samples, wanted as u64);
    assert_eq!(csv_header().split(',').count(), 19);
    let odd = Sample { customer: Some("acme, \"Ltd\""), ..all[0] };
    assert!(csv_line(&odd).contains(",\"acme, \"\"Ltd\"\"\","));
}
