//! A hundred thousand reflectors: what their documents take on a processor is printed.

use intel::dossier::Dossier;
use intel::export::{FORMATS, SOURCES_MAX, Shared, Terms, documents};

use crate::cases;

/// As many reflectors as documents tell of, each with all that can be known of one.
fn crowd() -> Dossier {
    let mut dossier = cases::reflection();
    let like = dossier.findings.iter().find(|one| one.reflects.is_some()).unwrap().clone();
    dossier.findings = (0..u32::try_from(SOURCES_MAX).unwrap())
        .map(|n| {
            let mut one = like.clone();
            one.address = std::net::IpAddr::from((0x0b00_0000 + n * 37).to_be_bytes());
            one.asn = Some(64_500 + n % 500);
            one
        })
        .collect();
    dossier
}

/// Seconds that this thread has been on a processor; others may have had most of the time.
fn worked() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

#[test]
fn documents_of_a_hundred_thousand_reflectors_name_each_of_them() {
    let dossier = crowd();
    let shared = Shared::new(&dossier, Terms::default());
    for format in FORMATS {
        let begun = worked();
        let documents = (format.write)(&shared);
        let octets: usize = documents.iter().map(|document| document.bytes.len()).sum();
        println!("{}: {:.2} s, {} files, {octets} octets", format.name, worked() - begun, documents.len());
    }
    let begun = worked();
    let (documents, withheld) = documents(&dossier, Terms::default());
    println!("all, and looked at once more: {:.2} s", worked() - begun);
    assert!(withheld.is_empty());
    assert_eq!(documents.iter().filter(|one| one.path.starts_with("xarf/")).count(), SOURCES_MAX);
    let text = |path: &str| {
        let document = documents.iter().find(|document| document.path == path).unwrap();
        String::from_utf8(document.bytes.clone()).unwrap()
    };
    assert_eq!(text("intelmq.jsonl").lines().count(), SOURCES_MAX);
    assert_eq!(text("stix.json").matches("\"type\": \"network-traffic\"").count(), SOURCES_MAX);
    assert_eq!(text("misp.json").matches("\"object_relation\": \"ip-src\"").count(), SOURCES_MAX);
}
