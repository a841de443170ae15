//! Who must never be in a document, whatever the dossier.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::prefix::wide;
use intel::export::{FORMATS, Shared, Terms, Tlp, documents, mail, names_any, secret, xarf};
use intel::finding::{Class, Finding, Reason};
use proptest::prelude::*;

use crate::cases;

const CLASSES: [Class; 6] =
    [Class::Spoofed, Class::Real, Class::Reflector, Class::Bot, Class::Legitimate, Class::Unknown];
const REASONS: [Reason; 14] = {
    use Reason::{B1, B2, B3, C1, D1, D2, F1, H1, H2, P1, R1, T1, T2, X1};
    [H1, H2, P1, B1, B2, B3, T1, T2, D1, D2, F1, R1, X1, C1]
};

fn address() -> impl Strategy<Value = IpAddr> {
    // close together, so that texts are parts of each other's
    prop_oneof![
        (1_u8..4, 0_u8..40).prop_map(|(net, host)| IpAddr::from([203, 0, net, host])),
        (0_u16..4, 0_u16..0x20).prop_map(|(net, host)| IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, host])),
    ]
}

fn source() -> impl Strategy<Value = Finding> {
    let reasons = proptest::sample::subsequence(REASONS.to_vec(), 0..5);
    (address(), proptest::sample::select(CLASSES.to_vec()), reasons, any::<(bool, u16, u16)>(), 0..4_usize)
        .prop_map(|(address, class, reasons, (ports, from, to), kind)| {
            let protocol = [6, 17, 1, 47][kind];
            let mut one = cases::finding(address, class, &reasons, protocol, u64::from(from) + 1);
            one.ports = ports.then_some((from, to));
            one.reflects = (class == Class::Reflector).then(|| "dns".into());
            one.tool = (class == Class::Bot).then(|| "mirai-syn".into());
            if address.is_ipv4() {
                // an ICMP error of its own, which quotes a packet of somebody else
                let mut sample = cases::udp_sample(address, [198, 51, 100, 7], &[0; 40]);
                sample.octets[9] = protocol;
                sample.octets[40..44].copy_from_slice(&[203, 0, 1, 1]);
                one.samples.push(sample);
            }
            one
        })
}

proptest! {
    #[test]
    fn who_may_not_be_told_of_is_in_no_document(sources in proptest::collection::vec(source(), 0..40), named: bool) {
        let mut dossier = cases::mixture();
        let mut seen = BTreeSet::new();
        dossier.findings = sources.into_iter().filter(|one| seen.insert(one.address)).collect();
        dossier.findings.sort_by_key(|one| one.address);
        dossier.incident.rules.extend(dossier.findings.iter().map(|one| format!("x src {}/32 -> drop", one.address)));
        let terms = Terms { tlp: Tlp::Green, target_named: named };
        let hidden: BTreeSet<IpAddr> =
            dossier.findings.iter().filter(|one| one.verified().is_none()).map(|one| one.address).collect();
        let shared = Shared::new(&dossier, terms);
        let mut texts: Vec<Vec<u8>> =
            FORMATS.iter().flat_map(|format| (format.write)(&shared)).map(|document| document.bytes).collect();
        for report in xarf::reports(&shared) {
            texts.push(report.text.clone().into_bytes());
            texts.push(mail::write(&report, &dossier.reporter, "abuse@isp.example", dossier.incident.last).unwrap());
            for item in report.value["evidence"].as_array().unwrap() {
                texts.push(decoded(item["payload"].as_str().unwrap()));
            }
        }
        for text in &texts {
            prop_assert!(!names_any(text, &hidden), "{}", String::from_utf8_lossy(text));
            for address in hidden.iter().filter(|address| address.is_ipv4()) {
                let IpAddr::V4(address) = address else { continue };
                prop_assert!(!text.windows(4).any(|four| four == address.octets()), "octets of {address}");
            }
            for address in hidden.iter().filter(|address| address.is_ipv6()) {
                let octets = wide(*address).to_be_bytes();
                prop_assert!(!text.windows(16).any(|octet| octet == octets), "octets of {address}");
            }
        }
        prop_assert_eq!(documents(&dossier, terms).1, vec![]);
        // and who may be told of is: one report each, but for shared addresses of which nobody could say who it was
        let told = xarf::reports(&shared).len() - 1;
        let lost = |one: &&Finding| {
            one.reasons.contains(&Reason::C1) && one.ports.is_none_or(|(from, _)| from == 0)
        };
        let lost = dossier.findings.iter().filter(|one| !hidden.contains(&one.address)).filter(lost).count();
        prop_assert_eq!(told, dossier.findings.len() - hidden.len() - lost);
    }
}

#[test]
fn a_text_that_names_somebody_is_found_in_every_spelling() {
    let hidden: BTreeSet<IpAddr> =
        ["192.0.2.1", "2001:db8::1"].iter().map(|text| text.parse().unwrap()).collect();
    for text in
        ["192.0.2.1", "(192.0.2.1)", "at 192.0.2.1.", "2001:DB8:0:0::1", "[2001:db8::1]:53", "x=192.0.2.1:80"]
    {
        assert!(names_any(text.as_bytes(), &hidden), "{text}");
    }
    for text in ["192.0.2.11", "1192.0.2.1", "192.0.2.1/24", "2001:db8::11", "2001:db8::/64", "", "::", "..."]
    {
        assert!(!names_any(text.as_bytes(), &hidden), "{text}");
    }
}

#[test]
fn a_document_that_names_somebody_is_withheld() {
    let mut dossier = cases::mixture();
    // by a fault elsewhere, an honest client's address came into a name
    dossier.incident.vectors[0].name = "flood of 192.0.2.10".into();
    assert!(secret(&dossier).contains(&IpAddr::from([192, 0, 2, 10])));
    let (good, withheld) = documents(&dossier, Terms::default());
    assert!(withheld.iter().any(|one| one.path == "stix.json"), "{withheld:?}");
    assert!(good.iter().all(|document| !names_any(&document.bytes, &secret(&dossier))));
    assert!(withheld[0].to_string().contains("withheld"));
}

fn decoded(text: &str) -> Vec<u8> {
    let digits = |octet: u8| match octet {
        b'A'..=b'Z' => u32::from(octet - b'A'),
        b'a'..=b'z' => u32::from(octet - b'a') + 26,
        b'0'..=b'9' => u32::from(octet - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut octets = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let kept = group.iter().filter(|octet| **octet != b'=').count();
        let word =
            group.iter().fold(0, |word, octet| word << 6 | if *octet == b'=' { 0 } else { digits(*octet) });
        octets.extend(&word.to_be_bytes()[1..kept]);
    }
    octets
}
