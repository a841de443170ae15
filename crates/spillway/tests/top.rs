//! `spillway top`: what the screen shows is a function of what was answered and pressed.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};
use spillway::top::{Answers, Do, Page, Screen, Sort, View, text};

use crate::daemon::{Daemon, config};
use crate::support::{Scratch, spillway, stderr};

fn answers(at_ms: u64, packets: u64, dropped: u64) -> Answers {
    let attack = |id: &str, target: &str, bps: u64, severity: &str| {
        json!({
            "id": id, "state": "active", "severity": severity, "direction": "in", "target": target,
            "vectors": [{"name": "udp-amplification-dns", "share": 0.9}, {"name": "udp-fragment-flood", "share": 0.1}],
            "peak_pps": bps / 8000, "peak_bps": bps, "sources": {"count": 1234, "nature": "reflectors"},
            "started_at": "2026-11-26T20:15:37.000000000Z", "rules": [{"id": "r1", "state": "active"}, {"id": "r2", "state": "suggested"}],
        })
    };
    Answers {
        at_ms,
        status: json!({"version": "VERSION", "ready": true, "notes": ["exporter 192.0.2.9 is silent since 2026-11-26T20:00:00Z"]}),
        attacks: json!({"items": [
            attack("0123456789abcdef", "198.51.100.7/32", 3_200_000_000, "attack"),
            attack("fedcba9876543210", "2001:db8::7/128", 9_900_000_000, "suspicious"),
        ]}),
        rules: json!({"items": [
            {"id": "r1", "attack": "0123456789abcdef", "state": "active", "text": "r1 dst 198.51.100.7/32 proto udp src-port 53 -> drop", "dropped_packets": dropped},
            {"id": "r2", "attack": "0123456789abcdef", "state": "suggested", "text": "r2 dst 198.51.100.7/32 fragment is -> drop", "reason": "it would hit 9 % of honest packets"},
        ]}),
        exporters: json!({"items": [
            {"address": "192.0.2.1", "heard": "whole", "sampling_rate": 1000, "flows": 81234, "sequence_lost": 3, "last_seen": "2026-11-26T20:15:40.100000000Z"},
            {"address": "192.0.2.9", "heard": "silent", "sampling_rate": null, "flows": 7, "sequence_lost": 0, "last_seen": "2026-11-26T20:00:00.000000000Z"},
        ]}),
        metrics: format!(
            "spillway_ingest_packets_total{{exporter=\"192.0.2.1\"}} {packets}\nspillway_ingest_bytes_total{{exporter=\"192.0.2.1\"}} {}\n\
             spillway_ingest_flows_total{{listener=\"sflow\"}} {}\nspillway_ingest_datagrams_total{{listener=\"sflow\"}} {}\n\
             spillway_ingest_socket_drops_total{{listener=\"sflow\"}} 0\nspillway_dataplane_rules_actual{{backend=\"xdp\"}} 1\n",
            packets * 1000,
            packets / 1000,
            packets / 8000
        ),
    }
}

fn screen() -> Screen {
    let mut screen = Screen { api: "http://127.0.0.1:8646".into(), ..Screen::default() };
    let first = answers(0, 1_000_000, 100_000);
    let second = answers(2000, 1_900_000, 900_000);
    screen.take(View::of(&first, None));
    screen.take(View::of(&second, Some(&first)));
    screen
}

