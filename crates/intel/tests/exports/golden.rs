//! `SPILLWAY_BLESS=1` writes the golden documents anew; the diff is read.

use std::fmt::Write as _;
use std::path::Path;

use intel::export::{Terms, Tlp, documents, mail, xarf};

use crate::cases;

#[test]
fn documents_change_only_on_purpose() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut wrong = Vec::new();
    for (name, dossier) in cases::all() {
        let (mut documents, withheld) = documents(&dossier, Terms::default());
        assert_eq!(withheld, [], "{name}");
        documents.extend(letter(&dossier));
        let folder = golden.join(name);
        if std::env::var_os("SPILLWAY_BLESS").is_some() {
            let _ = std::fs::remove_dir_all(&folder);
            for document in &documents {
                let path = folder.join(&document.path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, &document.bytes).unwrap();
            }
        }
        for document in &documents {
            let path = folder.join(&document.path);
            if std::fs::read(&path).unwrap_or_default() != document.bytes {
                wrong.push(path);
            }
        }
        let files = walk(&folder);
        assert_eq!(files, documents.len(), "{name}: {files} golden files, {} documents", documents.len());
    }
    assert!(wrong.is_empty(), "{wrong:?} differ; bless them with SPILLWAY_BLESS=1 and read the diff");
}

/// The lines by which documents differ that go differently far; ids that are made from content aside.
#[test]
fn each_label_stands_in_every_document_that_has_room_for_one() {
    let dossier = cases::mixture();
    let of = |tlp| documents(&dossier, Terms { tlp, ..Terms::default() }).0;
    let mut said = String::new();
    for tlp in Tlp::ALL {
        let other = of(if tlp == Tlp::Red { Tlp::Clear } else { Tlp::Red });
        for (document, other) in of(tlp).iter().zip(other) {
            assert_eq!(document.path, other.path);
            let (text, other) =
                (String::from_utf8_lossy(&document.bytes), String::from_utf8_lossy(&other.bytes));
            let other: std::collections::BTreeSet<&str> = other.lines().collect();
            let mut lines: Vec<String> =
                text.lines().filter(|line| !other.contains(line)).map(labelled).collect();
            lines.sort();
            lines.dedup();
            for line in lines.iter().filter(|line| !line.contains("bundle--") && !line.contains("\"key\"")) {
                writeln!(said, "{} {}: {line}", tlp.name(), document.path).unwrap();
            }
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/labels.txt");
    if std::env::var_os("SPILLWAY_BLESS").is_some() {
        std::fs::write(&golden, &said).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), said, "SPILLWAY_BLESS=1 blesses it");
    for (tlp, path) in Tlp::ALL.iter().flat_map(|tlp| {
        ["stix.json", "misp.json", "ddosch.json", "intelmq.jsonl", "sources.csv", "xarf/203.0.113.66.json"]
            .map(|path| (tlp, path))
    }) {
        assert!(said.contains(&format!("{} {path}: ", tlp.name())), "{tlp:?} in {path}");
    }
}

/// Of a line with a whole event in it, the label alone.
fn labelled(line: &str) -> String {
    let line = line.trim();
    match line.find("\"extra.tlp\"") {
        Some(at) => line[at..].split(',').next().unwrap_or_default().to_owned(),
        None => line.to_owned(),
    }
}

#[test]
fn the_same_dossier_gives_the_same_bytes() {
    for (name, dossier) in cases::all() {
        assert_eq!(
            documents(&dossier, Terms::default()),
            documents(&dossier.clone(), Terms::default()),
            "{name}"
        );
    }
}

/// The first report as a mail.
fn letter(dossier: &intel::Dossier) -> Option<intel::export::Document> {
    let shared = intel::export::Shared::new(dossier, Terms::default());
    let report = xarf::reports(&shared).into_iter().next()?;
    let bytes = mail::write(&report, &dossier.reporter, "abuse@isp.example", dossier.incident.last).unwrap();
    Some(intel::export::Document { path: format!("{}.eml", report.name), bytes })
}

fn walk(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}
