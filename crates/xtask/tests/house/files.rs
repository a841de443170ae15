//! What every file owes its readers.

use super::workspace::{text, tracked};

/// Names that hide what is inside.
const NOT_A_NOUN: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "helpers.rs", "helper.rs", "manager.rs", "misc.rs"];

#[test]
fn file_names_say_what_is_inside() {
    let bad: Vec<String> = tracked()
        .into_iter()
        .filter(|file| file.rsplit('/').next().is_some_and(|name| NOT_A_NOUN.contains(&name)))
        .collect();
    assert!(bad.is_empty(), "find the noun: {bad:?}");
}

#[test]
fn a_silenced_lint_says_why() {
    let bare = concat!("#[al", "low(");
    let bare_file = concat!("#![al", "low(");
    let bad: Vec<String> = tracked()
        .into_iter()
        .filter(|file| file.ends_with(".rs"))
        .filter(|file| text(file).is_some_and(|text| text.contains(bare) || text.contains(bare_file)))
        .collect();
    assert!(bad.is_empty(), "use #[expect(…, reason = \"…\")]: {bad:?}");
}

#[test]
fn no_line_is_bound_to_one_machine() {
    // written in pieces, so that this file does not match itself
    let marks = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let mut bad = Vec::new();
    for file in tracked().into_iter().filter(|file| !file.ends_with("Cargo.lock")) {
        for (number, line) in text(&file).unwrap_or_default().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                bad.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    assert!(bad.is_empty(), "paths of one machine: {bad:#?}");
}

#[test]
fn packages_are_listed_once() {
    let mut seen = std::collections::BTreeSet::new();
    for file in tracked().into_iter().filter(|file| file.starts_with("scripts/apt-")) {
        for line in text(&file).unwrap_or_default().lines().filter(|line| !line.starts_with('#')) {
            assert!(seen.insert(line.to_owned()), "{line} stands twice, the second time in {file}");
        }
    }
    assert!(seen.contains("gcc"), "a fresh machine cannot link without gcc");
}

#[test]
fn every_test_that_the_specification_names_exists() {
    let sources: String =
        tracked().iter().filter(|file| file.ends_with(".rs")).filter_map(|file| text(file)).collect();
    let specification = text("SPECIFICATION.md").unwrap();
    let mut missing = Vec::new();
    for row in specification.lines().filter(|line| line.starts_with("| ")) {
        let kept_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        // names of tests are sentences: they have no spaces, colons or capitals, and several underscores
        for name in kept_by.split('`').filter(|word| word.matches('_').count() >= 2 && !word.contains(' ')) {
            if !sources.contains(&format!("fn {name}(")) {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "named in SPECIFICATION.md, but no such test: {missing:#?}");
}
