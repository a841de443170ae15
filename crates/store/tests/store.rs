//! The store through its door: what was committed is there, whoever asks and whenever.

use std::path::PathBuf;

use base::Timestamp;
use store::{AttackRow, Ban, Batch, Filter, RuleRow, Snapshot, StoreError, Writer};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-store-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn attack(id: &str, started: u64, state: &str) -> AttackRow {
    AttackRow {
        id: id.into(),
        state: state.into(),
        severity: "attack".into(),
        target: "198.18.0.1/32".into(),
        direction: "in".into(),
        started_at: Timestamp::from_secs(started),
        ended_at: None,
        updated_at: Timestamp::from_secs(started + 1),
        document: format!("{{\"id\":\"{id}\",\"state\":\"{state}\"}}"),
        rules: vec![RuleRow {
            id: "r1".into(),
            state: "suggested".into(),
            text: "r1 @100 dst 198.18.0.1/32 -> drop".into(),
            expires_at: Some(Timestamp::from_secs(started + 900)),
            document: "{}".into(),
        }],
    }
}

fn core(body: &[u8]) -> Snapshot {
    Snapshot {
        name: "core".into(),
        taken_at: Timestamp::from_secs(5),
        build: "0.1.0".into(),
        body: body.into(),
    }
}

#[test]
fn a_batch_is_there_after_the_writer_was_dropped_without_a_word() {
    let folder = Folder::new("reopen");
    let mut writer = Writer::open(&folder.0).unwrap();
    let batch = Batch { attacks: vec![attack("a", 1, "active")], snapshots: vec![core(b"state")] };
    writer.commit(&batch).unwrap();
    drop(writer);
    let writer = Writer::open(&folder.0).unwrap();
    assert_eq!(writer.snapshot("core").unwrap(), Some(core(b"state")));
    assert_eq!(writer.reader().unwrap().open_attacks().unwrap().len(), 1);
}

