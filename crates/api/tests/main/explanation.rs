//! An attack in plain words, from its documents.

use serde_json::json;

#[test]
fn an_attack_is_explained_from_its_documents() {
    let rule = |id: &str, state: &str| {
        json!({
            "id": id, "text": format!("{id} dst 198.51.100.7/32 proto udp src-port 53 -> drop"), "action": "drop", "state": state,
            "collateral": {"packets": 0.0, "packets_upper95": 0.004, "peers": 0.0, "peers_upper95": 0.02}, "expires_at": "2026-11-26T20:30:00Z",
        })
    };
    let mut attack = json!({
        "id": "0123456789abcdef", "state": "active", "severity": "attack", "direction": "in", "target": "198.51.100.7/32",
        "started_at": "2026-11-26T20:15:00.000000000Z", "detected_at": "2026-11-26T20:15:01.250000000Z", "ended_at": null,
        "peak_pps": 400_000, "peak_bps": 3_200_000_000u64, "vectors": [{"name": "udp-amplification-dns", "share": 0.98}],
        "sources": {"count": 1, "nature": "reflectors"}, "explain": ["3.2 Gbit/s to it, 310 times the limit of 10 Mbit/s"],
        "rules": [rule("r1", "active"), rule("r2", "suggested")], "doubtful": true,
        "withdrawn": [{"id": "r0", "text": "r0 dst 198.51.100.7/32 -> drop", "at": "2026-11-26T20:15:02.000000000Z", "reason": "it hit 4 % of honest packets"}],
        "mitigation": {"step": "filter", "wanted": "diversion", "needs_person": true, "reason": "filters here do not suffice",
                       "rejected": [{"step": "blackhole", "reason": "the target would be gone"}], "refused": ["beyond the cap"], "mitigations": [4], "proposals": []},
    });
    let mut live = rule("r1", "active");
    live["attack"] = json!("0123456789abcdef");
    live["backend"] = json!("xdp");
    live["dropped_packets"] = json!(77);
    let line = |at: &str, mitigation: u64, event: &str, reason: &str| json!({"number": 1, "at": at, "mitigation": mitigation, "event": event, "actor": "alice", "reason": reason, "what": "198.51.100.7/32"});
    let journal = [
        line("2026-11-26T20:15:03.000000000Z", 4, "started", "automatic"),
        line("2026-11-26T20:15:00.500000000Z", 9, "started", "for attack 0123456789abcdef"),
        line("2026-11-26T20:15:09.000000000Z", 5, "started", "another matter"),
    ];
    let it = api::explain(&attack, &[live], &journal);
    assert!(
        it.summary.contains("An attack on 198.51.100.7/32")
            || it.summary.contains("an attack on 198.51.100.7/32"),
        "{}",
        it.summary
    );
    assert!(
        it.summary.contains("1 address, which are servers that were used as reflectors"),
        "{}",
        it.summary
    );
    assert_eq!(it.why, ["3.2 Gbit/s to it, 310 times the limit of 10 Mbit/s"]);
    assert!(it.vectors[0].meaning.contains("large answers to small questions"));
    assert_eq!((it.rules[0].state.as_str(), it.rules[0].dropped_packets), ("active", Some(77)));
    assert_eq!(it.rules[0].stands, "it is in force by xdp");
    assert!(
        it.rules[0].price.contains("at most 0.40 %") && it.rules[0].price.contains("20:30:00"),
        "{}",
        it.rules[0].price
    );
    let steps: Vec<&str> = it.steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps.len(), 5, "{steps:#?}");
    assert_eq!(steps[0], "the first packet of it");
    assert!(
        steps[1].contains("mitigation 9 started") && steps[4].contains("mitigation 4 started"),
        "{steps:#?}"
    );
    assert!(
        steps[2].contains("2 filters derived") && steps[3].contains("taken back: it hit 4 %"),
        "{steps:#?}"
    );
    let refused: Vec<&str> = it.refused.iter().map(|one| one.reason.as_str()).collect();
    for reason in ["only suggested", "the target would be gone", "beyond the cap", "belie"] {
        assert!(refused.iter().any(|one| one.contains(reason)), "{reason} is not in {refused:#?}");
    }
    for next in ["renewed while it goes on", "A person has to agree", "do not suffice", "60 seconds"] {
        assert!(it.next.iter().any(|one| one.contains(next)), "{next} is not in {:#?}", it.next);
    }
    // Over, it needs nobody.
    attack["state"] = json!("over");
    let it = api::explain(&attack, &[], &[]);
    assert_eq!(it.rules[0].state, "expired");
    assert_eq!(it.next.len(), 1);
    // Whatever a document is, it is explained.
    for odd in [json!(null), json!({}), json!({"rules": 7, "vectors": [null], "mitigation": []})] {
        assert!(api::explain(&odd, &[], &[json!(5)]).summary.contains("unknown target"));
    }
}
