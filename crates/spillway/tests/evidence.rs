//! Evidence bags: what is sealed is taken by BagIt's own validator and by Wireshark's tools, and nothing can be changed unseen.

#[path = "../../intel/tests/exports/cases.rs"]
#[expect(dead_code, reason = "the exports' tests use all of them")]
pub(crate) mod cases;
mod stamp;
mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base::Timestamp;
use intel::export::Terms;
use ledger::Signer;
use ledger::note::Role;
use spillway::capture::Packet;
use spillway::dossier::write::{Extra, annotate, write};
use spillway::evidence::recorder::Recorded;
use spillway::evidence::stamp::Authority;
use spillway::evidence::{About, Recorder};
use wire::packet::Link;

use crate::support::{Scratch, spillway, stderr};

/// The key that seals in tests.
fn signer() -> Signer {
    Signer::new("example.net/evidence", Role::Log, [7; 32]).unwrap()
}

/// Records three packets into a bag.
fn recorded(bag: &Path) -> anyhow::Result<Recorded> {
    let about = About {
        interface: "edge1 ae3".into(),
        filter: "dst 198.51.100.7".into(),
        sampling: Some(1),
        ..About::default()
    };
    let mut recorder = Recorder::open(bag, about, cases::at(0))?;
    for (nanos, source) in
        [(1, [203, 0, 113, 5]), (1_000_000_123, [192, 0, 2, 53]), (2_000_000_007, [8, 8, 8, 8])]
    {
        let sample = cases::udp_sample(source.into(), [198, 51, 100, 7], b"an answer");
        let packet = Packet {
            number: 0,
            at: cases::at(nanos),
            link: Link::Ip,
            link_number: 101,
            original_len: sample.length,
            interface: 0,
            bytes: &sample.octets,
        };
        recorder.packet(&packet, &packet.parse().unwrap())?;
    }
    recorder.finish()
}

/// Writes the folder of an attack with a sealed bag of three packets in it; gives the bag.
pub(crate) fn sealed(
    folder: &Path,
    signer: Option<&Signer>,
    authority: Option<&Authority>,
) -> anyhow::Result<PathBuf> {
    let mut dossier = cases::reflection();
    dossier.incident.rules = vec!["r1 @10 dst 198.51.100.7/32 proto udp src-port 53 -> drop".into()];
    let bag = folder.join("evidence");
    let recorded = recorded(&bag)?;
    let at: Timestamp = "2026-01-02T03:04:05Z".parse()?;
    let extra = Extra {
        attack: b"{\"id\":\"00f1a2b3c4d5e6f7\"}\n",
        config: None,
        terms: Terms::default(),
        at,
        reason: "a test",
        signer,
        authority,
    };
    let written = write(folder, &dossier, Some(&mut annotate(recorded, &dossier, at)?), &extra)?;
    assert_eq!(written.withheld, []);
    assert!(written.seal.is_some());
    Ok(bag)
}

/// All files of a bag, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// `bagit --validate`, or none where the environment is missing.
pub(crate) fn bagit(bag: &Path) -> Option<Output> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    if !python.exists() {
        let what = "skipped: needs .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return None;
    }
    Some(Command::new(python).args(["-W", "ignore", "-m", "bagit", "--validate"]).arg(bag).output().unwrap())
}

/// `spillway evidence verify BAG -o json`.
pub(crate) fn verified(bag: &Path, more: &[&str]) -> (Output, serde_json::Value) {
    let out = spillway(
        ["evidence", "verify", bag.to_str().unwrap(), "-o", "json"].into_iter().chain(more.iter().copied()),
    );
    let report = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out, report)
}