#[test]
fn a_later_state_replaces_the_earlier_one_and_its_rules() {
    let folder = Folder::new("replace");
    let mut writer = Writer::open(&folder.0).unwrap();
    let reader = writer.reader().unwrap();
    writer.commit(&Batch { attacks: vec![attack("a", 1, "active")], ..Batch::default() }).unwrap();
    let over = AttackRow { rules: Vec::new(), ..attack("a", 1, "over") };
    writer.commit(&Batch { attacks: vec![over], snapshots: vec![core(b"1"), core(b"2")] }).unwrap();
    assert_eq!(reader.attack("a").unwrap().unwrap(), r#"{"id":"a","state":"over"}"#);
    assert!(reader.rules(10).unwrap().is_empty());
    assert!(reader.open_attacks().unwrap().is_empty());
    assert_eq!(writer.snapshot("core").unwrap().unwrap().body, b"2");
    assert_eq!(writer.snapshots("co").unwrap().len(), 1);
    writer.forget("co").unwrap();
    assert_eq!(writer.snapshot("core").unwrap(), None);
}

#[test]
fn what_a_rule_dropped_stays_when_it_has_ended_and_when_its_counters_are_gone() {
    let folder = Folder::new("dropped");
    let mut writer = Writer::open(&folder.0).unwrap();
    let reader = writer.reader().unwrap();
    let rule = |id: &str, until: u64, dropped: Option<u64>| RuleRow {
        id: id.into(),
        state: "active".into(),
        text: format!("{id} dst 198.18.0.1/32 -> drop"),
        expires_at: Some(Timestamp::from_secs(until)),
        document: format!(
            "{{\"id\":\"{id}\",\"dry\":true,\"decided_packets\":9,\"dropped_packets\":{}}}",
            dropped.map_or_else(|| "null".to_owned(), |n| n.to_string())
        ),
    };
    let mut put = |rules: Vec<RuleRow>| {
        writer
            .commit(&Batch {
                attacks: vec![AttackRow { rules, ..attack("a", 1, "active") }],
                ..Batch::default()
            })
            .unwrap();
        reader.rules_of("a").unwrap()
    };
    assert_eq!(put(vec![rule("r1", 10, Some(5)), rule("r2", 10, Some(0))]).len(), 2);
    // the second dropped nothing and goes; the first has ended, and what it did stays
    let all = put(vec![rule("r3", 20, Some(7))]);
    assert!(
        all.len() == 2
            && all[0].contains("\"dropped_packets\":5}")
            && all[1].contains("\"dropped_packets\":7}"),
        "{all:?}"
    );
    // nobody counts any more: the last number is what is known
    let all = put(vec![rule("r3", 20, None)]);
    assert_eq!(all[1], r#"{"id":"r3","dry":true,"decided_packets":9,"dropped_packets":7}"#);
    // however often rules come and go, those with the latest end are kept
    for n in 10..100 {
        put(vec![rule(&format!("r{n}"), 1_000 + n, Some(n))]);
    }
    let kept = reader.rules_of("a").unwrap();
    assert_eq!(kept.len(), 64);
    assert!(kept.iter().any(|one| one.contains("\"r99\"")) && !kept.iter().any(|one| one.contains("\"r1\"")));
}

#[test]
fn pages_walk_over_every_attack_once_newest_first() {
    let folder = Folder::new("pages");
    let mut writer = Writer::open(&folder.0).unwrap();
    let attacks =
        ["e", "b", "d", "a", "c"].iter().zip([1, 3, 3, 7, 3]).map(|(id, at)| attack(id, at, "over"));
    writer.commit(&Batch { attacks: attacks.collect(), ..Batch::default() }).unwrap();
    let reader = writer.reader().unwrap();
    let (mut filter, mut seen) = (Filter::default(), Vec::new());
    loop {
        let page = reader.attacks(&filter, 2).unwrap();
        let Some((last, _)) = page.last() else { break };
        filter.after = Some(last.clone());
        seen.extend(page.into_iter().map(|(cursor, _)| cursor.id));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    filter = Filter { state: Some("active".into()), after: None };
    assert!(reader.attacks(&filter, 10).unwrap().is_empty());
}

#[test]
fn a_ban_stays_until_it_is_undone() {
    let folder = Folder::new("bans");
    let mut writer = Writer::open(&folder.0).unwrap();
    let ban = Ban {
        target: "198.18.0.1/32".into(),
        direction: "in".into(),
        attack: "a".into(),
        since: Timestamp::from_secs(1),
        until: Timestamp::from_secs(901),
        document: "{}".into(),
    };
    writer.ban(&ban).unwrap();
    drop(writer);
    let mut writer = Writer::open(&folder.0).unwrap();
    assert_eq!(writer.bans().unwrap(), [ban]);
    writer.unban("198.18.0.1/32", "in").unwrap();
    assert!(writer.bans().unwrap().is_empty());
}

#[test]
fn a_file_from_the_future_is_refused_with_a_remedy() {
    let folder = Folder::new("future");
    drop(Writer::open(&folder.0).unwrap());
    let db = rusqlite::Connection::open(folder.0.join("spillway.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let err = Writer::open(&folder.0).unwrap_err();
    assert!(matches!(err, StoreError::Newer { found: 99, .. }), "{err}");
    assert!(err.to_string().contains("install that build again"));
}

#[test]
fn a_folder_that_is_not_there_names_the_key_to_look_at() {
    let err = Writer::open(std::path::Path::new("/nonexistent/spillway")).unwrap_err();
    assert!(err.to_string().contains("`state_dir`"), "{err}");
}

#[test]
fn the_journal_keeps_its_order_over_a_kill_and_prunes_what_ended_alone() {
    use store::{Journal, Line};
    let folder = Folder::new("journal");
    let line = |mitigation, event: &str| Line {
        mitigation,
        event: event.into(),
        actor: "ada".into(),
        entry: Some(format!("{mitigation:?} {event}")),
        ..Line::default()
    };
    let mut journal = Journal::open_with(&folder.0, 20).expect("a new file");
    journal.append(&[line(Some(1), "proposed"), line(Some(1), "started")]).expect("room");
    journal.append(&[line(None, "frozen"), line(None, "resumed")]).expect("room");
    for id in 2..40 {
        journal.append(&[line(Some(id), "proposed"), line(Some(id), "ended")]).expect("room");
    }
    // Forgotten without a farewell, as by a kill.
    std::mem::forget(journal);
    let journal = Journal::open_with(&folder.0, 20).expect("the file");
    let entries = journal.entries().expect("its lines");
    assert!(entries.len() <= 20, "{entries:?}");
    let kept = ["Some(1) proposed", "Some(1) started", "None resumed"];
    assert_eq!(
        entries.iter().take(3).map(String::as_str).collect::<Vec<_>>(),
        kept,
        "what holds, and how things stand"
    );
    assert_eq!(entries.last().map(String::as_str), Some("Some(39) ended"));
    let history = journal.history(Some(39), 10).expect("its lines");
    assert_eq!(history.iter().map(|line| line.event.as_str()).collect::<Vec<_>>(), ["ended", "proposed"]);
    assert!(history.iter().all(|line| line.actor == "ada" && line.number > 0));
}

#[test]
fn the_last_drill_of_each_kind_is_kept_and_the_oldest_go_first() {
    use base::Span;
    use store::{Drilled, Journal};
    let folder = Folder::new("drills");
    let one = |neighbor: String, at: u64, wrong: Option<&str>| Drilled {
        neighbor,
        class: "blackhole".to_owned(),
        ipv4: false,
        prefix: "2001:db8::99/128".to_owned(),
        at: Timestamp::from_secs(at),
        witness: "probe".to_owned(),
        wrong: wrong.map(str::to_owned),
        acted: Some(Span::from_millis(700)),
        cleared: None,
    };
    let mut journal = Journal::open(&folder.0).expect("a new file");
    journal.drilled(&one("edge".to_owned(), 1, None)).expect("room");
    let again = one("edge".to_owned(), 2, Some("it does nothing"));
    journal.drilled(&again).expect("room");
    journal.drilled(&Drilled { ipv4: true, ..again.clone() }).expect("room");
    drop(journal);
    let mut journal = Journal::open(&folder.0).expect("the file");
    let kept = journal.drills().expect("its lines");
    assert_eq!(kept, [again.clone(), Drilled { ipv4: true, ..again }]);
    for number in 0..600 {
        journal.drilled(&one(format!("n{number}"), 10 + number, None)).expect("room");
    }
    let kept = journal.drills().expect("its lines");
    assert_eq!(kept.len(), 512);
    assert!(kept.iter().all(|one| one.neighbor != "edge"));
}

/// Whether these octets stand anywhere in the files of a folder.
fn holds(folder: &Folder, octets: &[u8]) -> bool {
    std::fs::read_dir(&folder.0).expect("the folder").any(|entry| {
        let file = std::fs::read(entry.expect("a file").path()).expect("a file");
        file.windows(octets.len()).any(|at| at == octets)
    })
}

#[test]
fn what_is_over_goes_with_every_octet_and_what_goes_on_stays() {
    let folder = Folder::new("expiry");
    let mut writer = Writer::open(&folder.0).unwrap();
    // so many that pages are split and joined
    let rows = (0..1_500).map(|n| attack(&format!("old-{n:04}-203.0.113.77"), n, "over"));
    let young = attack("young", 10_000, "active");
    let attacks = rows.chain([young]).collect();
    writer.commit(&Batch { attacks, snapshots: vec![core(b"203.0.113.78")] }).unwrap();
    let ban = Ban {
        target: "203.0.113.79".into(),
        direction: "in".into(),
        attack: "young".into(),
        since: Timestamp::from_secs(1),
        until: Timestamp::from_secs(2),
        document: "203.0.113.79 is banned".into(),
    };
    writer.ban(&ban).unwrap();
    assert!(holds(&folder, b"203.0.113.77") && holds(&folder, b"203.0.113.79"));
    writer.unban("203.0.113.79", "in").unwrap();
    assert!(!holds(&folder, b"203.0.113.79"), "a ban that was undone");
    assert_eq!(writer.expire_attacks(Timestamp::from_secs(10_000)).unwrap(), 1_500);
    assert_eq!(writer.expire_attacks(Timestamp::from_secs(10_000)).unwrap(), 0);
    assert_eq!(
        writer.expire_snapshots(&["core"], Timestamp::from_secs(5)).unwrap(),
        0,
        "not before its time"
    );
    assert_eq!(writer.expire_snapshots(&["core"], Timestamp::from_secs(6)).unwrap(), 1);
    writer.rewrite().unwrap();
    assert!(!holds(&folder, b"203.0.113.77") && !holds(&folder, b"203.0.113.78"));
    assert_eq!(store::attacks_held(&folder.0).unwrap().count, 1);
    assert!(writer.reader().unwrap().attack("young").unwrap().is_some());

    let mut journal = store::Journal::open(&folder.0).unwrap();
    let line = |at, mitigation, event: &str, what: &str| store::Line {
        at: Timestamp::from_secs(at),
        mitigation,
        event: event.into(),
        what: what.into(),
        entry: Some("{}".into()),
        ..store::Line::default()
    };
    let mut lines = vec![
        line(1, Some(1), "started", "203.0.113.80/32"),
        line(2, Some(2), "started", "203.0.113.81/32"),
        line(3, Some(3), "started", "203.0.113.82/32"),
        line(4, Some(1), "ended", "203.0.113.80/32"),
        line(500, Some(3), "ended", "203.0.113.82/32"),
    ];
    lines.extend((0..800).flat_map(|n| {
        let id = Some(10 + n);
        [line(5, id, "started", "203.0.113.83/32"), line(6, id, "ended", "203.0.113.83/32")]
    }));
    lines.push(line(7, Some(9_000), "ended", "198.51.100.1/32"));
    journal.append(&lines).unwrap();
    assert_eq!(journal.expire(Timestamp::from_secs(100)).unwrap(), 2 + 1_600);
    assert!(!holds(&folder, b"203.0.113.80") && !holds(&folder, b"203.0.113.83"));
    assert!(holds(&folder, b"203.0.113.81"), "it goes on, whatever its age");
    assert!(holds(&folder, b"203.0.113.82"), "it ended lately");
    assert!(holds(&folder, b"198.51.100.1"), "the last one keeps its number");
    assert_eq!(store::lines_held(&folder.0, None).unwrap().count, 4);
    journal.append(&[line(8, Some(9_001), "started", "198.51.100.2/32")]).unwrap();
    assert_eq!(journal.entries().unwrap().len(), 5);
}

#[test]
fn what_was_given_up_goes_after_its_time() {
    let folder = Folder::new("given-up");
    let mut outbox = store::Outbox::open(&folder.0).unwrap();
    let message = |id: &str, dead: Option<u64>| store::MessageRow {
        channel: "a".to_owned(),
        id: id.to_owned(),
        dead_at: dead.map(Timestamp::from_secs),
        document: format!("{{\"secret\":\"{id}\"}}"),
        ..store::MessageRow::default()
    };
    outbox
        .form(&[], &[message("old", Some(100)), message("new", Some(300)), message("waits", None)])
        .unwrap();
    assert_eq!(outbox.expire(Timestamp::from_secs(200)).unwrap(), 1);
    let left = outbox.waiting().unwrap()["a"];
    assert_eq!((left.dead, left.messages), (1, 1));
    drop(outbox);
    let octets = std::fs::read(folder.0.join("notify.db")).unwrap();
    let has = |word: &[u8]| octets.windows(word.len()).any(|window| window == word);
    assert!(!has(b"\"old\"") && has(b"\"new\""), "nothing of it is left in the file");
}

#[test]
fn a_copy_is_the_database_of_one_instant_and_says_its_schema() {
    let folder = Folder::new("copy");
    let mut writer = Writer::open(&folder.0).unwrap();
    let batch = |id: &str| Batch { attacks: vec![attack(id, 100, "active")], snapshots: Vec::new() };
    writer.commit(&batch("1")).unwrap();
    std::fs::create_dir(folder.0.join("to")).unwrap();
    let to = folder.0.join("to/spillway.db");
    let schema = store::copy(&folder.0.join("spillway.db"), &to).unwrap();
    assert_eq!(Some(schema), store::known("spillway.db"));
    writer.commit(&batch("2")).unwrap();
    assert_eq!(store::examine(&to).unwrap(), schema);
    let copied = Writer::open(&folder.0.join("to")).unwrap().reader().unwrap();
    assert!(copied.attack("1").unwrap().is_some() && copied.attack("2").unwrap().is_none());
    assert!(store::copy(&folder.0.join("spillway.db"), &to).is_err(), "never over another file");
    assert_eq!(store::known("other.db"), None);
}
