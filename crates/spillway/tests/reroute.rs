//! The rerouting lab: real routers, real exporters, our absorbers and brain, and visitors of three victims.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use serde_json::Value;

use crate::support::{spillway, stderr};

/// `None`, with the reason on standard error, where this machine cannot.
fn able() -> Option<()> {
    let checked = spillway(["lab", "check"]);
    if checked.status.success() {
        return Some(());
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{}", stderr(&checked));
    eprintln!("skipped: {}", stderr(&checked).trim());
    None
}

fn play(args: &[&str]) -> Value {
    let output = spillway([&["lab", "play", "reroute", "-o", "json"][..], args].concat());
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    let played: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{played:#}");
    played
}

/// Of the requests of a victim's visitors in a phase, the share that was answered.
fn success(played: &Value, victim: &str, phase: &str) -> f64 {
    let phases = played["phases"].as_array().unwrap();
    let of = |one: &&Value| one["victim"] == victim && one["name"] == phase;
    let (mut requests, mut answered) = (0.0, 0.0);
    for one in phases.iter().filter(of) {
        requests += one["requests"].as_f64().unwrap();
        answered += one["answered"].as_f64().unwrap();
    }
    assert!(requests >= 50.0, "{victim}, {phase}: {played:#}");
    answered / requests
}

fn fate<'a>(played: &'a Value, victim: &str) -> &'a Value {
    played["victims"].as_array().unwrap().iter().find(|one| one["victim"] == victim).unwrap()
}

/// Whoever measures under load has the machine alone: nextest knows by the name.
mod alone {
    use super::*;

    #[test]
    fn what_an_operator_diverts_comes_back_by_the_tunnels_and_no_visitor_notices() {
        let Some(()) = able() else { return };
        let played = play(&["--by", "rules", "--seconds", "12"]);
        for phase in ["before", "diverted", "after"] {
            for victim in ["bank", "shop", "game"] {
                let share = success(&played, victim, phase);
                assert!(share >= 0.99, "{victim}, {phase}: {share}");
            }
        }
        let bank = fate(&played, "bank");
        assert!(bank["returned"].as_u64().unwrap() > 200, "it went by the absorber: {bank}");
        assert_eq!((bank["filtered"].as_u64(), bank["lost"].as_u64()), (Some(0), Some(0)), "{bank}");
        assert_eq!(fate(&played, "shop")["returned"], 0, "nobody else was diverted");
    }
}
