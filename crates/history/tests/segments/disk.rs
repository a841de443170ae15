//! What the disk may do: be cut off, be full, hold what is torn or not ours.

use std::fs;

use base::Span;
use history::{
    Archive, Filter, Limits, Measure, Question, Recorder, Retained, Sample, Spilling, Work, ask, merge,
    retain, usage,
};

use super::facts::{Folder, START, record, sample};

const LATER: base::Timestamp = START.plus(Span::from_secs(500_000));

fn samples(count: u64, seconds: u64) -> Vec<Sample<'static>> {
    (0..count).map(|number| sample(5, number, seconds)).collect()
}

fn answer(folder: &Folder) -> history::Answer {
    let question = Question {
        filter: Filter::ALL,
        from: START,
        to: LATER,
        by: Vec::new(),
        step: None,
        top: 10,
        order: Measure::Bytes,
    };
    let mut never = || false;
    ask(Archive { folder: &folder.0, recent: None }, &question, &mut Work::until(&mut never)).unwrap()
}

#[test]
fn an_hour_becomes_one_segment_sorted_and_whole() {
    let folder = Folder::new();
    let all = samples(60_000, 7_200);
    drop(record(&folder, &all, 40));
    assert_eq!(folder.segments().len(), 80);
    let before = answer(&folder);
    // The hours go on: only so many are merged that there are not too many.
    while merge(&folder.0, START, u64::MAX, &mut || false).unwrap().from > 0 {}
    assert!(folder.segments().len() <= 64 && folder.segments().len() > 2, "{:?}", folder.segments());
    // Without room nothing is merged.
    assert_eq!(merge(&folder.0, LATER, 10, &mut || false).unwrap().from, 0);
    while merge(&folder.0, LATER, u64::MAX, &mut || false).unwrap().from > 0 {}
    let names: Vec<String> = folder
        .segments()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["16-0000000000-0000000039.parquet", "17-0000000000-0000000039.parquet"]);
    let after = answer(&folder);
    assert_eq!(before.total, after.total);
    assert_eq!(after.scanned.groups, 60_000u64.div_ceil(8_192));
    // The next spill has a number of its own.
    drop(record(&folder, &all[..10], 1));
    assert!(folder.segments().iter().any(|path| path.ends_with("16-0000000040-0000000040.parquet")));
}

#[test]
fn a_merge_that_was_cut_off_counts_nothing_twice() {
    let folder = Folder::new();
    drop(record(&folder, &samples(9_000, 3_600), 4));
    let before = answer(&folder).total;
    let kept: Vec<_> = folder.segments().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    while merge(&folder.0, LATER, u64::MAX, &mut || false).unwrap().from > 0 {}
    // As if it had been killed behind the new name and before the old ones went, and once more in the middle of the writing.
    kept.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    let draft = folder.0.join("2026-11-26/.16-0000000000-0000000009.parquet.tmp");
    fs::write(&draft, "half").unwrap();
    assert_eq!(folder.segments().len(), 6);
    assert_eq!(answer(&folder).total, before);
    drop(Recorder::open(&folder.0, Spilling::default(), START).unwrap());
    assert_eq!(folder.segments().len(), 1);
    assert_eq!(answer(&folder).total, before);
}

#[test]
fn torn_and_foreign_files_are_said_and_cost_only_themselves() {
    let folder = Folder::new();
    drop(record(&folder, &samples(9_000, 3_600), 6));
    let whole = answer(&folder).total.samples;
    let segments = folder.segments();
    let bytes = fs::read(&segments[2]).unwrap();
    // Cut, empty, overwritten in its middle, and another program's.
    fs::write(&segments[2], &bytes[..bytes.len() / 2]).unwrap();
    fs::write(&segments[4], "").unwrap();
    let mut damaged = fs::read(&segments[1]).unwrap();
    let middle = damaged.len() / 3;
    damaged[middle..middle + 2_000].fill(0xa5);
    fs::write(&segments[1], damaged).unwrap();
    fs::write(folder.0.join("notes.txt"), "mine").unwrap();
    fs::write(folder.0.join("2026-11-26/notes.parquet"), "mine").unwrap();
    let answered = answer(&folder);
    assert_eq!((answered.scanned.foreign, answered.scanned.torn >= 2), (2, true), "{:?}", answered.scanned);
    assert!(answered.total.samples <= whole - 2 * 1_500 && answered.total.samples >= whole - 3 * 1_500);
    let said = answered.scanned.torn_ones.join("\n");
    assert!(
        said.contains("is no whole segment") && said.contains("16-0000000002-0000000002.parquet"),
        "{said}"
    );
    // Merging goes around them and takes nothing away.
    while merge(&folder.0, LATER, u64::MAX, &mut || false).unwrap().from > 0 {}
    assert!(segments[2].exists() && segments[4].exists());
    assert_eq!(answer(&folder).total.samples, answered.total.samples);
    // In the end they go like others; what is not ours stays.
    let limits = Limits { age: Span::from_secs(60), bytes: u64::MAX, free: 0 };
    retain(&folder.0, limits, LATER, &mut || None).unwrap();
    assert_eq!(folder.segments(), [folder.0.join("2026-11-26/notes.parquet")]);
    assert!(folder.0.join("notes.txt").exists());
}

