//! The rerouting lab: real routers, real exporters, our absorbers and brain, and visitors of three victims.

use serde_json::Value;

use super::scenarios::{able, spillway};
use super::turn;

fn play(args: &[&str]) -> Value {
    let output = spillway(&[&["lab", "play", "reroute", "-o", "json"][..], args].concat());
    // First, for it says what was broken, too.
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
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

/// Which phases of a victim went how, and its fate: what one needs to know of a failure.
fn course(played: &Value, victim: &str) -> String {
    let phases = played["phases"].as_array().unwrap().iter().filter(|one| one["victim"] == victim);
    let told = phases.map(|one| {
        format!(
            "{} {}/{} (unanswered: {} ms)",
            one["name"], one["answered"], one["requests"], one["unanswered_ms"]
        )
    });
    format!("{}; {}; {}", told.collect::<Vec<_>>().join(", "), fate(played, victim), played["absorbers"])
}

fn fate<'a>(played: &'a Value, victim: &str) -> &'a Value {
    played["victims"].as_array().unwrap().iter().find(|one| one["victim"] == victim).unwrap()
}

#[test]
fn what_an_operator_diverts_comes_back_by_the_tunnels_and_no_visitor_notices() {
    let _turn = turn();
    let Some(()) = able() else { return };
    let played = play(&["--by", "rules", "--seconds", "12"]);
    for phase in ["before", "diverted", "after"] {
        for victim in ["bank", "shop", "game"] {
            let share = success(&played, victim, phase);
            assert!(share >= 0.99, "{victim}, {phase}: {share}: {}", course(&played, victim));
        }
    }
    let bank = fate(&played, "bank");
    assert!(bank["returned"].as_u64().unwrap() > 200, "it went by the absorber: {bank}");
    assert_eq!((bank["filtered"].as_u64(), bank["lost"].as_u64()), (Some(0), Some(0)), "{bank}");
    assert_eq!(fate(&played, "shop")["returned"], 0, "nobody else was diverted");
}

#[test]
fn attacks_are_diverted_and_filtered_until_one_victim_has_to_be_given_up_and_all_of_it_goes_back() {
    let _turn = turn();
    let Some(()) = able() else { return };
    let played = play(&["--by", "daemon"]);
    for victim in ["bank", "shop"] {
        for phase in ["before", "diverted", "sacrificed", "after"] {
            let share = success(&played, victim, phase);
            assert!(share >= 0.99, "{victim}, {phase}: {share}: {}", course(&played, victim));
        }
        let kept = fate(&played, victim);
        assert!(kept["diverted_ms"].is_u64() && kept["filtered_ms"].is_u64(), "{kept}");
        assert!(kept["filtered"].as_u64().unwrap() > 1_000, "{kept}");
        assert!(kept["sacrificed"].is_null(), "{kept}");
        let count = |what: &str| kept[what].as_u64().unwrap();
        // While a link is full, neighbours are not found at once.
        assert!(count("lost") * 1_000 <= count("returned"), "{kept}");
    }
    let game = fate(&played, "game");
    let why = game["sacrificed"].as_str().unwrap_or_else(|| panic!("{game}"));
    assert!(why.contains("the blackhole suffices; not so "), "{why}");
    assert!(why.contains("is sacrificed (value 1 of "), "{why}");
    assert!(why.contains(" over what absorber "), "{why}");
    for absorber in played["absorbers"].as_array().unwrap() {
        assert!(absorber["most_bps"].as_f64().unwrap() <= 20e6 * 1.05, "{absorber}");
        assert_eq!(absorber["returned"], absorber["arrived"], "nothing is lost by the way back");
    }
    // Absorbers say what came, routers what was sent.
    let measured = played["measured"].as_array().unwrap();
    assert!(
        measured.iter().any(|one| one.as_str().unwrap().contains("arrive at the absorber")),
        "{played:#}"
    );
    assert!(played["back_after_ms"].is_u64());
    assert!(success(&played, "game", "after") >= 0.97);
}

#[test]
fn whoever_is_killed_while_attacks_come_and_go_nothing_outlives_its_promise_and_visitors_are_back() {
    let _turn = turn();
    let Some(()) = able() else { return };
    // A hundred instants over all phases: `spillway lab play reroute --by daemon --kills 100`. The last of these six is a router that is
    // dead for eleven seconds while a victim is given up.
    let played = play(&["--by", "daemon", "--kills", "6", "--seed", "11"]);
    let kills = played["kills"].as_array().unwrap();
    assert_eq!((kills.len(), &played["broken"]), (6, &Value::from(0)));
    let mut parts: Vec<&str> = kills.iter().map(|kill| kill["part"].as_str().unwrap()).collect();
    parts.sort_unstable();
    assert_eq!(parts, ["absorber1", "absorber2", "brain", "brain", "edge1", "edge2"]);
    for kill in kills {
        assert!(
            kill["settled_ms"].is_u64() && kill["back_ms"].as_u64().is_some_and(|ms| ms <= 10_000),
            "{kill}"
        );
        assert!(kill["requests"].as_u64().unwrap() > 0, "{kill}");
    }
}
