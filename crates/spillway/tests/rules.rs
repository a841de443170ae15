//! `rules eval` and `rules compile` from outside.

use crate::support::{Scratch, pcap, spillway, stderr, udp};

#[test]
fn eval_counts_matches_by_themselves_and_decisions_by_precedence() {
    let scratch = Scratch::new("rules-eval");
    let rules = scratch.file(
        "rules.txt",
        b"# the first wins\n\
          wide @20 proto udp -> drop\n\
          long @10 dst 198.51.100.7/32 length >=38 -> pass # ten octets of payload\n\
          never @5 proto tcp -> drop\n",
    );
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06]);
    arp.resize(60, 0);
    let ethernet = |packet: Vec<u8>| [vec![0; 12], vec![8, 0], packet].concat();
    let packets = [ethernet(udp(b"")), ethernet(udp(&[0; 10])), ethernet(udp(&[0; 100])), arp];
    let file = scratch.file("capture.pcap", &pcap(1, &packets));
    let output = spillway(["rules", "eval", &rules, &file, "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let counts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "rules": [
            {"id": "wide", "matched_packets": 3, "matched_bytes": 28 + 38 + 128, "decided_packets": 1},
            {"id": "long", "matched_packets": 2, "matched_bytes": 38 + 128, "decided_packets": 2},
            {"id": "never", "matched_packets": 0, "matched_bytes": 0, "decided_packets": 0},
        ],
        "packets": 4,
        "bytes": 28 + 38 + 128 + 46,
        "unmatched_packets": 1,
    });
    assert_eq!(counts, expected);
}

#[test]
fn a_rule_is_tried_against_a_capture_without_a_daemon() {
    let scratch = Scratch::new("rule-preview");
    let whole = pcap(101, &[udp(b""), udp(&[0; 10]), udp(&[0; 100])]);
    let file = scratch.file("capture.pcap", &whole);
    let rule = "dst 198.51.100.7/32 proto udp length >=38 -> drop";
    let preview =
        |file: &str, format: &str| spillway(["rule", "preview", rule, "--capture", file, "-o", format]);
    let out = preview(&file, "json");
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&found["packets"], &found["unmatched_packets"], &found["partial"]),
        (&3.into(), &1.into(), &serde_json::Value::Null)
    );
    let hit = &found["rules"][0];
    assert_eq!((&hit["matched_packets"], &hit["matched_bytes"]), (&2.into(), &166.into()));
    assert_eq!(hit["hosts"], serde_json::json!([{"target": "198.51.100.7", "bytes": 166, "packets": 2}]));
    let text = String::from_utf8(preview(&file, "text").stdout).unwrap();
    assert!(text.contains("matches 2 packets") && text.contains("198.51.100.7"), "{text}");
    // A damaged one is counted to where it is damaged, and told; what is none is refused.
    let torn = scratch.file("torn.pcap", whole.get(..whole.len() - 20).unwrap());
    let out = preview(&torn, "json");
    assert_eq!(out.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(found["packets"], 2);
    assert!(stderr(&out).contains("ends inside a record"), "{}", stderr(&out));
    let none = scratch.file("none.pcap", b"no capture at all, but text of some length");
    assert_eq!(preview(&none, "json").status.code(), Some(1));
}

#[test]
fn a_mistake_in_a_rule_is_one_line_with_its_place() {
    let scratch = Scratch::new("rules-bad");
    let capture = scratch.file("capture.pcap", &pcap(101, &[udp(b"")]));
    for (text, place) in [
        (&b"a @1 dst 192.0.2.1/32 -> drop\nb @2 protocol udp -> drop\n"[..], "line 2, column 6: "),
        (b"a @1 -> drop\na @2 -> drop\n", "line 2, column 1: "),
        (b"a @1 -> rate 1000\n", "line 1, column "),
        (b"a @1 dst \xff -> drop\n", "not text, at octet 9; "),
    ] {
        let rules = scratch.file("rules.txt", text);
        let output = spillway(["rules", "eval", &rules, &capture]);
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        assert!(text.starts_with(&format!("spillway: {rules}: {place}")), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}

#[test]
fn compile_says_what_a_target_cannot_say() {
    let scratch = Scratch::new("rules-compile");
    let rules = scratch.file(
        "rules.txt",
        b"dns @10 dst 192.0.2.7/32 proto udp src-port 53 length >=468 -> drop\n\
          old @20 dst 192.0.2.7/32 proto tcp ttl 242,244 -> drop\n",
    );
    let compile = |target: &str| {
        let output = spillway(["rules", "compile", &rules, "--to", target]);
        assert_eq!(output.status.code(), Some(0), "{target}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let nft = compile("nftables");
    assert!(nft.contains("table inet spillway") && nft.contains("priority -450"), "{nft}");
    assert!(compile("exabgp").contains("# old: error: "));
    let flowspec = compile("flowspec");
    assert!(
        flowspec.starts_with("dns ipv4: dst 192.0.2.7/32 proto udp src-port 53 length >=468"),
        "{flowspec}"
    );
    assert!(flowspec.contains("\n# old ipv4: error: "), "{flowspec}");
    let lines: Vec<serde_json::Value> =
        compile("flowspec-hex").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["id"], &lines[0]["afi"]), (&"dns".into(), &1.into()));
    assert!(lines[0]["error"].is_null() && lines[1]["error"].is_string());
    assert_eq!(lines[0]["ext_communities"][0].as_str().unwrap().len(), 16);
}