fn press(screen: &mut Screen, code: KeyCode) -> Do {
    screen.press(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Compares with the golden file; `SPILLWAY_BLESS=1` writes it.
fn golden(name: &str, shown: &str) {
    let path = format!("{}/tests/golden/top-{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("SPILLWAY_BLESS").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == golden, "{path} differs; look at\n{shown}\nand bless it with SPILLWAY_BLESS=1");
}

#[test]
fn what_the_screen_shows_changes_only_on_purpose() {
    let mut screen = screen();
    golden("attacks", &text(&screen, 140, 24));
    press(&mut screen, KeyCode::Tab);
    press(&mut screen, KeyCode::Tab);
    assert_eq!(screen.page, Page::Rules);
    golden("rules", &text(&screen, 140, 24));
    press(&mut screen, KeyCode::Char('4'));
    golden("exporters", &text(&screen, 100, 20));
    press(&mut screen, KeyCode::Char('?'));
    golden("help", &text(&screen, 80, 20));
}

#[test]
fn it_says_when_nobody_answers_and_keeps_what_it_knew() {
    let mut screen = Screen { api: "http://127.0.0.1:1".into(), ..Screen::default() };
    assert!(text(&screen, 80, 20).contains("asking"));
    screen.miss("no daemon answers".into());
    assert!(text(&screen, 80, 20).contains("NOT ANSWERING, asking again: no daemon answers"));
    let mut screen = self::screen();
    screen.miss("no daemon answers".into());
    let shown = text(&screen, 140, 24);
    assert!(shown.contains("the last answer is shown") && shown.contains("198.51.100.7/32"), "{shown}");
    screen.take(View::of(&answers(9000, 5, 0), None));
    assert!(!text(&screen, 140, 24).contains("NOT ANSWERING"));
}

#[test]
fn keys_do_what_the_help_says() {
    let mut screen = screen();
    // The largest first; then by name.
    assert_eq!(press(&mut screen, KeyCode::Enter), Do::Explain("fedcba9876543210".into()));
    press(&mut screen, KeyCode::Char('s'));
    press(&mut screen, KeyCode::Char('s'));
    assert_eq!(screen.sort, Sort::Name);
    assert_eq!(press(&mut screen, KeyCode::Enter), Do::Explain("0123456789abcdef".into()));
    press(&mut screen, KeyCode::Down);
    press(&mut screen, KeyCode::Down);
    assert_eq!(screen.chosen, 1, "there are two");
    // A filter is text, whatever keys mean else.
    for c in "/q2001".chars() {
        assert_eq!(press(&mut screen, KeyCode::Char(c)), Do::Draw);
    }
    assert_eq!(screen.filter, "q2001");
    assert!(text(&screen, 100, 20).contains("none that the filter leaves"));
    press(&mut screen, KeyCode::Esc);
    for c in "/2001".chars() {
        press(&mut screen, KeyCode::Char(c));
    }
    press(&mut screen, KeyCode::Enter);
    assert!(!screen.typing);
    assert_eq!(press(&mut screen, KeyCode::Enter), Do::Explain("fedcba9876543210".into()));
    // An explanation scrolls, and goes.
    screen.explained = Some(((0..50).map(|n| format!("line {n}")).collect(), 0));
    press(&mut screen, KeyCode::PageDown);
    assert!(text(&screen, 80, 20).contains("line 10") && !text(&screen, 80, 20).contains("line 9\n"));
    press(&mut screen, KeyCode::Char('x'));
    assert_eq!(screen.explained, None);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.press(control_c), Do::Quit);
    assert_eq!(press(&mut screen, KeyCode::Char('q')), Do::Quit);
}

#[test]
fn no_size_and_no_answer_breaks_it() {
    let hostile = Answers {
        at_ms: 1,
        attacks: json!({"items": [{"id": "\u{1b}[2J", "target": "x\ny", "vectors": 7, "peak_bps": -1.0}, 5, null]}),
        exporters: json!({"items": [{"address": "\u{1b}]0;x\u{7}", "sampling_rate": "no"}]}),
        ..Answers::default()
    };
    let mut screens = vec![screen(), Screen::default(), screen()];
    screens[1].take(View::of(&hostile, Some(&hostile)));
    screens[2].help = true;
    for screen in &screens {
        for (width, height) in [(1, 1), (3, 2), (20, 5), (79, 9), (400, 100)] {
            let shown = text(screen, width, height);
            assert_eq!(shown.lines().count(), usize::from(height));
            assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
        }
    }
}

#[test]
fn rates_need_two_looks_and_a_counter_that_went_back_makes_none() {
    let (first, second) = (answers(0, 1_000_000, 100_000), answers(2000, 1_900_000, 900_000));
    let rates = View::of(&second, Some(&first)).rates.unwrap();
    assert_eq!(
        (rates.arriving_pps, rates.dropped_pps, rates.passed_pps),
        (450_000.0, Some(400_000.0), Some(50_000.0))
    );
    assert_eq!(rates.arriving_bps, 3_600_000_000.0);
    assert_eq!(View::of(&first, Some(&second)).rates, None);
    assert_eq!(View::of(&first, None).rates, None);
}

#[test]
fn a_pipe_gets_one_frame_of_the_real_daemon() {
    let scratch = Scratch::new("top");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    let api = &daemon.ready["api"].as_str().unwrap().to_owned();
    let once = spillway(["top", "--api", api, "--interval", "0.1"]);
    assert!(once.status.success(), "{}", stderr(&once));
    let frame = String::from_utf8(once.stdout).unwrap();
    assert!(frame.contains("Nobody has told of traffic yet"), "{frame}");
    assert!(frame.contains("told by 0 records/s") && !frame.contains('\u{1b}'), "{frame}");
    let view = spillway(["top", "--api", api, "--interval", "0.1", "-o", "json"]);
    let view: Value = serde_json::from_slice(&view.stdout).unwrap();
    assert_eq!(view["attacks"], json!([]));
    drop(daemon);
    let gone = spillway(["top", "--once", "--api", api]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(stderr(&gone).contains("is `spillway run` up?"), "{}", stderr(&gone));
}

/// Runs `top` on a terminal of its own (`script` of util-linux makes one); what came out of it and its exit code.
fn on_a_terminal(api: &str, end: &str) -> Option<(Option<i32>, String)> {
    if !std::process::Command::new("script")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "script (util-linux, bsdutils) is needed");
        eprintln!("skipped: needs script");
        return None;
    }
    let run = format!("{} top --interval 0.1 --api {api}", env!("CARGO_BIN_EXE_spillway"));
    let run = match end {
        "TERM" => format!("{run} & pid=$!; sleep 2; kill -TERM $pid; wait $pid"),
        _ => run,
    };
    // The terminal's settings before and after stand beside each other.
    let command = format!("stty rows 24 cols 100; stty -g; {run}; echo code $?; stty -g");
    let mut child = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut shown = Vec::new();
    let mut part = [0; 4096];
    let (mut pressed, mut waited) = (false, 0);
    loop {
        let read = std::io::Read::read(&mut out, &mut part).unwrap_or(0);
        if read == 0 || waited > 10_000 {
            break;
        }
        waited += 1;
        shown.extend_from_slice(&part[..read]);
        // It has drawn an answer: now it is ended.
        if !pressed && String::from_utf8_lossy(&shown).contains("records/s") {
            pressed = true;
            let key: &[u8] = match end {
                "Ctrl-C" => b"\x03",
                "q" => b"q",
                _ => b"",
            };
            std::io::Write::write_all(&mut keys, key).unwrap();
        }
    }
    drop(keys);
    let code = child.wait().unwrap().code();
    Some((code, String::from_utf8_lossy(&shown).into_owned()))
}

#[test]
fn a_terminal_is_as_it_was_after_every_end() {
    let scratch = Scratch::new("top-terminal");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    let api = daemon.ready["api"].as_str().unwrap();
    for end in ["q", "Ctrl-C", "TERM"] {
        let Some((_, shown)) = on_a_terminal(api, end) else { return };
        let settings: Vec<&str> = shown
            .lines()
            .map(|line| line.trim().rsplit('\u{1b}').next().unwrap_or_default())
            .filter(|line| line.matches(':').count() > 20)
            .map(|line| line.rsplit(['h', 'l', 'm']).next().unwrap_or(line))
            .collect();
        assert!(shown.contains("code 0"), "{end}: {shown:?}");
        assert!(shown.contains("\u{1b}[?1049h") && shown.contains("\u{1b}[?1049l"), "{end}: {shown:?}");
        assert_eq!(settings.len(), 2, "{end}: {shown:?}");
        assert_eq!(settings[0], settings[1], "{end}: the terminal is not as it was");
    }
}
