//! Help, man pages and completions: made from one definition; what users read is compared as text.
//!
//! `SPILLWAY_BLESS=1` writes the golden files anew; the diff is read.

use std::path::Path;
use std::process::Command;

use crate::support::{Scratch, spillway, stderr};

#[test]
fn what_users_read_changes_only_on_purpose() {
    for (name, args) in [
        ("help-backtest.txt", &["backtest", "--help"][..]),
        ("help-decode.txt", &["decode", "--help"][..]),
        ("help-doctor.txt", &["doctor", "--help"]),
        ("help-support-bundle.txt", &["support", "bundle", "--help"]),
        ("help-top.txt", &["top", "--help"]),
        ("spillway-attack-explain.1", &["man", "attack", "explain"]),
        ("help-import-fastnetmon.txt", &["import", "fastnetmon", "--help"]),
        ("help-replay.txt", &["replay", "--help"]),
        ("help-rules-compile.txt", &["rules", "compile", "--help"]),
        ("spillway-rules-eval.1", &["man", "rules", "eval"]),
    ] {
        let output = spillway(args.iter().copied());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("SPILLWAY_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == golden, "{name} differs; look at\n{text}\nand bless it with SPILLWAY_BLESS=1");
    }
}

/// Compares with the golden file; `SPILLWAY_BLESS=1` writes it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("SPILLWAY_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == golden, "{name} differs; look at\n{text}\nand bless it with SPILLWAY_BLESS=1");
}

#[test]
fn the_tree_of_commands_changes_only_on_purpose() {
    fn walk(command: &clap::Command, path: &str, out: &mut String) {
        let path = format!("{path} {}", command.get_name());
        let mut words = vec![path.trim().to_owned()];
        for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            let id = argument.get_id().as_str();
            if !matches!(id, "help" | "version" | "output") {
                words.push(argument.get_long().map_or_else(|| format!("<{id}>"), |long| format!("--{long}")));
            }
        }
        out.push_str(&format!("{}\n", words.join(" ")));
        for sub in command.get_subcommands() {
            walk(sub, &path, out);
        }
    }
    let mut definition = spillway::cli::definition();
    definition.build();
    let mut tree = String::new();
    walk(&definition, "", &mut tree);
    golden("commands.txt", &tree);
}

/// Which page or script changed is seen here; what changed, by `spillway man`.
#[test]
fn every_page_and_every_completion_changes_only_on_purpose() {
    let scratch = Scratch::new("man-all");
    let dir = scratch.path("man1");
    assert!(spillway(["man", "--dir", dir.to_str().unwrap()]).status.success());
    let mut texts: Vec<(String, Vec<u8>)> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let shells = ["bash", "elvish", "fish", "powershell", "zsh"];
    texts.extend(
        shells.map(|shell| (format!("completions {shell}"), spillway(["completions", shell]).stdout)),
    );
    texts.sort();
    let mut lines = String::new();
    for (name, text) in texts {
        let text = String::from_utf8(text).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        assert!(!text.is_empty(), "{name}");
        lines.push_str(&format!("{} {name}\n", ledger::Hash::of(text.as_bytes())));
    }
    golden("pages.txt", &lines);
}

#[test]
fn every_command_says_what_it_is_for() {
    fn look(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path}: no description");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path}: {} has no help", argument.get_id());
        }
        for sub in command.get_subcommands() {
            look(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    let mut definition = spillway::cli::definition();
    definition.build();
    definition.clone().debug_assert();
    look(&definition, "spillway");
}

#[test]
fn each_command_has_a_page_and_a_completion() {
    let scratch = Scratch::new("man");
    let dir = scratch.path("man1");
    assert!(spillway(["man", "--dir", dir.to_str().unwrap()]).status.success());
    let definition = spillway::cli::definition();
    for command in definition.get_subcommands() {
        let name = command.get_name();
        let page = std::fs::read_to_string(dir.join(format!("spillway-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    // Every page below, too: `spillway-route-list.1`.
    fn pages(command: &clap::Command, title: &str, dir: &Path) {
        assert!(dir.join(format!("{title}.1")).is_file(), "{title}");
        for sub in command.get_subcommands() {
            pages(sub, &format!("{title}-{}", sub.get_name()), dir);
        }
    }
    pages(&definition, "spillway", &dir);
    // A shell reads its script; what is not installed here is read where it is.
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = scratch.file(shell, &spillway(["completions", shell]).stdout);
        if let Ok(read) = Command::new(shell).args([check, &script]).output() {
            assert!(read.status.success(), "{shell}: {}", stderr(&read));
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(spillway(["completions", shell]).stdout).unwrap();
        for command in definition.get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
    }
}
