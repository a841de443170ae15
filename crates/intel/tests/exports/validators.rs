//! Each document is taken by the programs of those who read it.

use intel::dossier::Reporter;
use intel::export::{FORMATS, Shared, Terms, Tlp, mail, xarf};

use crate::cases;
use crate::python::{Scratch, complaints};

/// All cases on both kinds of terms, and of a reporter who is not configured.
fn written(formats: &[&str], scratch: &Scratch) -> usize {
    let open = Terms { tlp: Tlp::Green, target_named: true };
    let mut files = 0;
    // every label of one case: what it is written like changes with no other
    let mixture = cases::mixture();
    for tlp in Tlp::ALL {
        let shared = Shared::new(&mixture, Terms { tlp, target_named: false });
        for format in FORMATS.iter().filter(|format| formats.contains(&format.name)) {
            for document in (format.write)(&shared) {
                let path = format!("label-{}-{}", tlp.name(), document.path.replace('/', "-"));
                std::fs::write(scratch.path().join(path), document.bytes).unwrap();
                files += 1;
            }
        }
    }
    for (name, mut dossier) in cases::all() {
        // of nobody: drafts are valid, too
        for (kind, terms) in [("closed", Terms::default()), ("open", open), ("unnamed", open)] {
            if kind == "unnamed" {
                dossier.reporter = Reporter::default();
            }
            let shared = Shared::new(&dossier, terms);
            for format in FORMATS.iter().filter(|format| formats.contains(&format.name)) {
                for document in (format.write)(&shared) {
                    let path =
                        scratch.path().join(format!("{name}-{kind}-{}", document.path.replace('/', "-")));
                    std::fs::write(path, document.bytes).unwrap();
                    files += 1;
                }
            }
        }
    }
    files
}

#[test]
fn stix_is_valid_strictly_parses_and_names_observables_as_others_do() {
    let scratch = Scratch::new("stix");
    assert_eq!(written(&["stix"], &scratch), 20);
    if let Some(said) = complaints("stix", scratch.path()) {
        assert_eq!(said, "20 bundles");
    }
}

#[test]
fn misp_takes_the_event_and_its_objects_strictly() {
    let scratch = Scratch::new("misp");
    assert_eq!(written(&["misp"], &scratch), 20);
    if let Some(said) = complaints("misp", scratch.path()) {
        assert_eq!(said, "20 events, 31 objects");
    }
}

#[test]
fn xarf_reports_are_valid_in_every_way_of_reading_the_schema() {
    let scratch = Scratch::new("xarf");
    // two reflectors, a bot, a host and a neighbour, three hosts without ports, three reflectors: three times
    assert_eq!(written(&["xarf"], &scratch), 3 * (2 + 3 + 3 + 3) + 5 * 3);
    if let Some(said) = complaints("xarf", scratch.path()) {
        // what has no source port, or is no host, cannot be strict: see the table in export/xarf.rs
        assert_eq!(said, "48 reports, 31 strict");
    }
}

#[test]
fn a_mail_has_three_parts_and_the_report_comes_out_as_it_went_in() {
    let scratch = Scratch::new("mail");
    let mut letters = 0;
    for (name, dossier) in cases::all() {
        let shared = Shared::new(&dossier, Terms::default());
        for report in xarf::reports(&shared) {
            let letter =
                mail::write(&report, &dossier.reporter, "abuse@isp.example", dossier.incident.last).unwrap();
            let path = |ending| scratch.path().join(format!("{name}-{}.{ending}", report.name));
            std::fs::write(path("eml"), letter).unwrap();
            std::fs::write(path("json"), report.value.to_string()).unwrap();
            letters += 1;
        }
    }
    assert_eq!(letters, 11);
    if let Some(said) = complaints("mail", scratch.path()) {
        assert_eq!(said, "11 letters");
    }
}
