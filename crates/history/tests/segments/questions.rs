//! What a question may cost, and what is said when it costs more.

use base::Span;
use history::{
    Archive, Direction, Field, Filter, HistoryError, Measure, Question, Sample, Value, Work, ask, csv_header,
    csv_line, export,
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
