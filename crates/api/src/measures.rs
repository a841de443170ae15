//! `/api/v1/attacks/{id}/measures`: what was cut of an attack, by whom and how long; also when it is over.
//!
//! What this machine counted comes from its rules, as the core or the store has them; what routers and absorbers were told comes from
//! the journal of mitigations. A customer is told of its own prefixes, and not who, why or at which neighbours.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use base::Prefix;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::attacks;
use crate::body::Part;
use crate::door::Caller;
use crate::mitigations::route;
use crate::problem::Problem;
use crate::router::Shared;
use crate::veil::Veil;
use crate::view;

/// Lines of the journal of mitigations that are looked through.
const JOURNAL_MAX: usize = 500;

/// One thing that was done about an attack's packets.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Measure {
    /// `kernel`: this machine filters; else `flowspec`, `diversion` or `blackhole`, by routers.
    class: String,
    /// A rule, or a prefix.
    what: String,
    /// `waits` for a person, `holds`, or `ended`.
    state: &'static str,
    /// Since when, RFC 3339, UTC; `null`: nobody noted it.
    from: Option<String>,
    /// Until when; `null`: it holds, or nobody noted it.
    to: Option<String>,
    /// Packets that it dropped, or would have in a dry run; `null`: nobody counts them, as routers do not.
    dropped_packets: Option<u64>,
    /// It only counted.
    dry: bool,
}

/// What was cut.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Measures {
    /// The earliest first; those of this machine before others.
    items: Vec<Measure>,
    /// Packets that were counted to the attack: what arrives where it is counted.
    packets: u64,
    /// Whether all that routers were told could be looked through: the latest 500 lines of the journal reach back to its first packet.
    complete: bool,
}

