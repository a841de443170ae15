//! Imports point down.

use std::collections::BTreeSet;

use super::workspace::{packages, root, stdout};

/// What each crate may import of ours, besides `base`, which every crate may use.
/// A crate that is not in this table has no floor yet: add it here and to ARCHITECTURE.md.
const FLOORS: &[(&str, &[&str])] = &[
    // 0
    ("base", &[]),
    ("wire", &[]),
    ("rules", &["wire"]),
    ("ledger", &[]),
    ("manual", &[]),
    // 1
    ("telemetry", &["wire"]),
    ("detect", &["wire", "telemetry", "rules"]),
    ("steer", &["wire", "rules"]),
    ("intel", &["wire", "ledger"]),
    // 2
    ("engine", &["wire", "rules", "ledger", "telemetry", "detect", "steer", "intel"]),
    ("sim", &["wire"]),
    // 3
    ("sys", &[]),
    ("dataplane", &["rules", "sys"]),
    ("store", &["engine"]),
    ("history", &["store"]),
    ("access", &["store"]),
    ("notify", &["store"]),
    (
        "api",
        &[
            "wire",
            "rules",
            "ledger",
            "telemetry",
            "detect",
            "steer",
            "intel",
            "engine",
            "store",
            "access",
            "history",
            "manual",
        ],
    ),
    // roof
    (
        "spillway",
        &[
            "wire",
            "rules",
            "ledger",
            "telemetry",
            "detect",
            "steer",
            "intel",
            "engine",
            "sim",
            "sys",
            "dataplane",
            "store",
            "history",
            "access",
            "notify",
            "api",
            "manual",
        ],
    ),
    // what a customer checks us with: short enough to be read
    ("verifier", &["ledger"]),
    ("xtask", &["peers"]),
    // examiners: they stand outside the house and knock at every door
    ("fuzz", &["wire", "rules", "ledger", "telemetry", "spillway", "steer", "intel", "history"]),
    ("peers", &[]),
    ("evaluation", &["wire", "rules", "telemetry", "intel", "engine", "sim", "spillway", "peers"]),
    (
        "benches",
        &[
            "wire",
            "rules",
            "ledger",
            "telemetry",
            "detect",
            "engine",
            "sim",
            "sys",
            "dataplane",
            "spillway",
            "steer",
            "intel",
            "history",
        ],
    ),
];

/// Crates which are `no_std`: there a clock, a file, a thread or a std `HashMap` does not compile.
const WITHOUT_STD: &[&str] = &["base", "wire", "rules", "telemetry", "detect"];

/// What floors 0–2 with std must not name.
const OUTSIDE_WORLD: &[&str] =
    &["std::net::Udp", "std::net::Tcp", "std::fs", "std::thread", "std::process", "std::io", "tokio"];

const FLOORS_BELOW_THREE_WITH_STD: &[&str] = &["engine", "sim", "ledger", "steer", "intel", "manual"];

/// The parts that were chosen come to some 280: TLS and its certificates, HTTP, mail, Parquet and the terminal among them; the rest is
/// room for a few good reasons.
const CRATES_MAX: usize = 300;

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for package in packages() {
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == package.name) else {
            wrong.push(format!("{} stands on no floor", package.name));
            continue;
        };
        for (import, only_tests) in &package.imports {
            let down = import == "base" || allowed.contains(&import.as_str());
            // tests may look around on any floor but the roof; the examiner stays honest in its tests too
            let looked_at = *only_tests && import != "spillway" && package.name != "sim";
            if !down && !looked_at && *import != package.name {
                wrong.push(format!("{} imports {import}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "against the floors: {wrong:#?}");
}

#[test]
fn the_lower_floors_are_no_std() {
    for package in packages().iter().filter(|package| WITHOUT_STD.contains(&package.name.as_str())) {
        let lib = std::fs::read_to_string(package.folder.join("src/lib.rs")).unwrap();
        let declared =
            lib.lines().any(|line| line == "#![no_std]" || line == "#![cfg_attr(not(test), no_std)]");
        assert!(declared, "{} must be no_std", package.name);
    }
}

#[test]
fn floors_below_three_do_not_touch_the_outside_world() {
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|p| FLOORS_BELOW_THREE_WITH_STD.contains(&p.name.as_str())) {
        for file in super::workspace::tracked() {
            let inside = root().join(&file).starts_with(package.folder.join("src"));
            if !inside || !file.ends_with(".rs") || file.ends_with("tests.rs") {
                continue;
            }
            let text = super::workspace::text(&file).unwrap_or_default();
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in OUTSIDE_WORLD {
                if product.contains(word) {
                    wrong.push(format!("{file} names {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "sockets, files, threads below the third floor: {wrong:#?}");
}

#[test]
fn the_default_build_stays_small() {
    if !packages().iter().any(|package| package.name == "spillway") {
        return;
    }
    let args = "tree --locked --package spillway --edges normal,build --target x86_64-unknown-linux-gnu --prefix none";
    let tree = stdout(std::process::Command::new(env!("CARGO")).args(args.split(' ')));
    let crates: BTreeSet<String> =
        tree.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert!(crates.len() <= CRATES_MAX, "{} crates, at most {CRATES_MAX}: {crates:#?}", crates.len());
    println!("{} crates", crates.len());
}