#[test]
fn a_dossiers_folder_has_what_leaves_the_house_and_a_sealed_bag() {
    let scratch = Scratch::new("evidence-folder");
    let folder = scratch.path("00f1a2b3c4d5e6f7");
    let bag = sealed(&folder, Some(&signer()), None).unwrap();
    for file in
        ["stix.json", "misp.json", "ddosch.json", "intelmq.jsonl", "sources.csv", "xarf/203.0.113.5.json"]
    {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let (out, report) = verified(&bag, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!(report["valid"], true);
    assert_eq!(report["id"], "00f1a2b3c4d5e6f7");
    assert_eq!(report["signed_by"], signer().verifier().to_string());
    assert_eq!((&report["trusted"], &report["stamped"]), (&false.into(), &false.into()));
    // the bag holds all sources, what is told to others does not
    let inside = std::fs::read_to_string(bag.join("data/sources.csv")).unwrap();
    assert!(inside.contains("192.0.2.53,legitimate"), "{inside}");
    assert!(!std::fs::read_to_string(folder.join("sources.csv")).unwrap().contains("192.0.2.53"));
    // whoever opens the same folder again does not write over what was sealed
    let again = sealed(&folder, None, None).unwrap_err().to_string();
    assert!(again.contains("there is a bag already"), "{again}");
}

#[test]
fn a_signature_counts_only_by_a_key_that_is_trusted() {
    let scratch = Scratch::new("evidence-trust");
    let bag = sealed(&scratch.path("a"), Some(&signer()), None).unwrap();
    let vkey = signer().verifier().to_string();
    let (out, report) = verified(&bag, &["--key", &vkey]);
    assert!(out.status.success() && report["trusted"] == true, "{}", stderr(&out));
    let file = scratch.file("theirs.vkey", format!("{vkey}\n").as_bytes());
    assert_eq!(verified(&bag, &["--key", &file]).1["trusted"], true);
    let other = Signer::new("example.net/evidence", Role::Log, [8; 32]).unwrap();
    let (out, _) = verified(&bag, &["--key", &other.verifier().to_string()]);
    assert_eq!(out.status.code(), Some(1));
    assert!(stderr(&out).contains("not sealed by a key that was given"), "{}", stderr(&out));
    let (out, _) = verified(&bag, &["--key", "nonsense"]);
    assert!(!out.status.success() && stderr(&out).contains("vkey"), "{}", stderr(&out));
    // somebody who seals a changed bag anew has another key
    let forged = sealed(&scratch.path("b"), Some(&other), None).unwrap();
    assert_eq!(verified(&forged, &["--key", &vkey]).0.status.code(), Some(1));
}

#[test]
fn the_capture_is_read_by_others_with_comments_nanoseconds_and_sampling() {
    let scratch = Scratch::new("evidence-capture");
    let bag = sealed(&scratch.path("a"), None, None).unwrap();
    let file = bag.join("data/capture.pcapng");
    let tool = |name: &str, args: &[&str]| {
        let run = Command::new(name).args(args).arg(&file).output();
        if run.is_err() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "tshark is needed");
            eprintln!("skipped: needs tshark");
        }
        run.ok().map(|out| String::from_utf8(out.stdout).unwrap())
    };
    let Some(info) = tool("capinfos", &[]) else { return };
    for line in [
        "Number of packets:   3",
        "File timestamp precision:  nanoseconds (9)",
        "Capture application: spillway ",
        "Name = edge1 ae3",
        "Comment = sampling 1:1",
        "Filter string = dst 198.51.100.7",
        "Time ticks per second = 1000000000",
    ] {
        assert!(info.contains(line), "{line} is not in\n{info}");
    }
    let fields =
        ["-o", "ip.defragment:FALSE", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.comment", "-r"];
    let shown = tool("tshark", &fields).unwrap();
    let expected = "1619605821.099510001\tverdict=reflector confidence=0.950 reasons=P1\n\
        1619605822.099510123\tverdict=legitimate confidence=0.950 reasons=H1,R1\n\
        1619605823.099510007\t\n";
    assert_eq!(shown, expected);
    // there and back again, nothing is lost
    let copy = scratch.path("copy.pcapng");
    let out = Command::new("editcap").args([file.as_os_str(), copy.as_os_str()]).output().unwrap();
    assert!(out.status.success());
    let again = Command::new("tshark").args(fields).arg(&copy).output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), expected);
}

#[test]
fn the_chain_of_custody_tells_each_step() {
    let scratch = Scratch::new("evidence-custody");
    let bag = sealed(&scratch.path("a"), None, None).unwrap();
    let text = std::fs::read_to_string(bag.join("data/custody.jsonl")).unwrap();
    let steps: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let what: Vec<_> = steps.iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["opened", "recorded", "annotated", "sealed"]);
    assert_eq!(steps[1]["after"], steps[2]["before"]);
    assert_eq!(steps[3]["at"], "2026-01-02T03:04:05.000000000Z");
    let manifest = std::fs::read_to_string(bag.join("manifest-sha256.txt")).unwrap();
    assert!(manifest.contains(&format!("{}  data/capture.pcapng", steps[2]["after"].as_str().unwrap())));
    let info = std::fs::read_to_string(bag.join("bag-info.txt")).unwrap();
    assert!(
        info.contains("External-Identifier: 00f1a2b3c4d5e6f7\n")
            && info.contains("Bagging-Date: 2026-01-02\n"),
        "{info}"
    );
}

