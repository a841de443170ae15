//! The manual: every command in it runs, every configuration in it is taken, every link leads somewhere.
//!
//! A fence says what it holds. `console`: lines after `$ ` are run here, in the order of the page, in one folder; what stands below
//! one is (with `…` for anything) what it says. `console root` and `console elsewhere` need what is not here: their commands are only
//! parsed. `toml` is a configuration, or sections of one; `toml absorber` an absorber's. `text` is somebody else's language.
//! `<!-- runs: daemon capture -->` above a fence says what is there for those below it.

#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

mod fixtures;
mod page;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use spillway::manual::book;

use crate::support::{Scratch, spillway, stderr};
use fixtures::Fixtures;
use page::{commands, fences, is_a_command, parses, prose, says};

#[test]
fn every_command_in_the_manual_runs() {
    let pages: Vec<Written> = written();
    let next = AtomicUsize::new(0);
    let told: Mutex<(usize, Vec<String>)> = Mutex::default();
    // most of it is waiting for a daemon
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (ran, wrong) = tried(page);
                    let mut told = told.lock().unwrap();
                    told.0 += ran;
                    told.1.extend(wrong);
                }
            });
        }
    });
    let (ran, wrong) = told.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {ran}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran > 100, "only {ran} commands were found");
    println!("{ran} commands");
}

/// Runs the commands of a page: how many, and what was wrong.
fn tried(page: &Written) -> (usize, Vec<String>) {
    let (mut ran, mut wrong) = (0, Vec::new());
    let mut fixtures: Option<Fixtures> = None;
    for fence in fences(&page.text).iter().filter(|fence| fence.info == "console") {
        let fixtures = fixtures.get_or_insert_with(|| Fixtures::new(&page.path.replace('/', "-")));
        fixtures.provide(&fence.needs);
        for (line, command, wanted) in commands(fence) {
            ran += 1;
            let command = fixtures.real(&command);
            let output = fixtures.run(&command);
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            let place = format!("{}.md:{line}: {command}", page.path);
            if !output.status.success() {
                wrong.push(format!("{place}\n  ends with {:?}: {err}{out}", output.status.code()));
            }
            for wanted in wanted.iter().map(|line| fixtures.real(line)).filter(|line| !line.trim().is_empty())
            {
                if !says(&out, &wanted) && !says(&err, &wanted) {
                    wrong.push(format!("{place}\n  does not say `{wanted}` but\n{err}{out}"));
                }
            }
        }
    }
    (ran, wrong)
}

