//! The Clearing House's fingerprints, out and in.

use intel::export::ddosch::{OCTETS_MAX, Spread, fingerprint, read};
use intel::export::{Shared, Terms};

use crate::cases;

fn text(dossier: &intel::Dossier) -> String {
    serde_json::to_string(&fingerprint(&Shared::new(dossier, Terms::default()))).unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    for (name, dossier) in cases::all() {
        let written = fingerprint(&Shared::new(&dossier, Terms::default()));
        assert_eq!(read(text(&dossier).as_bytes()), Ok(written), "{name}");
    }
}

#[test]
fn figures_are_those_of_the_attack() {
    let dossier = cases::reflection();
    let written = fingerprint(&Shared::new(&dossier, Terms::default()));
    let vector = &written.attack_vectors[0];
    assert_eq!(vector.service.as_deref(), Some("DNS"));
    assert_eq!(vector.source_port, Spread::One(53));
    assert_eq!(vector.destination_ports, Spread::Shares([("22".to_owned(), 1.0)].into()));
    assert_eq!(vector.dns_query_type, Some(Spread::Shares([("RRSIG".to_owned(), 1.0)].into())));
    let frames = [("1214".to_owned(), 0.111), ("1514".to_owned(), 0.889)];
    assert_eq!(vector.frame_len, Some(Spread::Shares(frames.into())));
    // 31.2 MB of layer 3 and 10,400 headers of Ethernet in 4 s
    assert_eq!((written.total_megabytes, written.total_packets, written.avg_pps), (31, 10_400, 2_600));
    assert_eq!((written.duration_seconds, written.avg_bps), (4, (31_200_000 + 145_600) * 8 / 4));
    assert_eq!((written.total_ips, written.target.as_str()), (4, "Anonymous"));
    let named = Terms { target_named: true, ..Terms::default() };
    assert_eq!(fingerprint(&Shared::new(&dossier, named)).target, "198.51.100.7");
}

#[test]
fn attacks_with_other_sources_have_other_keys_whether_they_are_named_or_not() {
    let key = |dossier: &intel::Dossier| fingerprint(&Shared::new(dossier, Terms::default())).key;
    for (name, dossier) in cases::all() {
        let mut other = dossier.clone();
        for finding in &mut other.findings {
            finding.address = base::prefix::narrow(base::prefix::wide(finding.address) ^ 0x1_0000);
        }
        assert_ne!(key(&dossier), key(&other), "{name}");
        assert_eq!(key(&dossier), key(&dossier.clone()), "{name}");
    }
}

#[test]
fn a_fingerprint_of_the_dissector_is_taken_with_what_a_database_added() {
    let theirs = r#"{"attack_vectors":[{"service":"DNS","protocol":"UDP","fraction_of_attack":0.9,"source_port":53,
        "destination_ports":"random","tcp_flags":null,"nr_flows":7,"nr_packets":70,"nr_megabytes":1,
        "time_start":"2022-01-30 12:49:09","duration_seconds":3,"source_ips":["192.0.2.1","2001:db8::1"],
        "ethernet_type":{"IPv4":1.0},"frame_len":"random","dns_query_name":{"a.example":0.9,"others":0.1}},
        {"service":"Fragmented IP packets","protocol":"UDP","fraction_of_attack":null,"source_port":{"0":1.0},
        "destination_ports":{"0":1.0},"tcp_flags":null,"nr_packets":30,"nr_megabytes":0,"time_start":"x",
        "duration_seconds":0,"source_ips":[],"ICMP type":{"Echo":1.0}}],
        "target":"Anonymous","tags":["Amplification attack"],"key":"11a221525f3c1f2f0123456789abcdef",
        "time_start":"2022-01-30T12:49:09+00:00","time_end":"2022-01-30T12:49:12+00:00","duration_seconds":3,
        "total_flows":9,"total_megabytes":1,"total_packets":100,"total_ips":2,"avg_bps":2666666,"avg_pps":33,"avg_Bpp":100,
        "submitter":"somebody","submit_timestamp":"x","shareable":false,"comment":"kept by them"}"#;
    let taken = read(theirs.as_bytes()).unwrap();
    assert_eq!(taken.attack_vectors.len(), 2);
    assert_eq!(taken.attack_vectors[0].source_ips.len(), 2);
    assert_eq!(taken.attack_vectors[1].icmp_type, Some(Spread::Shares([("Echo".to_owned(), 1.0)].into())));
}

#[test]
fn damage_is_refused_with_its_place_and_reason() {
    let good = text(&cases::reflection());
    let of = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        read(good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    };
    let cases = [
        ("\"source_port\":53", "\"source_port\":70000", "line 1 column", "70000 is no port"),
        ("203.0.113.5", "203.0.113.555", "line 1 column", "an address or a prefix"),
        ("\"nr_packets\":10400", "\"nr_packets\":10401", "key", "but the content is"),
        (
            "\"fraction_of_attack\":1.0",
            "\"fraction_of_attack\":1.5",
            "attack_vectors[0].fraction_of_attack",
            "0 to 1",
        ),
        ("{\"22\":1.0}", "{\"22\":2.0}", "line 1 column", "2 is no share"),
        ("\"protocol\":\"UDP\",", "", "line 1 column", "missing field `protocol`"),
        ("\"key\":\"", "\"key\":\"z", "key", "neither an MD5 nor a SHA-256"),
    ];
    for (from, to, place, reason) in cases {
        let said = of(from, to);
        assert!(said.starts_with(place) && said.contains(reason), "{from}: {said}");
    }
    let cut = read(&good.as_bytes()[..good.len() / 2]).unwrap_err();
    assert!(cut.place.starts_with("line 1 column") && cut.reason.contains("EOF"), "{cut}");
    let long = read(&vec![b' '; OCTETS_MAX + 1]).unwrap_err();
    assert!(long.reason.contains("at most"), "{long}");
}
