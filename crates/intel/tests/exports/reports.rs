//! Which report about whom.

use intel::export::{Shared, Terms, xarf};

use crate::cases;

#[test]
fn each_kind_of_source_gets_the_report_that_fits_it() {
    let mut kinds = Vec::new();
    for (name, dossier) in cases::all() {
        let shared = Shared::new(&dossier, Terms::default());
        for report in xarf::reports(&shared) {
            let of = |key: &str| report.value.get(key).unwrap().as_str().unwrap().to_owned();
            kinds.push(format!("{name} {} {}/{}", of("source_identifier"), of("category"), of("type")));
        }
    }
    let expected = [
        "reflection 203.0.113.5 vulnerability/open_service",
        "reflection 203.0.113.9 vulnerability/open_service",
        "mixture 203.0.113.66 connection/infected_host",
        "mixture 203.0.113.80 connection/ddos",
        "mixture AS64501 vulnerability/misconfiguration",
        "portless 203.0.113.31 reputation/threat_intelligence",
        "portless 203.0.113.32 infrastructure/botnet",
        "portless 203.0.113.33 reputation/threat_intelligence",
        "networks 2001:db8:a:1::1 vulnerability/open_service",
        "networks 2001:db8:a:1::2 vulnerability/open_service",
        "networks 2001:db8:a:2::1 vulnerability/open_service",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_mail_address_that_brings_its_own_lines_is_refused() {
    let dossier = cases::reflection();
    let shared = Shared::new(&dossier, Terms::default());
    let report = xarf::reports(&shared).remove(0);
    let at = dossier.incident.last;
    assert!(intel::export::mail::write(&report, &dossier.reporter, "a@b.example\r\nBcc: c@d", at).is_none());
    assert!(intel::export::mail::write(&report, &dossier.reporter, "a@b.example", at).is_some());
}

#[test]
fn a_report_in_a_file_goes_as_it_stands_and_nothing_else_goes_as_a_report() {
    let dossier = cases::reflection();
    let at = dossier.incident.last;
    let forward = |report: &[u8], to: &str| intel::export::mail::forward(report, "said", to, at);
    let whole = xarf::reports(&Shared::new(&dossier, Terms::default())).remove(0).value;
    let text = serde_json::to_vec_pretty(&whole).unwrap();
    let mail = String::from_utf8(forward(&text, "a@b.example").unwrap()).unwrap();
    let sent: String =
        mail.rsplit("\r\n\r\n").next().unwrap().split("--").next().unwrap().split_whitespace().collect();
    assert_eq!(ledger::text::from_base64(&sent).unwrap(), text);
    assert!(mail.contains("Subject: [XARF] open service: 203.0.113.5\r\n"), "{mail}");
    assert!(forward(&text, "a@b.example\r\nBcc: c@d").is_none());
    // Each field that is not there, or that would begin a header of its own.
    for (field, value) in [
        ("/xarf_version", "3"),
        ("/reporter/contact", ""),
        ("/reporter/contact", "a@b\r\nBcc: c@d"),
        ("/reporter/domain", "b\nx: y"),
        ("/report_id", "1\r\n\r\n2"),
        ("/type", ""),
    ] {
        let mut other = whole.clone();
        *other.pointer_mut(field).unwrap() = value.into();
        assert!(forward(other.to_string().as_bytes(), "a@b.example").is_none(), "{field}");
    }
    assert!(forward(b"{\"source\":1}", "a@b.example").is_none() && forward(b"\xff", "a@b.example").is_none());
}

#[test]
fn a_shared_address_is_reported_as_one_with_port_and_time_or_not_at_all() {
    let mut dossier = cases::mixture();
    let of = |dossier: &intel::Dossier, name: &str| {
        let reports = xarf::reports(&Shared::new(dossier, Terms::default()));
        reports.into_iter().find(|report| report.name == name)
    };
    let before = of(&dossier, "203.0.113.80").unwrap();
    let other = of(&dossier, "203.0.113.66").unwrap();
    let place = dossier.findings.iter().position(|one| one.address.to_string() == "203.0.113.80").unwrap();
    dossier.findings[place].reasons.insert(0, intel::Reason::C1);
    dossier.findings[place].lists = vec!["cgnat".into()];
    let report = of(&dossier, "203.0.113.80").unwrap();
    assert!(report.text.contains(
        "Many people share this address: only the one who sent from source port 4000 at 2021-04-28T10:30:21.1"
    ));
    assert!(report.value["description"].as_str().unwrap().contains("Many people share"));
    assert!(report.text.contains("\nlists: cgnat\n"), "{}", report.text);
    assert_eq!(report.value["source_port"], 4_000);
    let half = before.value["confidence"].as_f64().unwrap() / 2.0;
    assert!((report.value["confidence"].as_f64().unwrap() - half).abs() < 1e-6);
    let tags = |report: &xarf::Report| report.value["tags"].to_string();
    assert!(tags(&report).contains("severity:low") && !tags(&before).contains("severity"));
    assert_eq!(of(&dossier, "203.0.113.66").unwrap(), other);
    // Nobody could say who of them it was.
    dossier.findings[place].ports = None;
    assert!(of(&dossier, "203.0.113.80").is_none());
}

#[test]
fn what_a_list_says_is_said_with_its_name() {
    let mut dossier = cases::portless();
    let place = dossier.findings.iter().position(|one| one.reasons == [intel::Reason::X1]).unwrap();
    let one = &mut dossier.findings[place];
    (one.class, one.lists) = (intel::Class::Bot, vec!["sinkhole".into()]);
    let address = one.address.to_string();
    let reports = xarf::reports(&Shared::new(&dossier, Terms::default()));
    let report = reports.iter().find(|report| report.name == address).unwrap();
    assert!(report.text.contains("A list of others names it (sinkhole)."), "{}", report.text);
    assert!(!report.text.contains("unknown"), "no tool was seen: {}", report.text);
}
