//! Every file of `data/flows` gives the counts that its manifest states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Run, data};

/// `{'records': 6, …}` as it stands in the manifest.
fn counts(line: &str) -> BTreeMap<String, u64> {
    let from = line.find(" {'").map_or(line.len(), |at| at + 2);
    let body = line[from..].split('}').next().unwrap();
    body.split(", ")
        .filter_map(|pair| {
            let (key, value) = pair.split_once(": ")?;
            Some((key.trim_matches('\'').to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// `err={'v5len 1728 for 2': 1}` says that the file is damaged on purpose.
fn damaged(line: &str) -> bool {
    !line.contains("err={}")
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    ["logstash", "ndpi", "netgauze", "tcpdump"]
        .iter()
        .map(|dir| root.join(dir).join(name))
        .find(|p| p.exists())
}

/// The files of a device: templates first, then data, in the order of their names. A longer device name takes its own.
fn device(root: &Path, name: &str, all: &[String]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("logstash"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let longest = all.iter().filter(|d| file.starts_with(d.as_str())).max_by_key(|d| d.len());
            // Two files belong to no device of the manifest.
            let alone = file.contains("8510") || file.contains("nprobe_dpi");
            longest.is_some_and(|d| d == name) && !alone
        })
        .collect();
    files.sort_by_key(|path| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        (!(file.contains("tpl")), file)
    });
    files
}

fn check(name: &str, line: &str, run: &Run) -> Vec<String> {
    let expected = counts(line);
    let stats = run.stats();
    let want = |key: &str| expected.get(key).copied().unwrap_or(0);
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: u64, found: u64| {
        if expected != found {
            wrong.push(format!("{name}: {what}: {expected} in the manifest, {found} found; {stats:?}"));
        }
    };
    // The manifest counts definitions; this exporter sends one of them twice, and we count distinct ones.
    let repeated = if name.starts_with("ipfix_test_yaf") && want("templates") > 1 { 1 } else { 0 };
    compare("templates", want("templates") - repeated, stats.templates);
    compare("opt_templates", want("opt_templates"), stats.options_templates);
    compare("opt_records", want("opt_records"), stats.options_records);
    let no_template = stats.buffered_bytes + stats.undecodable_bytes;
    compare("bytes_no_template", want("bytes_no_template"), no_template);
    compare("sFlow counters", want("s:counter") + want("s:exp_counter"), stats.counter_samples);
    if !name.contains("netflow5_test_invalid") {
        let records = want("records") + want("v5rec") + want("s:flow");
        compare("records", records, stats.flows - stats.flows_reverse + stats.events);
    }
    compare("damaged", u64::from(damaged(line)), u64::from(!stats.faults.is_empty()));
    wrong
}

#[test]
fn every_file_agrees_with_the_manifest() {
    let Some(root) = data("flows") else { return };
    let manifest = std::fs::read_to_string(root.join("MANIFEST.txt")).unwrap();
    let devices: Vec<String> = manifest
        .lines()
        .filter_map(|line| Some(line.strip_prefix("DEV ")?.split_once('[')?.0.to_owned()))
        .collect();
    let mut wrong = Vec::new();
    let mut files = 0;
    for line in manifest.lines() {
        let mut run = Run::new();
        let name = if let Some(rest) = line.strip_prefix("DEV ") {
            let name = rest.split_once('[').unwrap().0;
            run.files(&device(&root, name, &devices));
            name
        } else if let Some((name, _)) = line.split_once(": ver=") {
            run.files(&[find(&root, name).unwrap()]);
            name
        } else {
            continue;
        };
        files += 1;
        wrong.extend(check(name, line, &run));
    }
    assert!(files > 90, "{files} lines read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
