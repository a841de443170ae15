//! Whom a payload names, and what an order gets.

use std::path::Path;

use serde_json::Value;

use super::persons::{ALICE, BOB, persons};
use super::{Desk, ORDER, PAYLOAD, REQUEST};
use crate::support::{spillway, stderr};

/// An attack that is over, by its sources alone.
fn attack(desk: &Desk, id: &str, lines: &str) {
    let folder = desk.0.scratch.path("state/evidence").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("sources.jsonl"), lines).unwrap();
    std::fs::write(folder.join("attack.json"), r#"{"id":"x","targets":["198.51.100.7/32"]}"#).unwrap();
}

const SOURCES: &str = r#"{"address":"203.0.113.9","verdict":"reflector","confidence":0.97,"reasons":["P1"],"packets":9}
{"address":"192.0.2.10","verdict":"legitimate","confidence":0.95,"reasons":["H1"],"packets":9}
{"address":"192.0.2.11","verdict":"unknown","confidence":0.5,"reasons":[],"packets":9}
{"address":"10.9.8.7","verdict":"spoofed","confidence":0.99,"reasons":["B1"],"packets":9}
{"address":"192.0.2.12","verdict":"bot","confidence":0.9,"reasons":["F1"],"packets":9}
{"address":"2001:db8:1::5","verdict":"legitimate","confidence":0.9,"reasons":["H1"],"packets":9}
{"address":"2001:db8:2::5","verdict":"reflector","confidence":0.9,"reasons":["P1"],"packets":9}
{"address":"2001:db8:2::6","verdict":"unknown","confidence":0.9,"reasons":[],"packets":9}
"#;

#[test]
fn honest_forged_and_unknown_sources_do_not_leave_in_a_report_and_an_order_may_have_them() {
    let desk = Desk::new("looked", "");
    attack(&desk, "00f1a2b3c4d5e6f7", SOURCES);
    attack(&desk, "1122334455667788", "");
    let request = desk.0.scratch.file("request.toml", REQUEST.as_bytes());
    let begin = |payload: &[u8], more: &[&str]| {
        let payload = desk.0.scratch.file("payload", payload);
        desk.run(&[&["new", &request, "--payload", &payload], more].concat())
    };
    let named = ["--attack", "00f1a2b3c4d5e6f7"];
    let begun = begin(b"203.0.113.9\n2001:db8:2::/64\n8.8.8.8\n", &named).unwrap();
    let compared = &begun["compared"];
    assert_eq!(
        (&compared["names"], &compared["told"], &compared["attacks"]),
        (&3.into(), &2.into(), &1.into())
    );
    for (payload, place) in [
        (&b"{\n\"a\": \"192.0.2.10\"}"[..], "line 2: 192.0.2.10 is legitimate in attack 00f1a2b3c4d5e6f7"),
        (b"a\nb\n192[.]0[.]2[.]11", "line 3: 192.0.2.11 is unknown"),
        (b"7.8.9.10.in-addr.arpa", "line 1: 10.9.8.7 is spoofed"),
        // a class without its proof is not told of
        (b"x 192.0.2.12:80", "192.0.2.12 is bot"),
        (b"2001:db8:1::/64", "2001:db8:1::/64 is legitimate"),
        (b"2001:DB8:2:0:0::6", "2001:db8:2::6 is unknown"),
    ] {
        for more in [&named[..], &[]] {
            let said = begin(payload, more).unwrap_err();
            assert!(said.contains(place) && said.contains("only an order gets such"), "{said}");
        }
    }
    let said = begin(b"203.0.113.9", &["--attack", "8899aabbccddeeff"]).unwrap_err();
    assert!(said.contains("no sources of an attack there"), "{said}");
    let said = begin(b"\x1f\x8b\x08\0", &[]).unwrap_err();
    assert!(said.contains("neither text nor a capture"), "{said}");
    // In a capture, and in one that is encoded in a report.
    let packet = crate::evidence::cases::tcp_sample([192, 0, 2, 10].into(), [198, 51, 100, 7]);
    let capture = crate::support::pcap(101, &[packet.octets]);
    assert!(begin(&capture, &named).unwrap_err().contains("packet 1: 192.0.2.10 is legitimate"));
    let report = format!("{{\n\"payload\": \"{}\"}}", ledger::text::base64(&capture));
    let said = begin(report.as_bytes(), &named).unwrap_err();
    assert!(said.contains("line 2, encoded there: packet 1: 192.0.2.10"), "{said}");
    // A draft that says that no source is in it has none, and one that hides the target hides it.
    let other = |from: &str, to: &str, payload: &str| {
        let request = desk.0.scratch.file("other.toml", REQUEST.replace(from, to).as_bytes());
        let payload = desk.0.scratch.file("payload", payload.as_bytes());
        desk.run(&["new", &request, "--payload", &payload, "--attack", "00f1a2b3c4d5e6f7"]).unwrap_err()
    };
    let said = other("[\"source-addresses\"]", "[\"aggregates\"]", "203.0.113.9");
    assert!(said.contains("is a source, and the draft says that none is in it"), "{said}");
    let said = other("recipients-sources", "target-hidden", "203.0.113.9 to 198.51.100.7");
    assert!(said.contains("198.51.100.7 is the target"), "{said}");
    // What is written into the file later is looked into, too.
    let begun = begin(b"203.0.113.9\n", &named).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"192.0.2.11").unwrap();
    for step in [&["approve"][..], &["send", "--to-folder", "/nowhere"]] {
        let said =
            desk.run(&[&step[..1], &[begun["id"].as_str().unwrap()], &step[1..]].concat()).unwrap_err();
        assert!(said.contains("192.0.2.11 is unknown"), "{said}");
    }
    let order = desk.0.scratch.file("order.toml", ORDER.as_bytes());
    let payload = desk.0.scratch.file("payload", b"192.0.2.10, 10.9.8.7");
    let begun = desk.run(&["new", &order, "--payload", &payload]).unwrap();
    assert!(begun["compared"].is_null(), "{begun}");
}

