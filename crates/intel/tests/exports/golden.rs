//! `SPILLWAY_BLESS=1` writes the golden documents anew; the diff is read.

use std::path::Path;

use intel::export::{Terms, documents, mail, xarf};

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
