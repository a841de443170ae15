//! What a filter costs, in a sentence.

use serde_json::Value;

/// Of a rule of an attack.
pub(super) fn of(rule: &Value) -> String {
    let action = rule.get("action").and_then(Value::as_str).unwrap_or_default();
    let until = rule.get("expires_at").and_then(Value::as_str);
    let until = until.map_or_else(String::new, |until| format!("; its lease ends at {until}"));
    let share = |key: &str| rule.get("collateral").and_then(|price| price.get(key)?.as_f64());
    let cost = match (share("packets"), share("packets_upper95"), share("peers"), share("peers_upper95")) {
        (Some(packets), Some(packets_most), Some(peers), Some(peers_most)) => format!(
            "it is expected to hit {} of the honest packets (at most {}) and {} of the honest peers (at most {}); everybody else is spared",
            percent(packets),
            percent(packets_most),
            percent(peers),
            percent(peers_most),
        ),
        _ if action == "challenge" => {
            "whoever connects is asked to answer, and only who does not is dropped".to_owned()
        }
        _ => "its price is not known, for no honest traffic to this target was seen".to_owned(),
    };
    format!("{cost}{until}")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