#[test]
fn an_order_gets_the_complete_bag_or_what_it_names_packed_by_the_workflow() {
    if !persons() {
        return;
    }
    let desk = Desk::new("bag", "");
    let folder = desk.0.scratch.path("state/evidence/00f1a2b3c4d5e6f7");
    let bag = crate::evidence::sealed(&folder, None, None).unwrap();
    let seal = ledger::Hash::of(&std::fs::read(bag.join("tagmanifest-sha256.txt")).unwrap()).to_string();
    let plain = ORDER.replace("embargo_until = \"2020-01-01T00:00:00Z\"\ncustomer_may_know = false\n", "");
    let file = |name: &str, extent: &str| {
        let text = plain.replace("extent = \"named-data\"", extent);
        desk.0.scratch.file(name, text.as_bytes())
    };
    let complete = file("complete.toml", "extent = \"complete-bag\"");
    let named = file("named.toml", "extent = \"named-data\"\nfiles = [\"data/sources.csv\"]");
    let refused = |args: &[&str], why: &str| {
        let said = desk.run(&[&["new"], args].concat()).unwrap_err();
        assert!(said.contains(why), "{said} for {why}");
    };
    let payload = desk.0.scratch.file("payload", PAYLOAD);
    refused(&[&complete, "--payload", &payload], "name it with --bag");
    refused(&[&complete, "--bag", "8899aabbccddeeff"], "no sealed bag");
    refused(&[&complete, "--bag", "00f1a2b3c4d5e6f7", "--payload", &payload], "leave --payload out");
    let odd = file("odd.toml", "extent = \"named-data\"\nfiles = [\"data/nothing\"]");
    refused(&[&odd, "--bag", "00f1a2b3c4d5e6f7"], "`data/nothing` is no file of the bag; it has: ");

    let begun = desk.run(&["new", &complete, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    assert_eq!(begun["draft"]["bag"], seal.as_str());
    let again = desk.run(&["new", &complete, "--bag", bag.to_str().unwrap()]).unwrap();
    assert_eq!(again["payload_sha256"], begun["payload_sha256"], "the same bag is the same file");
    let id = begun["id"].as_str().unwrap();
    // Nothing else goes in its place.
    let kept = std::fs::read(begun["payload"].as_str().unwrap()).unwrap();
    std::fs::write(begun["payload"].as_str().unwrap(), b"something else").unwrap();
    let said = desk.run_as(ALICE, &["approve", id]).unwrap_err();
    assert!(said.contains("not what was packed from the sealed bag"), "{said}");
    std::fs::write(begun["payload"].as_str().unwrap(), kept).unwrap();
    let out = desk.path("out");
    desk.run_as(ALICE, &["approve", id]).unwrap();
    assert!(desk.run(&["send", id, "--to-folder", &out]).unwrap_err().contains("two persons"));
    desk.run_as(BOB, &["approve", id]).unwrap();
    desk.run(&["send", id, "--to-folder", &out]).unwrap();
    // The ledger names the bag, and whoever has the archive has the bag, to the last bit.
    let entry: Value = serde_json::from_slice(&desk.0.view().entry(0).unwrap()).unwrap();
    let record = &entry["what"]["disclosure"];
    assert_eq!((&record["bag"], &record["extent"]), (&seal.as_str().into(), &"complete-bag".into()));
    let got = unpacked(&desk, &format!("{out}/{id}"), "got");
    assert_eq!(walk(&got.join("evidence")), walk(&bag));
    let verified = spillway(["evidence", "verify", got.join("evidence").to_str().unwrap()]);
    assert!(verified.status.success(), "{}", stderr(&verified));

    let begun = desk.run(&["new", &named, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    let got = unpacked(&desk, begun["payload"].as_str().unwrap(), "part");
    let files = ["data/sources.csv", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
    assert_eq!(walk(&got.join("evidence")).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), files);

    // A minimised derivative names the bag that it is from, and is compared with its sources.
    let derived = plain.replace("as-ordered", "target-shown").replace("named-data", "minimised");
    let derived = desk.0.scratch.file("derived.toml", derived.replace(", \"payload\"", "").as_bytes());
    let payload = desk.0.scratch.file("payload", b"203.0.113.5");
    let begun = desk.run(&["new", &derived, "--payload", &payload, "--bag", "00f1a2b3c4d5e6f7"]).unwrap();
    assert_eq!((&begun["draft"]["bag"], &begun["compared"]["told"]), (&seal.as_str().into(), &1.into()));
    refused(&[&derived, "--payload", &payload], "names the bag it is from");
    let payload = desk.0.scratch.file("payload", b"192.0.2.53");
    refused(&[&derived, "--payload", &payload, "--bag", "00f1a2b3c4d5e6f7"], "192.0.2.53 is legitimate");

    // A bag that is not as it was sealed goes nowhere.
    std::fs::write(bag.join("data/rules.txt"), b"other rules").unwrap();
    refused(&[&complete, "--bag", "00f1a2b3c4d5e6f7"], "not as it was sealed: ");
}

fn unpacked(desk: &Desk, archive: &str, name: &str) -> std::path::PathBuf {
    let to = desk.0.scratch.path(name);
    tar::Archive::new(std::fs::File::open(archive).unwrap()).unpack(&to).unwrap();
    to
}

/// All files with what is in them, by name.
fn walk(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                all.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}