#[test]
fn a_capture_that_was_changed_before_its_bag_is_sealed_is_found_out() {
    let scratch = Scratch::new("evidence-changed");
    let bag = scratch.path("evidence");
    let recorded = recorded(&bag).unwrap();
    let capture = bag.join("data/capture.pcapng");
    let mut octets = std::fs::read(&capture).unwrap();
    // the last packet's last octets, behind which stand the block's length and no options
    let at = octets.len() - 6;
    octets[at] ^= 1;
    std::fs::write(&capture, &octets).unwrap();
    let told =
        annotate(recorded, &cases::reflection(), cases::at(9)).unwrap().wait().unwrap_err().to_string();
    assert!(told.contains("not what was recorded"), "{told}");
    assert_eq!(std::fs::read(&capture).unwrap(), octets, "it stays as it is");
    assert!(!bag.join("data/annotated.pcapng").exists());
}

#[test]
fn a_past_attack_is_sealed_by_command_with_the_key_of_the_state_folder() {
    let scratch = Scratch::new("evidence-build");
    let folder = scratch.path("attack");
    std::fs::create_dir_all(&folder).unwrap();
    let attack = "{\"id\":\"00f1a2b3c4d5e6f7\",\"targets\":[\"198.51.100.7/32\"],\"started_at\":\"2023-11-14T22:13:20Z\",\
        \"ended_at\":\"2023-11-14T22:13:20.001Z\",\"rules\":[{\"text\":\"r1 @10 dst 198.51.100.7/32 -> drop\"}]}";
    std::fs::write(folder.join("attack.json"), attack).unwrap();
    let source = "{\"address\":\"192.0.2.1\",\"verdict\":\"reflector\",\"confidence\":0.9,\"reasons\":[\"P1\"],\"packets\":3,\"asn\":null,\"country\":null}\n";
    std::fs::write(folder.join("sources.jsonl"), source).unwrap();
    let other = {
        let mut packet = crate::support::udp(b"x");
        packet[16] = 203;
        packet
    };
    // the second and third are of others or too late
    let packets = [crate::support::udp(b"a"), other, crate::support::udp(b"late")];
    let capture = scratch.file("c.pcap", &crate::support::pcap(101, &packets));
    let state = scratch.path("state");
    std::fs::create_dir_all(&state).unwrap();
    let config = scratch.file(
        "c.toml",
        format!(
            "networks = [\"198.51.100.0/24\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[evidence]\n\
             organisation = \"Example\"\ncontact = \"abuse@example.net\"\ndomain = \"example.net\"\n",
            state.display()
        )
        .as_bytes(),
    );
    let folder = folder.to_str().unwrap();
    let out = spillway(["evidence", "build", folder, "--capture", &capture, "-c", &config, "-o", "json"]);
    assert!(out.status.success(), "{}", stderr(&out));
    let built: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&built["packets"], &built["id"]), (&1.into(), &"00f1a2b3c4d5e6f7".into()));
    let key = state.join("evidence.key");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&key).unwrap()) & 0o777;
    assert_eq!(mode, 0o600);
    let bag = Path::new(folder).join("evidence");
    let (out, report) = verified(&bag, &["--key", built["signed_by"].as_str().unwrap()]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!((&report["seal"], &report["trusted"]), (&built["seal"], &true.into()));
    for file in ["data/config.toml", "data/rules.txt", "data/sources.csv", "data/attack.json"] {
        assert!(bag.join(file).is_file(), "{file}");
    }
    assert!(bagit(&bag).is_none_or(|out| out.status.success()));
    // a key that others can read is refused
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let again = scratch.path("again");
    let again = again.to_str().unwrap();
    let out = spillway(["evidence", "build", folder, "--capture", &capture, "-c", &config, "--bag", again]);
    assert!(!out.status.success() && stderr(&out).contains("chmod 600"), "{}", stderr(&out));
}

/// A channel that is never used, whose secrets stand in the configuration itself; each begins with `LEAK`.
pub(crate) const CHANNEL: &str = "[notify.noc]\nkind = \"webhook\"\nurl = \"https://127.0.0.1:9/LEAK-way\"\nsecret = \"\"\"\nLEAK-secret\n\
    LEAK-more\"\"\"\ntoken = \"LEAK-token\"\nevents = [\"configuration_refused\"]\n# password = \"LEAK-of-old\"\n";

