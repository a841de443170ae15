//! Attacks that are only imagined, with the real binary: what is said of them, and that nothing else happens.

use serde_json::{Value, json};

use crate::access::done;
use crate::daemon::Daemon;
use crate::support::{Scratch, spillway, stderr};

fn file(scratch: &Scratch, more: &str) -> String {
    let text = format!(
        "networks = [\"203.0.113.0/24\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n{more}\n",
        scratch.path("state").display()
    );
    scratch.file("spillway.toml", text.as_bytes())
}

fn imagined(config: &str, class: &str, target: &str, more: &[&str]) -> Value {
    done(&[&["simulate", class, "--target", target, "-o", "json", "-c", config], more].concat())
}

const LISTEN: &str = "[listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"";

/// Both families, as what it was made, soon, with a rule that spares the honest; the same bytes each time, and no file.
#[test]
fn an_imagined_attack_is_seen_filtered_and_left_alone_as_the_configuration_has_it() {
    let scratch = Scratch::new("simulate");
    let config = file(&scratch, LISTEN);
    for (class, vector, target) in [
        ("syn-flood", "tcp-syn-flood", "203.0.113.10"),
        ("ntp", "udp-amplification-ntp", "2001:db8::10"),
        ("udp-flood", "udp-flood", "203.0.113.0/28"),
    ] {
        let found = imagined(&config, class, target, &[]);
        assert_eq!(found["vector"], vector);
        assert_eq!(found["attack"]["vectors"][0]["name"], vector, "{class}: {found}");
        let (after, acts) = (
            found["detected_after_seconds"].as_f64().unwrap(),
            found["effect"]["acts_after_seconds"].as_f64(),
        );
        assert!((0.0..10.0).contains(&after) && acts.is_none_or(|acts| acts >= after), "{class}: {found}");
        if class == "ntp" {
            let share = |side: &str| found["effect"][side]["dropped_once_acting"].as_f64().unwrap();
            assert!(share("attack") > 0.9 && share("honest") < 0.05, "{}", found["effect"]);
        }
        assert_eq!(found["policy"]["values"]["mode"]["value"], "observe");
        assert_eq!(found["mode_by"], "configuration");
        assert!(found["rules"].as_array().unwrap().iter().all(|rule| rule["now"] == "none"), "{found}");
        assert_eq!(found["next"], "spillway mode suggest --reason TEXT");
        let why = found["why_not_more"].to_string();
        assert!(why.contains("is at observe") && why.contains("dataplane.interfaces"), "{why}");
        assert_eq!(imagined(&config, class, target, &[]), found, "the same question has the same answer");
    }
    assert!(!scratch.path("state").exists(), "nothing is written");
    let text = spillway(["simulate", "dns", "--target", "203.0.113.7", "-o", "text", "-c", &config]);
    let text = String::from_utf8(text.stdout).unwrap();
    for part in [
        "imagined: nothing is sent",
        "detected",
        "no daemon answers",
        "why not more",
        "spillway mode suggest",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // what is small is not seen, and that is said
    let small = imagined(&config, "icmp-flood", "203.0.113.7", &["--pps", "20pps"]);
    assert_eq!(
        (&small["detected"], &small["attack"], &small["effect"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
}

/// Modes, prices, the never-list, routers: as they would be for a real one; a running daemon is asked, and not touched.
#[test]
fn what_would_be_done_goes_by_mode_and_policy_of_the_target() {
    let scratch = Scratch::new("simulate-policy");
    let more = format!(
        "mode = \"enforce\"\n{LISTEN}\n[rules]\nnever = [\"203.0.113.53/32\"]\n[dataplane]\ninterfaces = [\"none0\"]\n\
         [target.\"203.0.113.20\"]\nmode = \"suggest\"\n\
         [routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.ladder]\n\
         [routing.peers.edge]\naddress = \"192.0.2.9\"\nasn = 64512\ncarries = [\"flowspec\"]\n"
    );
    let config = file(&scratch, &more);
    let states = |found: &Value| -> Vec<String> {
        found["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["now"].as_str().unwrap().to_owned())
            .collect()
    };
    let met = imagined(&config, "ntp", "203.0.113.10", &[]);
    assert!(states(&met).contains(&"acts".to_owned()), "{}", met["rules"]);
    assert_eq!(met["next"], Value::Null);
    assert!(
        met["routers"]["rejected"].as_array().is_some() && met["routers"]["reason"].is_string(),
        "{}",
        met["routers"]
    );
    let counted = imagined(&config, "ntp", "203.0.113.20", &[]);
    assert!(states(&counted).contains(&"counted".to_owned()), "{}", counted["rules"]);
    assert_eq!(counted["next"], "spillway mode enforce --prefix 203.0.113.20/32 --reason TEXT");
    let never = imagined(&config, "ntp", "203.0.113.53", &[]);
    assert!(never["why_not_more"].to_string().contains("never-list"), "{}", never["why_not_more"]);
    assert!(states(&never).iter().all(|state| state == "none"));

    let config = file(&scratch, LISTEN);
    let daemon = Daemon::start(&config);
    done(&["mode", "suggest", "--reason", "a week is over", "-c", &config]);
    let found = imagined(&config, "syn-flood", "203.0.113.10", &[]);
    assert_eq!(
        (&found["mode_by"], &found["policy"]["values"]["mode"]["value"]),
        (&json!("daemon"), &json!("suggest"))
    );
    assert_eq!(daemon.attacks().len(), 0, "the daemon heard nothing of it");
    assert_eq!(daemon.sum("spillway_ingest_datagrams_total"), 0.0);
}

#[test]
fn what_cannot_be_imagined_is_said_in_one_line() {
    let scratch = Scratch::new("simulate-mistakes");
    let config = file(&scratch, LISTEN);
    for (args, says) in [
        (["ping-of-death", "203.0.113.10", "100kpps", "30s"], "tcp-syn-flood"),
        (
            ["syn-flood", "198.51.100.1", "100kpps", "30s"],
            "not inside `networks` (203.0.113.0/24, 2001:db8::/32)",
        ),
        (["syn-flood", "2001:db9::1", "100kpps", "30s"], "aim at an address of yours"),
        (["syn-flood", "203.0.113.10", "5", "30s"], "kpps"),
        (["syn-flood", "203.0.113.10", "100kpps", "2h"], "10 minutes"),
        (["syn-flood", "203.0.113.10", "900Mpps", "10m"], "a higher --sampling"),
    ] {
        let [class, target, pps, lasts] = args;
        let out =
            spillway(["simulate", class, "--target", target, "--pps", pps, "--for", lasts, "-c", &config]);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says) && said.trim().lines().count() == 1, "{args:?}: {said}");
    }
}
