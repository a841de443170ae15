//! Rules that people make and sources that they let pass, in the kernel, for both families.

use super::*;

/// Runs `spillway` in the daemon's namespace; its answer.
fn done(lab: &Lab, args: &[&str]) -> Value {
    let out = Lab::command(&lab.here, env!("CARGO_BIN_EXE_spillway")).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn rules_by_hand_act_for_both_families_spare_allowed_sources_and_outlive_the_daemon() {
    let Some(mut lab) = Lab::new("m", 84) else { return };
    let scratch = Scratch::new("enforce-m");
    let config = lab.config(&scratch, "observe", "[rules]\nlease = \"15m\"");
    let daemon = lab.daemon(&config);
    let c = config.as_str();
    for v6 in [false, true] {
        lab.v6 = v6;
        let server = lab.server();
        let (answers, asks) = lab.honest();
        // In observe mode, too: a person said so.
        let rule = format!("dst {server} proto udp dst-port 8080 -> drop");
        let said = ["--for", "1h", "--reason", "a test", "-o", "json", "-c", c];
        let made = done(&lab, &[&["rule", "add", &rule][..], &said].concat());
        let id = made["rule"].as_str().unwrap().to_owned();
        wait("the rule in the kernel", || (lab.dropped() > 1).then_some(()));
        let state = wait("the rule in the list", || {
            lab.items(&daemon, "/api/v1/rules")
                .into_iter()
                .find(|one| one["id"] == id.as_str() && one["state"] == "active")
        });
        assert_eq!(state["backend"], "xdp");
        // The clients are allowed: within the ceiling they pass before the rule, which drops no more.
        let passed = lab.left("allowed");
        let clients =
            if v6 { format!("fd00:0:{}:1::/64", lab.net) } else { format!("10.{}.1.0/24", lab.net) };
        let place = ["--to", &server, "--proto", "udp", "--port", "8080", "--ceiling", "1 kpps"];
        let said = ["--reason", "ours", "-o", "json", "-c", c];
        let allowed = done(&lab, &[&["allow", "add", &clients][..], &place, &said].concat());
        wait("packets of the allowed sources", || (lab.left("allowed") > passed + 200).then_some(()));
        let (ok, bad) = answered(&asks.end());
        println!("v6 {v6}: {ok} answered, {bad} not");
        assert!(ok >= 200 && bad > 0, "{ok} {bad}");
        drop(answers);
        let number = allowed["id"].to_string();
        done(&lab, &["allow", "remove", &number, "--reason", "over", "-o", "json", "-c", c]);
    }
    // Killed: what a person made holds to its end, and the next daemon knows it.
    daemon.signal("-KILL");
    daemon.ended();
    assert_eq!(lab.status().unwrap()["rules"].as_array().unwrap().len(), 2);
    let daemon = lab.daemon(c);
    let rules = done(&lab, &["rule", "list", "-o", "json", "-c", c]);
    assert_eq!(rules["items"].as_array().unwrap().len(), 2, "{rules}");
    for rule in rules["items"].as_array().unwrap() {
        done(
            &lab,
            &["rule", "withdraw", rule["rule"].as_str().unwrap(), "--reason", "over", "-o", "json", "-c", c],
        );
    }
    wait("the rules to go", || lab.status()?["rules"].as_array()?.is_empty().then_some(()));
    drop(daemon);
}
