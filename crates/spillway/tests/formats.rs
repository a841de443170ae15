//! One layer for all output: whatever prints objects prints them as one document, a line each, a table and comma-separated values.
#![expect(clippy::indexing_slicing, reason = "rows are looked into by place")]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::{Scratch, pcap, spillway, stderr, udp};

/// Paths of all commands without further ones below them.
fn leaves() -> BTreeSet<String> {
    fn walk(command: &clap::Command, path: &str, all: &mut BTreeSet<String>) {
        let subs: Vec<&clap::Command> = command.get_subcommands().collect();
        if subs.is_empty() {
            let option = command.get_arguments().find(|argument| argument.get_id() == "output");
            let option = option.unwrap_or_else(|| panic!("{path} does not take -o"));
            let values: Vec<String> =
                option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
            assert_eq!(values, ["json", "jsonl", "text", "table", "csv"], "{path}");
            all.insert(path.to_owned());
        }
        for sub in subs {
            walk(sub, format!("{path} {}", sub.get_name()).trim(), all);
        }
    }
    let mut definition = spillway::cli::definition();
    definition.build();
    let mut all = BTreeSet::new();
    walk(&definition, "", &mut all);
    all
}

/// Fields of lines of comma-separated values (RFC 4180).
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "it ends in the middle: {text}");
    rows
}

/// Runs it in each format, and reads what it prints; how many rows there are.
fn reads(args: &[&str]) -> usize {
    let run = |format: &str| {
        let output = spillway(args.iter().chain(&["-o", format]).copied());
        // What is found to be wrong is no fault of the output.
        let fine = output.status.success() || args[0] == "doctor";
        assert!(fine, "{args:?} -o {format}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let document = run("json");
    assert!(serde_json::from_str::<Value>(&document).is_ok(), "{args:?}: {document}");
    let lines = run("jsonl");
    let objects: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{args:?}: {line}")))
        .filter(|one: &Value| one["record"] != "summary" && one["event"] != "summary")
        .collect();
    let rows = csv(&run("csv"));
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{args:?}: {rows:?}");
    let table = run("table");
    if args[0] == "flows" {
        return rows.len().saturating_sub(1);
    }
    let expected = if objects.is_empty() { 0 } else { objects.len() + 1 };
    assert_eq!(rows.len(), expected, "{args:?}: a head, and a row for each object: {rows:?}");
    assert_eq!(table.lines().count(), expected, "{args:?}: {table}");
    assert!(!run("text").is_empty() || objects.is_empty(), "{args:?}");
    objects.len()
}

#[test]
fn each_listing_command_prints_every_format() {
    let leaves = leaves();
    let scratch = Scratch::new("formats");
    let channel = "[notify.noc]\nkind = \"syslog\"\ntarget = \"udp://127.0.0.1:9\"\n";
    let file = config(&scratch, "mode = \"suggest\"", channel);
    let daemon = Daemon::start(&file);
    let attack = attacked(&daemon);
    let id = attack["id"].as_str().unwrap();
    let made = spillway(["token", "add", "admin", "--label", "a, \"b\"", "-c", &file, "-o", "json"]);
    assert!(made.status.success(), "{}", stderr(&made));
    let api = daemon.ready["api"].as_str().unwrap();
    let capture = scratch.file("c.pcap", &pcap(101, &[udp(b"x"), udp(b"y")]));
    let rules =
        scratch.file("r.txt", b"a dst 198.18.0.1/32 proto udp -> drop\nb dst 198.18.0.0/16 -> pass\n");
    let over = ["--api", api];
    let commands: Vec<(Vec<&str>, usize)> = vec![
        ([&["attack", "list"][..], &over].concat(), 1),
        ([&["attack", "show", id][..], &over].concat(), 1),
        ([&["attack", "explain", id][..], &over].concat(), 1),
        ([&["exporter", "list"][..], &over].concat(), 1),
        ([&["exporter", "show", "127.0.0.7"][..], &over].concat(), 1),
        ([&["status"][..], &over].concat(), 1),
        ([&["top", "--once", "--interval", "0.1"][..], &over].concat(), 1),
        (vec!["manual"], 50),
        (vec!["manual", "--search", "sampling rate"], 5),
        (vec!["target", "list", "-c", &file], 0),
        (vec!["target", "show", "198.18.7.7", "-c", &file], 8),
        (vec!["target", "profiles", "-c", &file], 12),
        (vec!["target", "group", "-c", &file], 0),
        (vec!["config", "show", "-c", &file], 40),
        (vec!["config", "show", "--running", "-c", &file], 40),
        (vec!["allow", "list", "-c", &file], 0),
        (vec!["exception", "list", "-c", &file], 0),
        (vec!["rule", "list", "-c", &file], 0),
        (vec!["doctor", "-c", &file], 5),
        (vec!["user", "list", "-c", &file], 1),
        (vec!["token", "list", "-c", &file], 2),
        (vec!["audit", "-c", &file], 1),
        (vec!["roles"], 5),
        (vec!["notify", "list", "-c", &file], 1),
        (vec!["disclosure", "list", "-c", &file], 0),
        (vec!["privacy", "show", "-c", &file], 1),
        (vec!["flows", "usage", "-c", &file], 0),
        (vec!["rules", "eval", &rules, &capture], 1),
        (vec!["decode", &capture], 0),
        (vec!["replay", &capture], 0),
        (vec!["version"], 1),
    ];
    wait("an exporter", || {
        let list = daemon.json("/api/v1/exporters");
        list["items"].as_array().filter(|items| !items.is_empty()).map(|_| ())
    });
    for (args, least) in &commands {
        let path: Vec<&str> = args
            .iter()
            .take_while(|word| leaves.iter().any(|leaf| leaf.split(' ').any(|part| part == **word)))
            .copied()
            .collect();
        let known = (1..=path.len()).any(|n| leaves.contains(&path[..n].join(" ")));
        assert!(known, "{args:?} is no command");
        let rows = reads(args);
        assert!(rows >= *least, "{args:?}: {rows} rows");
    }
    // Each command that lists is among them, or says here why it is not.
    const APART: [&str; 2] = [
        "route list", // needs a neighbour: tests/routing
        "lab list",   // prints the names of plays
    ];
    for leaf in leaves.iter().filter(|leaf| leaf.ends_with(" list")) {
        let here = commands.iter().any(|(args, _)| args.join(" ").starts_with(leaf.as_str()));
        assert!(here || APART.contains(&leaf.as_str()), "`spillway {leaf}` is not read in every format");
    }
}

#[test]
fn what_prints_no_rows_says_so() {
    for args in [["check", "-o", "csv"], ["init", "-o", "csv"], ["man", "-o", "csv"]] {
        let output = spillway(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("prints no rows"), "{args:?}: {}", stderr(&output));
    }
}
