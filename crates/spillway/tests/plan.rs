//! `spillway plan`: a document in, a plan out.

use serde_json::Value;

use crate::support::{Scratch, spillway, stderr};

const GOOD: &str = r#"{"targets":[{"prefix":"198.51.100.7/32","value":2.0,"max_bps":0},{"prefix":"2001:db8::9/128","value":7.0,"max_bps":0}],
"entries":[{"name":"e1","link_bps":1e10,"flowspec_slots":5}],
"absorbers":[{"name":"a1","capacity_bps":5e9,"capacity_pps":1e7,"cost_per_gbps":1.0,"reaches":["e1"]}],
"attacks":[{"target":"198.51.100.7/32","entry":"e1","bps":4e9,"pps":1e6,"legit_bps":0,"rules":[]},
{"target":"2001:db8::9/128","entry":"e1","bps":4e9,"pps":1e6,"legit_bps":0,"rules":[{"id":"r1","removes":0.1,"collateral":0.0}]}]}"#;

#[test]
fn a_plan_has_the_keys_of_the_interface_and_is_the_same_each_time() {
    let scratch = Scratch::new("plan");
    let file = scratch.file("attack.json", GOOD.as_bytes());
    for effort in ["quick", "normal", "exact"] {
        let run = || spillway(["plan", &file, "--dry-run", "-o", "json", "--effort", effort]);
        let out = run();
        assert!(out.status.success(), "{}", stderr(&out));
        assert_eq!(out.stdout, run().stdout, "twice the same");
        let plan: Value = serde_json::from_slice(&out.stdout).unwrap();
        let keys: Vec<&String> = plan.as_object().unwrap().keys().collect();
        let mut expected =
            ["value_kept", "value_total", "bound", "kept", "sacrificed", "diverted", "rules", "solver"];
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(plan["value_kept"], 7.0);
        assert_eq!(plan["value_total"], 9.0);
        assert_eq!(plan["bound"], 7.0);
        assert_eq!(plan["solver"], "exact");
        assert_eq!(plan["kept"][0], "2001:db8::9/128");
        assert_eq!(plan["diverted"][0]["absorber"], "a1");
        let why = plan["sacrificed"][0]["why"].as_str().unwrap();
        assert!(why.contains("keeping it would cost 2001:db8::9/128 (value 7)"), "{why}");
    }
    let out = spillway(["plan", &file, "--dry-run", "-o", "text", "--mode", "share-the-pain"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains("1 of 2 targets kept") && text.contains("diverted 2001:db8::9/128 at e1 to a1"),
        "{text}"
    );
}

#[test]
fn a_wrong_plan_document_is_one_line_with_place_and_remedy() {
    let scratch = Scratch::new("plan-wrong");
    let cases = [
        (GOOD.replace("\"reaches\":[\"e1\"]", "\"reaches\":[\"e2\"]"), "absorbers[0].reaches[0]: `e2`"),
        (GOOD.replace("\"removes\":0.1", "\"removes\":2"), "attacks[1].rules[0].removes: 2.0 is no share"),
        (GOOD.replace("\"value\":2.0", "\"worth\":2.0"), "wrong.json:1:"),
        (GOOD.replace("\"value\":2.0", "\"worth\":2.0"), "unknown field `worth`"),
        (GOOD[..200].to_owned(), "wrong.json:"),
        (String::new(), "wrong.json:1:0"),
    ];
    for (text, expected) in cases {
        let file = scratch.file("wrong.json", text.as_bytes());
        let out = spillway(["plan", &file, "--dry-run", "-o", "json"]);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(1), "{said}");
        assert!(
            out.stdout.is_empty() && said.lines().count() == 1 && said.contains(expected),
            "{expected}: {said}"
        );
    }
    let file = scratch.file("attack.json", GOOD.as_bytes());
    let out = spillway(["plan", &file]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("--dry-run"), "{}", stderr(&out));
    let out = spillway(["plan", "no-such-file.json", "--dry-run"]);
    assert_eq!(out.status.code(), Some(1));
}
