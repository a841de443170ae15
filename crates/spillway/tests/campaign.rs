//! Own attacks beside those of others: one hand, or new.

use std::net::IpAddr;

use intel::Dossier;
use intel::campaign::Trace;
use intel::export::{Shared, Terms, ddosch};
use intel::finding::{Class, Reason};
use serde_json::{Value, json};
use spillway::dossier::document::TRACE_KEY;

use crate::evidence::cases;
use crate::ledger::House;
use crate::support::{spillway, stderr};

/// A reflection over 400 servers of a list, from this one on.
fn attack(from: u32) -> Dossier {
    let mut dossier = cases::reflection();
    dossier.findings = (from..from + 400)
        .map(|n| {
            let address = IpAddr::from((0x2d00_0000 + n * 77).to_be_bytes());
            let mut one = cases::finding(address, Class::Reflector, &[Reason::P1], 17, 20);
            one.reflects = Some("dns".into());
            one
        })
        .collect();
    dossier
}

#[test]
fn attacks_are_compared_with_those_of_others_and_new_is_an_answer() {
    let house = House::new("campaign", "");
    let trace = |from| Trace::of(&attack(from), TRACE_KEY);
    for (id, from) in [("00f1a2b3c4d5e6f7", 0), ("1122334455667788", 50_000)] {
        let folder = house.scratch.path("state/evidence").join(id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("attack.json"), json!({"id": id, "trace": trace(from)}).to_string())
            .unwrap();
    }
    let file = |name: &str, text: String| house.scratch.file(name, text.as_bytes());
    let run = |args: &[&str]| {
        let output = spillway([&["campaign"], args, &["-c", &house.config, "-o", "json"]].concat());
        match output.status.code() {
            Some(0) => Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap()),
            _ => Err(stderr(&output)),
        }
    };
    // Three of four servers are of the same list, as a trace and as a fingerprint with and without what is ours in it.
    let theirs = file("trace.json", serde_json::to_string(&trace(100)).unwrap());
    let ours = ddosch::fingerprint(&Shared::new(&attack(100), Terms::default()));
    let mut dissector = ours.clone();
    dissector.spillway = None;
    dissector.attack_vectors.iter_mut().for_each(|vector| vector.spillway = None);
    dissector.key = "11a221525f3c1f2f11a221525f3c1f2f".to_owned();
    let ours = file("ours.json", serde_json::to_string(&ours).unwrap());
    let dissector = file("dissector.json", serde_json::to_string(&dissector).unwrap());
    for (other, read_as) in [(&theirs, "trace"), (&ours, "fingerprint"), (&dissector, "fingerprint")] {
        let said = run(&["compare", other]).unwrap();
        assert_eq!(
            (&said["answer"], &said["compared_with"], &said["read_as"]),
            (&"alike".into(), &2.into(), &read_as.into())
        );
        assert_eq!(said["likest"]["attack"], "00f1a2b3c4d5e6f7", "{said}");
        let said = run(&["compare", "1122334455667788", other]).unwrap();
        assert_eq!(
            (&said["answer"], &said["likest"]["attack"]),
            (&"new".into(), &other.as_str().into()),
            "{said}"
        );
    }
    let stranger = file("stranger.json", serde_json::to_string(&trace(90_000)).unwrap());
    assert_eq!(run(&["compare", &stranger]).unwrap()["answer"], "new");
    // What is given to others is what they compare with, and names nobody.
    let given = run(&["trace", "00f1a2b3c4d5e6f7"]).unwrap();
    assert_eq!(serde_json::from_value::<Trace>(given.clone()).unwrap(), trace(0));
    let mut named = 0;
    intel::export::mentions(given.to_string().as_bytes(), |_, _| named += 1);
    assert_eq!(named, 0, "{given}");
    for (text, why) in [
        ("{".to_owned(), "EOF"),
        ("{\"a\":1}".to_owned(), "has no trace, and is no fingerprint"),
        (given.to_string().replace("\"count\":400", "\"count\":4"), "reflectors: no digest of this form"),
        (json!({"attack_vectors": []}).to_string(), "missing field"),
    ] {
        let bad = file("bad.json", text);
        let said = run(&["compare", &bad]).unwrap_err();
        assert!(said.contains(why) && said.contains("bad.json: "), "{said} for {why}");
    }
    assert!(run(&["compare", "nothing.json"]).unwrap_err().contains("no attack; name its id"));
}
