//! What others hand over as evidence: bags, fingerprints, time stamps.

use std::collections::BTreeMap;

use intel::bag::{self, Algorithm, Contents, Digests, Info, manifest, timestamp};
use intel::export::ddosch::{Fingerprint, Ours, Place, Spread, Vector, read};
use ledger::Signer;
use ledger::note::Role;

use super::Target;
use crate::measure::{Outcome, within};

pub(super) const BAG: Target = Target { name: "bag", seeds: bags, run: bag };
pub(super) const FINGERPRINT: Target = Target { name: "fingerprint", seeds: fingerprints, run: fingerprint };
pub(super) const STAMP: Target = Target { name: "stamp", seeds: stamps, run: stamp };

/// Between the files of a bag in one input; the next line is a path.
const FILE: &str = "\u{1}";

fn most(input: &[u8], each: u64) -> u64 {
    64 * 1024 + each * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

/// The files of an input. Digests are what their sums make them: nobody can guess real ones.
fn contents(input: &[u8]) -> Contents {
    let mut found = Contents::default();
    for part in input.split(|octet| [*octet] == *FILE.as_bytes()) {
        let end = part.iter().position(|octet| *octet == b'\n').unwrap_or(part.len());
        let (path, text) = part.split_at_checked(end).unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        let text = text.get(1..).unwrap_or_default();
        found.files.insert(path.clone(), digests(text));
        found.texts.insert(path, text.to_vec());
    }
    found
}

fn digests(text: &[u8]) -> Digests {
    let sum = text.iter().fold(7_u8, |sum, octet| sum.wrapping_mul(31) ^ octet);
    Digests { sha256: [sum; 32], sha512: Some([sum; 64]), octets: u64::try_from(text.len()).unwrap_or(0) }
}

fn bag(input: &[u8]) -> Outcome {
    let found = contents(input);
    // a fault names the file and the manifest, an entry of a manifest has its digest
    let report = within(most(input, 512), || bag::verify(&found, &[]));
    assert_eq!(report.valid, report.faults.is_empty(), "valid with faults");
    if report.valid {
        for (path, digests) in &found.files {
            assert!(digests.octets < u64::MAX && !path.contains(".."), "a path out of the bag");
        }
    }
    let names: BTreeMap<&str, ()> =
        report.faults.iter().map(|fault| (fault.what.split(':').next().unwrap_or_default(), ())).collect();
    let mut outcome = Outcome::of(usize::from(report.valid));
    outcome.words = names.keys().take(8).copied().collect::<Vec<_>>().join(" ");
    outcome
}

fn bags() -> Vec<Vec<u8>> {
    vec![sealed(1, false), sealed(3, true), sealed(0, false), b"bagit.txt\nBagIt-Version: 0.97\n".to_vec()]
}

/// A bag that is whole, by the digests of this file.
fn sealed(files: u8, signed: bool) -> Vec<u8> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    texts.insert(bag::CUSTODY.into(), "{\"what\":\"opened\"}\n{\"what\":\"sealed\"}\n".into());
    for file in 0..files {
        texts.insert(format!("data/{file}.txt"), format!("text {file}"));
    }
    let octets = texts.values().map(|text| u64::try_from(text.len()).unwrap_or(0)).sum();
    let count = u64::try_from(texts.len()).unwrap_or(0);
    let listed = |texts: &BTreeMap<String, String>, algorithm, covers: &dyn Fn(&str) -> bool| {
        let of: Vec<(&str, Digests)> = texts
            .iter()
            .filter(|(path, _)| covers(path))
            .map(|(path, text)| (path.as_str(), digests(text.as_bytes())))
            .collect();
        manifest(algorithm, of.iter().map(|(path, digests)| (*path, digests)))
    };
    let text = listed(&texts, Algorithm::Sha256, &bag::is_payload);
    texts.insert(bag::MANIFEST.into(), text);
    texts.insert(bag::BAGIT.into(), bag::BAGIT_TEXT.into());
    let info = Info { id: "00f1a2b3c4d5e6f7".into(), octets, files: count, ..Info::default() };
    texts.insert(bag::BAG_INFO.into(), info.text());
    let tags = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path) && !bag::is_added(path);
    let text = listed(&texts, Algorithm::Sha256, &tags);
    if signed {
        let signer = Signer::new("fuzz", Role::Log, [1; 32]).expect("a name");
        texts.insert(bag::SIGNATURE.into(), format!("{text}\n{}", signer.signature(&text)));
        texts.insert(bag::SIGNATURE_KEY.into(), format!("{}\n", signer.verifier()));
    }
    texts.insert(bag::TAG_MANIFEST.into(), text);
    let outer = |path: &str| !bag::is_payload(path) && !bag::is_tag_manifest(path);
    let text = listed(&texts, Algorithm::Sha512, &outer);
    texts.insert(bag::OUTER_MANIFEST.into(), text);
    let parts: Vec<String> = texts.iter().map(|(path, text)| format!("{path}\n{text}")).collect();
    parts.join(FILE).into_bytes()
}