#[test]
fn the_oldest_hours_go_first_by_age_by_size_and_for_the_disk() {
    let folder = Folder::new();
    drop(record(&folder, &samples(20_000, 5 * 3_600), 2));
    let full = usage(&folder.0).unwrap();
    assert_eq!((full.segments, full.oldest), (10, Some(START)));
    let limits = |age: u64, bytes| Limits { age: Span::from_secs(age), bytes, free: 1_000 };
    let now = START.plus(Span::from_secs(5 * 3_600));
    let free = &mut || Some(5_000);
    assert_eq!(retain(&folder.0, limits(36_000, u64::MAX), now, free).unwrap(), Retained::default());
    // By age: the first hour's two.
    assert_eq!(retain(&folder.0, limits(3_600 * 4 - 1, u64::MAX), now, free).unwrap().segments, 2);
    // By size.
    let half = full.bytes / 2;
    retain(&folder.0, limits(36_000, half), now, free).unwrap();
    let less = usage(&folder.0).unwrap();
    assert!(less.bytes <= half && less.bytes > half - full.bytes / 8, "{less:?} of {full:?}");
    assert!(less.oldest > full.oldest && less.newest == full.newest);
    // For the disk: until it has enough free again.
    let mut looks = 0;
    let mut free = || {
        looks += 1;
        Some(if looks > 2 { 2_000 } else { 500 })
    };
    assert_eq!(retain(&folder.0, limits(36_000, u64::MAX), now, &mut free).unwrap().segments, 2);
    // Nothing is left to delete, and it is still full.
    let done = retain(&folder.0, limits(36_000, u64::MAX), now, &mut || Some(1)).unwrap();
    assert!(done.full && usage(&folder.0).unwrap().segments == 0);
}

#[test]
fn a_disk_that_refuses_costs_the_oldest_samples_and_is_counted() {
    let folder = Folder::new();
    let spilling = Spilling { every: Span::from_secs(60), rows: 8_192, rows_max: 20_000 };
    let mut recorder = Recorder::open(&folder.0, spilling, START).unwrap();
    // Where the day's folder should be there is a file.
    fs::write(folder.0.join("2026-11-26"), "in the way").unwrap();
    let all = samples(40_000, 3_600);
    for part in all.chunks(5_000) {
        part.iter().for_each(|sample| recorder.push(sample));
        let _ = recorder.tick(START);
    }
    let counts = recorder.counts();
    assert!(counts.errors > 0 && counts.written == 0, "{counts:?}");
    assert_eq!(recorder.recent().len() as u64 + counts.dropped, 40_000);
    assert!(recorder.recent().len() <= 20_000);
    fs::remove_file(folder.0.join("2026-11-26")).unwrap();
    recorder.spill(START).unwrap();
    assert_eq!(recorder.counts().written + recorder.counts().dropped, 40_000);
    assert!(recorder.recent().is_empty());
    assert_eq!(answer(&folder).total.samples, recorder.counts().written);
}

#[test]
fn memory_is_spilled_when_it_is_time() {
    let folder = Folder::new();
    let mut recorder = Recorder::open(&folder.0, Spilling::default(), START).unwrap();
    recorder.push(&samples(1, 10)[0]);
    recorder.tick(START.plus(Span::from_secs(59))).unwrap();
    assert_eq!((folder.segments().len(), recorder.recent().len()), (0, 1));
    recorder.tick(START.plus(Span::from_secs(60))).unwrap();
    assert_eq!((folder.segments().len(), recorder.recent().len()), (1, 0));
    recorder.tick(START.plus(Span::from_secs(600))).unwrap();
    assert_eq!(folder.segments().len(), 1);
}