/// What was cut of an attack, by this machine and by routers, also when it is over.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/measures", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id")),
    responses((status = 200, body = Measures), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
) -> Result<Json<Measures>, Problem> {
    let work = move |shared: &Shared| {
        let document = attacks::find(shared, &caller, &id)?;
        let attack: Value = serde_json::from_str(document.get()).unwrap_or_default();
        let veil = shared.veil(&caller);
        let mut items = here(shared, &veil, &attack, &id)?;
        // where no routers are spoken with there is no journal, which is no fault here
        let told = route(shared, &caller, json!({"history": {"id": null, "limit": JOURNAL_MAX}})).ok();
        let lines = told.as_ref().and_then(|told| told.get("history")?.as_array());
        let lines = lines.map(Vec::as_slice).unwrap_or_default();
        items.extend(elsewhere(&veil, &attack, &id, lines));
        let oldest = lines.last().and_then(|line| text(line, "at"));
        let complete = lines.len() < JOURNAL_MAX || oldest < text(&attack, "started_at");
        let packets = attack.get("packets").and_then(Value::as_u64).unwrap_or_default();
        Ok(Json(Measures { items, packets, complete }))
    };
    shared.ask(work).await
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// Rules that this machine had or has; what the core says of one is newer than what was stored.
fn here(shared: &Shared, veil: &Veil, attack: &Value, id: &str) -> Result<Vec<Measure>, Problem> {
    let stored = shared.history(|reader| reader.rules_of(id)).map_err(|e| Problem::store(&e))?;
    let live = shared.source.live();
    let mut rules: BTreeMap<String, (Value, bool)> = BTreeMap::new();
    let all = stored.iter().map(|document| (document.as_str(), false));
    for (document, is_live) in all.chain(live.rules.iter().map(|rule| (rule.get(), true))) {
        let Some(rule) = view::rule(veil, document).filter(|rule: &Value| text(rule, "attack") == Some(id))
        else {
            continue;
        };
        let acts = rule.get("dropped_packets").is_some_and(Value::is_u64);
        if let (true, Some(name)) = (acts, text(&rule, "id")) {
            rules.insert(name.to_owned(), (rule, is_live));
        }
    }
    let over = text(attack, "state") == Some("over");
    let measure = |(rule, is_live): (Value, bool)| Measure {
        class: "kernel".to_owned(),
        what: text(&rule, "text").unwrap_or_default().to_owned(),
        state: if is_live && !over { "holds" } else { "ended" },
        from: None,
        to: text(attack, "ended_at").map(str::to_owned),
        dropped_packets: rule.get("dropped_packets").and_then(Value::as_u64),
        dry: text(&rule, "state") == Some("dry-run") || rule.get("dry") == Some(&Value::Bool(true)),
    };
    Ok(rules.into_values().map(measure).collect())
}

/// What routers were told, by lines of the journal, the newest first.
fn elsewhere(veil: &Veil, attack: &Value, id: &str, lines: &[Value]) -> Vec<Measure> {
    let targets = attack.get("targets").and_then(Value::as_array).into_iter().flatten();
    let targets: Vec<Prefix> = targets.filter_map(|target| target.as_str()?.parse().ok()).collect();
    let began = text(attack, "started_at").unwrap_or_default();
    let ended = text(attack, "ended_at");
    let mut found: BTreeMap<u64, Measure> = BTreeMap::new();
    for line in lines.iter().rev() {
        let Some(number) = line.get("mitigation").and_then(Value::as_u64) else { continue };
        let at = text(line, "at").unwrap_or_default();
        match text(line, "event") {
            Some("proposed") => {
                let said = text(line, "what").unwrap_or_default();
                let Some((class, rest)) = said.split_once(' ') else { continue };
                // behind it stands at which neighbours
                let what = rest.split_once(" at ").map_or(rest, |(what, _)| what);
                let Some(about) = view::subject(what) else { continue };
                let reason = text(line, "reason").unwrap_or_default();
                // what the engine did says for which attack; a person's word is taken by its target and its time
                let of_engine = reason.starts_with("attack ");
                let near = |target: &Prefix| target.covers(&about) || about.covers(target);
                let meant = targets.iter().any(near) && at >= began && ended.is_none_or(|ended| at <= ended);
                let ours = if of_engine { !id.is_empty() && reason.contains(id) } else { meant };
                let seen = veil.is_clear() || (veil.sees(&about) && !veil.hides(what));
                if ours && seen {
                    let measure = Measure {
                        class: class.to_owned(),
                        what: what.to_owned(),
                        state: "waits",
                        from: None,
                        to: None,
                        dropped_packets: None,
                        dry: false,
                    };
                    found.insert(number, measure);
                }
            }
            Some("started") => {
                if let Some(one) = found.get_mut(&number) {
                    one.state = "holds";
                    one.from.get_or_insert_with(|| at.to_owned());
                }
            }
            Some("ended") => {
                if let Some(one) = found.get_mut(&number) {
                    one.state = "ended";
                    one.to = Some(at.to_owned());
                }
            }
            _ => {}
        }
    }
    // what ended before it began cut nothing
    found.into_values().filter(|one| one.state != "ended" || one.from.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64, at: &str, event: &str, what: &str, reason: &str) -> Value {
        json!({"mitigation": number, "at": at, "event": event, "what": what, "reason": reason, "actor": "olga"})
    }

    fn seen_by(veil: &Veil) -> Vec<(String, &'static str, Option<String>, Option<String>)> {
        let attack = json!({"targets": ["198.51.100.7/32", "2001:db8::7/128"], "started_at": "2026-11-26T10:00:00Z", "ended_at": "2026-11-26T11:00:00Z"});
        let rule = "flowspec r1 @1000 dst 198.51.100.7/32 proto udp -> drop for 15m at border, core";
        let mut lines = [
            line(1, "2026-11-26T10:00:01Z", "proposed", rule, "attack abc: it suffices"),
            line(1, "2026-11-26T10:00:01Z", "started", "until …", "attack abc: it suffices"),
            // another attack's, a person's within its time, one that nobody agreed to, and a person's of the day before
            line(2, "2026-11-26T10:00:02Z", "proposed", &rule.replace("r1", "r2"), "attack def: it suffices"),
            line(3, "2026-11-26T10:05:00Z", "proposed", "blackhole 2001:db8::7/128 at border", "ticket 7"),
            line(3, "2026-11-26T10:06:00Z", "started", "until …", ""),
            line(4, "2026-11-26T10:07:00Z", "proposed", "diversion 198.51.100.0/24 at border", "ticket 8"),
            line(4, "2026-11-26T10:08:00Z", "ended", "", "rejected"),
            line(5, "2026-11-25T10:07:00Z", "proposed", "blackhole 198.51.100.7/32 at border", "ticket 1"),
            line(1, "2026-11-26T11:05:00Z", "ended", "", "the attack is over"),
        ];
        lines.reverse();
        let found = elsewhere(veil, &attack, "abc", &lines);
        found
            .into_iter()
            .map(|one| (format!("{} {}", one.class, one.what), one.state, one.from, one.to))
            .collect()
    }

    #[test]
    fn what_routers_were_told_of_an_attack_is_known_after_it_without_names_of_neighbours() {
        let all = seen_by(&Veil::new(Vec::new(), access::Scope::everything()));
        let time = |text: &str| Some(text.to_owned());
        let expected = [
            (
                "flowspec r1 @1000 dst 198.51.100.7/32 proto udp -> drop for 15m".to_owned(),
                "ended",
                time("2026-11-26T10:00:01Z"),
                time("2026-11-26T11:05:00Z"),
            ),
            ("blackhole 2001:db8::7/128".to_owned(), "holds", time("2026-11-26T10:06:00Z"), None),
        ];
        assert_eq!(all, expected);
        // who sees one family alone is told of that
        let networks = ["198.51.100.0/24", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let own =
            seen_by(&Veil::new(networks.into(), access::Scope::of(vec!["2001:db8::/64".parse().unwrap()])));
        assert_eq!(own, expected[1..]);
    }
}