fn fingerprint(input: &[u8]) -> Outcome {
    // a source of nine octets is one of seventeen; a value of five has a node of a tree
    match within(most(input, 128), || read(input)) {
        Ok(found) => {
            let again = serde_json::to_vec(&found).expect("what was read can be written");
            assert_eq!(read(&again).as_ref(), Ok(&found), "read otherwise");
            Outcome::of(found.attack_vectors.len())
        }
        Err(refused) => {
            assert!(!refused.place.is_empty() && !refused.reason.is_empty(), "refused without a reason");
            let mut outcome = Outcome::of(0);
            outcome.words = refused.reason.chars().filter(|c| !c.is_ascii_digit()).take(40).collect();
            outcome
        }
    }
}

fn fingerprints() -> Vec<Vec<u8>> {
    let vector = Vector {
        service: Some("DNS".into()),
        protocol: "UDP".into(),
        fraction_of_attack: Some(0.5),
        source_port: Spread::One(53),
        destination_ports: Spread::Random,
        tcp_flags: None,
        nr_flows: None,
        nr_packets: Some(5),
        nr_megabytes: 1,
        time_start: "2021-04-28T10:30:21+00:00".into(),
        duration_seconds: 4,
        source_ips: ["192.0.2.1", "2001:db8::1"]
            .iter()
            .map(|text| Place::of(text.parse().expect("an address")))
            .collect(),
        ethernet_type: Some(Spread::Shares([("IPv4".to_owned(), 1.0)].into())),
        frame_len: Some(Spread::Random),
        fragmentation_offset: None,
        ttl: Some(Spread::Shares([("54".to_owned(), 0.75), ("others".to_owned(), 0.25)].into())),
        dns_query_name: None,
        dns_query_type: None,
        icmp_type: None,
        spillway: None,
    };
    let mut ours = Fingerprint {
        attack_vectors: vec![vector.clone(), Vector { tcp_flags: Some(Spread::Random), ..vector }],
        target: "Anonymous".into(),
        tags: vec!["UDP".into()],
        key: String::new(),
        time_start: "2021-04-28T10:30:21+00:00".into(),
        time_end: "2021-04-28T10:30:25+00:00".into(),
        duration_seconds: 4,
        total_flows: None,
        total_megabytes: 1,
        total_packets: 5,
        total_ips: 2,
        avg_bps: 1,
        avg_pps: 1,
        avg_octets_per_packet: 1,
        spillway: Some(Ours {
            attack: "00f1a2b3c4d5e6f7".into(),
            sources: "abcd".into(),
            left_out: 0,
            peak_bps: 1,
            peak_pps: 1,
            sampling: None,
            tlp: "amber".into(),
        }),
    };
    ours.key = ours.content_key();
    let mut theirs = Fingerprint { spillway: None, ..ours.clone() };
    theirs.key = "11a221525f3c1f2f0123456789abcdef".into();
    let text = |one: &Fingerprint| serde_json::to_vec(one).expect("a fingerprint is JSON");
    vec![text(&ours), text(&theirs), serde_json::to_vec_pretty(&theirs).expect("a fingerprint is JSON")]
}

fn stamp(input: &[u8]) -> Outcome {
    let digest = [7; 32];
    match within(most(input, 4), || timestamp::granted(input, &digest)) {
        Ok(()) => Outcome::of(1),
        Err(refused) => {
            let mut outcome = Outcome::of(0);
            outcome.words = refused.to_string();
            outcome
        }
    }
}

/// Answers with a token that is nothing but a request's imprint, which is all that is looked at here.
fn stamps() -> Vec<Vec<u8>> {
    let answer = |status: u8, digest: u8| {
        let token = timestamp::query(&[digest; 32], [1; 8]);
        let body = [&[0x30, 3, 2, 1, status][..], &token].concat();
        let length = u8::try_from(body.len()).expect("a short answer");
        [&[0x30, length][..], &body].concat()
    };
    vec![answer(0, 7), answer(1, 7), answer(2, 7), answer(0, 8)]
}