/// The bag in the folder has the configuration, and no file of it a secret of [`CHANNEL`].
pub(crate) fn holds_no_secret(folder: &Path) {
    let config = std::fs::read_to_string(folder.join("evidence/data/config.toml")).unwrap();
    assert!(config.contains("[notify.noc]") && config.contains("secret = \"(hidden)\""), "{config}");
    let mut files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let octets = std::fs::read(&path).unwrap();
            assert!(!octets.windows(4).any(|four| four == b"LEAK"), "{} has a secret", path.display());
        }
    }
    assert!(files > 10, "{files}");
}

#[test]
fn no_secret_of_the_configuration_leaves_in_a_bag() {
    let scratch = Scratch::new("evidence-secrets");
    let packet = |n: u32| {
        let [_, a, b, c] = n.to_be_bytes();
        let mut bytes = crate::support::udp(b"xxxxxxxx");
        bytes[12..16].copy_from_slice(&[20, a, b, c]);
        (Timestamp::from_millis(1_700_000_000_000 + u64::from(n) / 5), bytes)
    };
    let capture = scratch.path("flood.pcap");
    std::fs::write(&capture, crate::support::pcap_at(101, (0..20_000).map(packet))).unwrap();
    let capture = capture.to_str().unwrap();
    let text = format!(
        "networks = [\"198.51.100.0/24\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n{CHANNEL}",
        scratch.path("state").display()
    );
    std::fs::create_dir_all(scratch.path("state")).unwrap();
    let config = scratch.file("c.toml", text.as_bytes());
    std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let dossiers = scratch.path("dossiers");
    let out = spillway(["replay", capture, "--config", &config, "--dossier", dossiers.to_str().unwrap()]);
    assert!(out.status.success(), "{}", stderr(&out));
    let folder = std::fs::read_dir(&dossiers).unwrap().next().expect("an attack").unwrap().path();
    holds_no_secret(&folder);
    std::fs::remove_dir_all(folder.join("evidence")).unwrap();
    let out = spillway(["evidence", "build", folder.to_str().unwrap(), "--capture", capture, "-c", &config]);
    assert!(out.status.success(), "{}", stderr(&out));
    holds_no_secret(&folder);
}

#[test]
fn payload_is_in_a_bag_only_where_it_is_named_why() {
    let scratch = Scratch::new("evidence-payload");
    let secret =
        b"Authorization: Basic c2VjcmV0OnNlY3JldA== and more that nobody has to know of it, for it is long";
    let capture = scratch.file("c.pcap", &crate::support::pcap(101, &[crate::support::udp(secret)]));
    let attack = |rule: &str| {
        format!(
            "{{\"id\":\"00f1a2b3c4d5e6f7\",\"targets\":[\"198.51.100.7/32\"],\"started_at\":\"2023-11-14T22:13:20Z\",\
             \"ended_at\":null,\"rules\":[{{\"text\":\"{rule}\"}}]}}"
        )
    };
    let named = "[privacy]\npurpose = \"proof of origin\"\nlegal_basis = \"GDPR 6(1)(f)\"\n";
    for (name, rule, privacy, kept) in [
        ("unnamed", "r1 @10 dst 198.51.100.7/32 -> drop", "", 28),
        ("unmatched", "r1 @10 dst 198.51.100.7/32 proto tcp -> drop", named, 28),
        ("named", "r1 @10 dst 198.51.100.7/32 -> drop", named, 28 + 64),
    ] {
        let folder = scratch.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("attack.json"), attack(rule)).unwrap();
        let text = format!(
            "networks = [\"198.51.100.0/24\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n{privacy}",
            folder.display()
        );
        let config = scratch.file(&format!("{name}.toml"), text.as_bytes());
        let folder = folder.to_str().unwrap();
        let out = spillway(["evidence", "build", folder, "--capture", &capture, "-c", &config]);
        assert!(out.status.success(), "{}", stderr(&out));
        let bag = Path::new(folder).join("evidence");
        assert!(verified(&bag, &[]).0.status.success());
        let mut packets = spillway::capture::Capture::open(&bag.join("data/capture.pcapng")).unwrap();
        let packet = packets.next().unwrap().unwrap();
        assert_eq!(
            (packet.bytes.len(), packet.original_len),
            (kept, 28 + u32::try_from(secret.len()).unwrap()),
            "{name}"
        );
        let custody = std::fs::read_to_string(bag.join("data/custody.jsonl")).unwrap();
        assert!(custody.contains("packets end with their transport header"), "{custody}");
        assert_eq!(custody.contains("legal basis: GDPR 6(1)(f)"), !privacy.is_empty(), "{custody}");
    }
}
