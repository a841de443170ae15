//! Documents that contradict themselves or are malformed: refused, with place and remedy.

use steer::planner::{Document, Effort, Mode, plan};

const GOOD: &str = r#"{"targets":[{"prefix":"198.51.100.7/32","value":1.0,"max_bps":1e9}],
"entries":[{"name":"e1","link_bps":1e10,"flowspec_slots":5}],
"absorbers":[{"name":"a1","capacity_bps":1e10,"capacity_pps":1e6,"cost_per_gbps":1.0,"reaches":["e1"]}],
"attacks":[{"target":"198.51.100.7/32","entry":"e1","bps":5e9,"pps":1e6,"legit_bps":1e8,
"rules":[{"id":"r1","removes":0.9,"collateral":0.01}]}]}"#;

fn refusal(text: &str) -> String {
    let document: Result<Document, _> = serde_json::from_str(text);
    match document {
        Err(wrong) => wrong.to_string(),
        Ok(document) => plan(&document, Mode::default(), Effort::Quick).unwrap_err().to_string(),
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_place_and_remedy() {
    let document: Document = serde_json::from_str(GOOD).unwrap();
    plan(&document, Mode::default(), Effort::Quick).unwrap();
    let target = r#"{"prefix":"198.51.100.7/32","value":1.0,"max_bps":1e9}"#;
    let cases: &[(&str, &str, &[&str])] = &[
        (
            target,
            r#"{"prefix":"198.51.100.7","value":1},{"prefix":"198.51.100.7/32","value":2}"#,
            &["targets[1].prefix", "already targets[0]"],
        ),
        (r#"[{"name":"e1","#, r#"[{"name":"e1"},{"name":"e1","#, &["entries[1].name", "already entries[0]"]),
        (
            r#"[{"name":"a1","#,
            r#"[{"name":"a1"},{"name":"a1","#,
            &["absorbers[1].name", "already absorbers[0]"],
        ),
        (
            r#"[{"id":"r1","#,
            r#"[{"id":"r1","removes":0.1,"collateral":0},{"id":"r1","#,
            &["attacks[0].rules[1].id"],
        ),
        (
            r#"[{"target""#,
            r#"[{"target":"198.51.100.7/32","entry":"e1","bps":1},{"target""#,
            &["attacks[1]", "add them up"],
        ),
        (r#""reaches":["e1"]"#, r#""reaches":["e2"]"#, &["absorbers[0].reaches[0]", "`e2`", "e1"]),
        (r#""entry":"e1""#, r#""entry":"e9""#, &["attacks[0].entry", "`e9`"]),
        (
            r#"{"target":"198.51.100.7/32""#,
            r#"{"target":"198.51.100.8/32""#,
            &["attacks[0].target", "198.51.100.8/32"],
        ),
        (r#""removes":0.9"#, r#""removes":1.1"#, &["attacks[0].rules[0].removes", "from 0 to 1"]),
        (r#""collateral":0.01"#, r#""collateral":-0.01"#, &["attacks[0].rules[0].collateral", "from 0 to 1"]),
        (r#""value":1.0"#, r#""value":-1.0"#, &["targets[0].value", "negative"]),
        (r#""max_bps":1e9"#, r#""max_bps":-1"#, &["targets[0].max_bps", "leave it out"]),
        (r#""link_bps":1e10"#, r#""link_bps":-1"#, &["entries[0].link_bps"]),
        (r#""flowspec_slots":5"#, r#""flowspec_slots":1.5"#, &["entries[0].flowspec_slots", "whole"]),
        (r#""capacity_pps":1e6"#, r#""capacity_pps":1e300"#, &["absorbers[0].capacity_pps", "1e100"]),
        (r#""cost_per_gbps":1.0"#, r#""cost_per_gbps":-1.0"#, &["absorbers[0].cost_per_gbps"]),
        (r#""bps":5e9"#, r#""bps":-5e9"#, &["attacks[0].bps"]),
        (r#""pps":1e6,"legit"#, r#""pps":-1,"legit"#, &["attacks[0].pps"]),
        (r#""legit_bps":1e8"#, r#""legit_bps":-1"#, &["attacks[0].legit_bps"]),
        (r#""name":"e1""#, r#""name":"""#, &["entries[0].name", "empty"]),
    ];
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let said = refusal(&GOOD.replacen(from, to, 1));
        assert!(expected.iter().all(|part| said.contains(part)), "{to}: {said}");
    }
}

#[test]
fn what_is_malformed_is_refused_with_its_line() {
    let cases: &[(&str, &str, &str)] = &[
        (r#""value":1.0"#, r#""worth":1.0"#, "unknown field `worth`"),
        (r#","value":1.0"#, "", "missing field `value`"),
        (r#""bps":5e9,"#, "", "missing field `bps`"),
        (r#""value":1.0"#, r#""value":"1""#, "invalid type: string"),
        (r#""value":1.0"#, r#""value":1.0,"value":2.0"#, "duplicate field `value`"),
        (r#""value":1.0"#, r#""value":NaN"#, "expected"),
        (r#""value":1.0"#, r#""value":1e999"#, "number out of range"),
        (r#""prefix":"198.51.100.7/32""#, r#""prefix":"198.51.100.7/24""#, "did you mean 198.51.100.0/24"),
        (r#""prefix":"198.51.100.7/32""#, r#""prefix":"example.org""#, "is not a prefix"),
        (r#"{"targets""#, r#"[{"targets""#, "line 1"),
    ];
    for (from, to, expected) in cases {
        let said = refusal(&GOOD.replacen(from, to, 1));
        assert!(said.contains(expected), "{to}: {said}");
        assert!(said.contains(" at line "), "{to}: {said}");
    }
    for cut in (0..GOOD.len()).step_by(7) {
        assert!(refusal(&GOOD[..cut]).contains("line"), "cut at {cut}");
    }
}