#[test]
fn commands_that_need_a_router_or_root_are_understood_and_every_fence_says_what_it_is() {
    let mut wrong = Vec::new();
    for page in written() {
        for fence in fences(&page.text) {
            let place = format!("{}.md:{}", page.path, fence.line);
            match fence.info.as_str() {
                "console" | "toml" | "toml absorber" => {}
                "console root" | "console elsewhere" => {
                    for (line, command, _) in commands(&fence) {
                        if let Err(why) = parses(&command) {
                            wrong.push(format!("{}.md:{line}: {why}", page.path));
                        }
                    }
                }
                "text" | "yaml" | "json" => {
                    let ours = fence
                        .text
                        .iter()
                        .find(|line| line.starts_with("spillway ") || line.starts_with("$ "));
                    wrong.extend(
                        ours.map(|line| format!("{place}: `{line}` is a command: make it a console")),
                    );
                }
                other => wrong.push(format!("{place}: a fence of `{other}`")),
            }
        }
        // what stands in a sentence as a command is one
        for (number, line) in prose(&page.text) {
            for code in line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("spillway ")) {
                if let Err(why) = is_a_command(code) {
                    wrong.push(format!("{}.md:{number}: `{code}`: {why}", page.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_configuration_in_the_manual_is_taken() {
    let scratch = Scratch::new("manual-toml");
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for page in written() {
        for fence in fences(&page.text).iter().filter(|fence| fence.info.starts_with("toml")) {
            looked_at += 1;
            let mut text = fence.text.join("\n");
            let absorber = fence.info == "toml absorber";
            // sections of a file stand in one that has what every file needs
            let top = fence.text.iter().take_while(|line| !line.starts_with('['));
            if !absorber && !top.into_iter().any(|line| line.starts_with("networks")) {
                text = format!("networks = [\"198.51.100.0/24\", \"2001:db8::/32\"]\n{text}");
            }
            if !absorber && !text.contains("[listen]") && !text.contains("\ninterfaces = ") {
                text.push_str("\n[listen]\nsflow = \"192.0.2.1:6343\"\n");
            }
            // files of another machine are files of this folder
            let key = scratch.path("key");
            if !key.exists() {
                let made = spillway(["absorb", "keys", key.to_str().unwrap()]);
                assert!(made.status.success(), "{}", stderr(&made));
                for (name, text, mode) in [
                    ("secret", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0\n", 0o600),
                    ("hook", "https://hooks.example.net/services/secret\n", 0o600),
                    ("tell", "#!/bin/sh\n", 0o755),
                    ("probe", "#!/bin/sh\n", 0o755),
                ] {
                    let path = scratch.file(name, text.as_bytes());
                    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
                        .unwrap();
                }
            }
            let here = |name: &str| scratch.path(name).to_str().unwrap().to_owned();
            let text = text
                .replace("/etc/spillway/absorb.key", &here("key"))
                .replace("/etc/spillway/secret", &here("secret"))
                .replace("/etc/spillway/hook", &here("hook"))
                .replace("/usr/local/bin/tell", &here("tell"))
                .replace("/usr/local/bin/probe", &here("probe"));
            let file = scratch.file("manual.toml", text.as_bytes());
            let output = if absorber {
                spillway(["absorb", "-c", &file, "--check"])
            } else {
                // nor are those of [intel] here
                spillway(["check", "--without-files", "-c", &file])
            };
            if !output.status.success() {
                wrong.push(format!("{}.md:{}: {}", page.path, fence.line, stderr(&output)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 20, "only {looked_at} were found");
}

/// A chapter that is written down, as it is in the sources.
struct Written {
    path: String,
    text: String,
}

fn written() -> Vec<Written> {
    let read = |path: &str| {
        std::fs::read_to_string(sources().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
    };
    chapters(&read("SUMMARY.md"))
        .into_iter()
        .filter(|file| !::manual::made().contains(&file.as_str()))
        .map(|file| Written { path: file.trim_end_matches(".md").to_owned(), text: read(&file) })
        .collect()
}

/// The files that a table of contents names.
fn chapters(summary: &str) -> Vec<String> {
    let names = summary.lines().filter_map(|line| line.split_once("](")?.1.split(')').next());
    names.map(str::to_owned).collect()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manual/src")
}

#[test]
fn the_book_is_whole_and_every_link_leads_somewhere() {
    let scratch = Scratch::new("manual-book");
    let dir = scratch.path("book");
    let output = spillway(["manual", "--to", dir.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary = std::fs::read_to_string(dir.join("src/SUMMARY.md")).unwrap();
    let mut wrong = Vec::new();
    let chapters = chapters(&summary);
    for file in chapters.iter().filter(|file| !dir.join("src").join(file).is_file()) {
        wrong.push(format!("SUMMARY.md names {file}, which is not there"));
    }
    // nothing is written down that nobody finds
    for folder in ["", "tutorial", "how-to", "troubleshooting", "reference", "explanation"] {
        for entry in std::fs::read_dir(sources().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if path.ends_with(".md") && path != "SUMMARY.md" && !chapters.contains(&path) {
                wrong.push(format!("{path} is not in SUMMARY.md"));
            }
        }
    }
    let anchors: BTreeMap<&str, String> =
        book().pages().iter().map(|page| (page.path.as_str(), ::manual::html::page(book(), page))).collect();
    for page in book().pages() {
        assert!(page.text.starts_with("# "), "{} has no title", page.path);
        for (number, line) in prose(&page.text) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                if target.contains("://") || !file.is_empty() && !file.ends_with(".md") {
                    continue;
                }
                let mut path: Vec<&str> = page.path.split('/').collect();
                path.pop();
                for step in file.split('/').filter(|step| !step.is_empty()) {
                    if step == ".." {
                        path.pop();
                    } else {
                        path.push(step);
                    }
                }
                let path = path.join("/");
                let path = if file.is_empty() { page.path.as_str() } else { path.trim_end_matches(".md") };
                match anchors.get(path) {
                    None => wrong.push(format!("{}.md:{number}: {target}: no such page", page.path)),
                    Some(html) if !anchor.is_empty() && !html.contains(&format!("id=\"{anchor}\"")) => {
                        wrong.push(format!("{}.md:{number}: {target}: no such place", page.path));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reference_has_what_the_code_has() {
    let text = |name: &str| book().find(name).unwrap().text.clone();
    let commands = text("reference/commands");
    for name in ["spillway manual", "spillway route blackhole", "spillway dataplane attach"] {
        assert!(commands.contains(&format!("`{name}`")), "{name}");
    }
    assert!(!commands.contains("spillway helper"), "what nobody calls is not described");
    let configuration = text("reference/configuration");
    for key in [
        "## `[listen]`",
        "## `[routing.peers.NAME]`",
        "* `lease`: text, default `\"15m\"`",
        "* `networks`: list of text, *required*",
    ] {
        assert!(configuration.contains(key), "{key} in\n{configuration}");
    }
    let document: serde_json::Value = serde_json::to_value(api::openapi()).unwrap();
    let endpoints = text("reference/api");
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(endpoints.contains(&format!(" {path}\n")), "{path}");
    }
    let profiles = text("reference/profiles");
    let vectors = text("reference/vectors");
    for name in ["game-udp", "wireguard"] {
        assert!(profiles.contains(&format!("`{name}`")), "{name}");
    }
    for name in ["tcp-syn-flood", "udp-amplification-NAME", "memcached"] {
        assert!(vectors.contains(&format!("`{name}`")), "{name}");
    }
    assert!(!vectors.contains("traffic that is far above"), "a vector without words");
    let (verdicts, pages) = (text("reference/verdicts"), include_str!("../../../web/src/lib/words.ts"));
    for reason in intel::finding::Reason::ALL {
        assert!(verdicts.contains(&format!("| `{reason:?}` | {} |", reason.says())), "{reason:?}");
        let said = reason.says().replace('\'', "\\'");
        assert!(pages.contains(&format!("  {reason:?}: '{said}',")), "{reason:?} on the pages");
    }
    for class in intel::finding::Class::ALL {
        let name = format!("{class:?}").to_lowercase();
        assert!(verdicts.contains(&format!("| `{name}` | {} |", class.says())), "{name}");
        assert!(pages.contains(&format!("says: '{}' }},", class.says())), "{name} on the pages");
    }
    let rules = text("reference/rules");
    for key in rules::parse::KEYS {
        assert!(rules.contains(&format!("`{key}")), "the rule language has {key}");
    }
}

#[test]
fn the_metrics_page_has_every_name_that_the_daemon_tells() {
    let scratch = Scratch::new("manual-metrics");
    let places = scratch.file("places.csv", b"20.0.0.0/8,,QM,,,\n");
    let list = scratch.file("list.txt", b"9.9.9.9\n");
    let intel = format!(
        "[intel]\nplaces = [\"{places}\"]\n[[intel.lists]]\nname = \"l\"\nfile = \"{list}\"\nkind = \"bot\"\n"
    );
    let daemon = crate::daemon::Daemon::start(&crate::daemon::config(&scratch, "", &intel));
    let page = &book().find("reference/metrics").unwrap().text;
    // Files and lists are told by a thread of their own.
    let told = crate::daemon::wait("word of files and lists", || {
        let (_, told) = daemon.get("/metrics");
        let is_whole =
            ["spillway_intel_file_refused{", "spillway_intel_list_refused{"].map(|name| told.contains(name));
        (is_whole == [true; 2]).then_some(told)
    });
    let missing: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty() && told.contains("# TYPE"), "{missing:?}");
    // and in the browser, under a policy that allows no script, for whoever asks
    let (status, first) = daemon.get("/manual/");
    assert!(status == 200 && first.contains("<h1 id=\"spillway\">"), "{first}");
    let (status, found) = daemon.get("/manual/search?q=sampling+rate");
    assert!(status == 200 && found.contains("href=\"/manual/"), "{found}");
    assert_eq!(daemon.get("/manual/how-to/junos").0, 200);
    assert_eq!(daemon.get("/manual/manual.css").0, 200);
    assert_eq!(daemon.get("/manual/nothing").0, 404);
    for page in book().pages() {
        let html = ::manual::html::page(book(), page);
        assert!(
            !html.contains("<script") && !html.contains(" style=") && !html.contains(" onclick"),
            "{}",
            page.path
        );
    }
}

#[test]
fn a_page_is_printed_and_one_that_is_not_there_is_wrong_use() {
    let output = spillway(["manual", "no-flows"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("No flows arrive\n"), "{text}");
    let output = Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(["manual", "junipr"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    let output = spillway(["manual", "--search", "zzqx"]);
    assert_eq!(output.status.code(), Some(1));
    let output = spillway(["manual", "-o", "csv"]);
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("path,title,part\nintroduction,"));
}
