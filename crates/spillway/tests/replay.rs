//! `replay` as a whole: the same answer whatever does not matter, and packets that add up.

use std::path::{Path, PathBuf};

use spillway::capture::{Capture, Writer};

use crate::support::{Scratch, data, json_lines, spillway, stderr};

fn captures(dir: &str) -> Vec<PathBuf> {
    let Some(data) = data() else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(data.join(dir)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn replay(file: &Path, more: &[&str]) -> Vec<u8> {
    let args = ["replay", file.to_str().unwrap(), "-o", "jsonl"];
    let output = spillway(args.iter().chain(more).copied());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output.stdout
}

#[test]
fn seeds_and_shards_do_not_show() {
    for file in captures("attacks") {
        let expected = replay(&file, &[]);
        for cut in [["--seed", "1", "--shards", "2"], ["--seed", "18446744073709551615", "--shards", "7"]] {
            assert!(replay(&file, &cut) == expected, "{} with {cut:?}", file.display());
        }
    }
}

#[test]
fn every_shard_counts_packets_and_they_add_up() {
    let scratch = Scratch::new("shards");
    let stats = scratch.path("stats.json");
    for file in captures("attacks") {
        let lines = replay(&file, &["--shards", "7", "--stats", stats.to_str().unwrap()]);
        let summary: serde_json::Value =
            serde_json::from_slice(lines.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap()).unwrap();
        let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
        let shards: Vec<u64> =
            stats["packets_per_shard"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(shards.len(), 7);
        // Frames that are not IP are counted, but go to no shard.
        let packets = summary["packets"].as_u64().unwrap();
        assert!(shards.iter().sum::<u64>() <= packets && shards.iter().sum::<u64>() * 10 > packets * 9);
        assert!(stats["max_rss_bytes"].as_u64().unwrap() > 0);
        assert!(stats["wall_seconds"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn the_container_does_not_show() {
    let scratch = Scratch::new("container");
    for file in captures("attacks").into_iter().chain(captures("benign").into_iter().take(12)) {
        let copy = scratch.path("copy.pcapng");
        let mut capture = Capture::open(&file).unwrap();
        let mut writer = Writer::create(&copy).unwrap();
        while let Some(packet) = capture.next().unwrap() {
            writer.write(&packet).unwrap();
        }
        writer.finish().unwrap();
        assert!(replay(&file, &[]) == replay(&copy, &[]), "{}", file.display());
    }
}

#[test]
fn passed_and_dropped_packets_are_all_packets() {
    let scratch = Scratch::new("passed");
    let (passed, dropped) = (scratch.path("passed.pcapng"), scratch.path("dropped.pcapng"));
    let count = |path: &Path| {
        let mut capture = Capture::open(path).unwrap();
        std::iter::from_fn(|| capture.next().unwrap().map(|_| ())).count() as u64
    };
    for file in captures("attacks") {
        for apply in ["none", "live", "whole"] {
            let (p, d) = (passed.to_str().unwrap(), dropped.to_str().unwrap());
            let output = spillway([
                "replay",
                file.to_str().unwrap(),
                "-o",
                "jsonl",
                "--apply",
                apply,
                "--passed",
                p,
                "--dropped",
                d,
            ]);
            let summary = json_lines(&output).pop().unwrap();
            assert_eq!(summary["event"], "summary");
            assert_eq!(summary["passed_packets"], count(&passed));
            assert_eq!(summary["dropped_packets"], count(&dropped));
            assert_eq!(summary["packets"], count(&passed) + count(&dropped));
            assert!(apply != "none" || summary["dropped_packets"] == 0);
        }
    }
}

#[test]
fn the_three_formats_tell_the_same() {
    for file in captures("attacks").into_iter().take(3) {
        let path = file.to_str().unwrap();
        let lines = json_lines(&spillway(["replay", path, "-o", "jsonl"]));
        let document: serde_json::Value =
            serde_json::from_slice(&spillway(["replay", path, "-o", "json"]).stdout).unwrap();
        assert_eq!(document["summary"], *lines.last().unwrap());
        for attack in document["attacks"].as_array().unwrap() {
            let last = lines.iter().rev().find(|line| line["id"] == attack["id"]).unwrap();
            assert_eq!(last, attack);
        }
        let text = String::from_utf8(spillway(["replay", path, "-o", "text"]).stdout).unwrap();
        assert!(!text.contains('\u{1b}'), "colours without a terminal");
        for attack in document["attacks"].as_array().unwrap() {
            assert!(text.contains(attack["target"].as_str().unwrap()), "{text}");
        }
    }
}
