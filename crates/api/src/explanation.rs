//! `/api/v1/attacks/{id}/explanation`: why something is called an attack, what was done, what was not, and what comes next; in
//! words, and as a document.
//!
//! Made of documents that the asking one may see, so it tells a customer nothing that these would not.

mod price;
mod words;

pub use words::meaning;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use access::Permission;

use crate::attacks;
use crate::body::Part;
use crate::door::Caller;
use crate::mitigations::route;
use crate::problem::Problem;
use crate::router::Shared;
use crate::view;

/// Lines of the journal of mitigations that are looked through.
const JOURNAL_MAX: u32 = 500;

/// Why, what, and what next.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Explanation {
    /// The attack's id.
    pub attack: String,
    /// It in one or two sentences.
    pub summary: String,
    /// Its first packet, RFC 3339.
    pub started_at: Option<String>,
    /// When it was decided that this is an attack.
    pub detected_at: Option<String>,
    /// Its end; `null`: it goes on.
    pub ended_at: Option<String>,
    /// What was measured, against what, in sentences.
    pub why: Vec<String>,
    /// What it is made of.
    pub vectors: Vec<Vector>,
    /// Filters, why these, and what they do.
    pub rules: Vec<Filter>,
    /// What was done, the earliest first.
    pub steps: Vec<Step>,
    /// What was not done, and why.
    pub refused: Vec<Refused>,
    /// What comes next, in sentences.
    pub next: Vec<String>,
}

/// One vector.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[schema(as = ExplainedVector)]
pub struct Vector {
    /// As listed in the manual.
    pub name: String,
    /// Of the attack's packets, 0 to 1.
    pub share: f64,
    /// What that is, in a sentence.
    pub meaning: String,
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[schema(as = ExplainedRule)]
pub struct Filter {
    /// Its id.
    pub id: String,
    /// In the rule language.
    pub text: String,
    /// `active`, `dry-run`, `installing`, `failed`, `suggested`, `observed` or `expired`.
    pub state: String,
    /// What that state means, and why it is so.
    pub stands: String,
    /// What it costs honest traffic, and who is spared.
    pub price: String,
    /// Packets that it dropped so far, where it is in force.
    pub dropped_packets: Option<u64>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[schema(as = ExplainedStep)]
pub struct Step {
    /// RFC 3339, UTC.
    pub at: String,
    /// What happened.
    pub what: String,
    /// Who did it.
    pub by: String,
}

/// One thing that was not done.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[schema(as = ExplainedRefusal)]
pub struct Refused {
    /// What.
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// An attack in plain words: why it is one, what was done and refused, what comes next.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/explanation", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id")),
    responses((status = 200, body = Explanation), (status = 404, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
) -> Result<impl IntoResponse, Problem> {
    shared.ask(move |shared| found(shared, &caller, &id)).await.map(|(_, explanation)| Json(explanation))
}

/// An attack as this caller sees it, and explained.
pub(crate) fn found(shared: &Shared, caller: &Caller, id: &str) -> Result<(Value, Explanation), Problem> {
    let document = attacks::find(shared, caller, id)?;
    let attack: Value = serde_json::from_str(document.get()).unwrap_or_default();
    let veil = shared.veil(caller);
    let live = shared.source.live();
    let rules: Vec<Value> = live
        .rules
        .iter()
        .filter_map(|rule| view::rule(&veil, rule.get()))
        .filter(|rule: &Value| text(rule, "attack") == Some(id))
        .collect();
    let journal = if caller.actor.may(Permission::SeeNetwork) {
        // Where no routers are spoken with there is no journal, which is no fault here.
        route(shared, caller, json!({"history": {"id": null, "limit": JOURNAL_MAX}}))
            .ok()
            .and_then(|answer| answer.get("history")?.as_array().cloned())
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let explanation = explain(&attack, &rules, &journal);
    Ok((attack, explanation))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Explains an attack by its document, its rules as the list of rules has them, and lines of the journal of mitigations.
pub fn explain(attack: &Value, rules: &[Value], journal: &[Value]) -> Explanation {
    let id = text(attack, "id").unwrap_or_default().to_owned();
    let owned = |key: &str| text(attack, key).map(str::to_owned);
    let filters: Vec<Filter> = list(attack, "rules").map(|rule| filter(attack, rule, rules)).collect();
    let share = |vector: &Value| vector.get("share").and_then(Value::as_f64).unwrap_or(0.0);
    let vectors = list(attack, "vectors").map(|vector| Vector {
        name: text(vector, "name").unwrap_or_default().to_owned(),
        share: share(vector),
        meaning: meaning(text(vector, "name").unwrap_or_default()).to_owned(),
    });
    Explanation {
        summary: words::summary(attack),
        started_at: owned("started_at"),
        detected_at: owned("detected_at"),
        ended_at: owned("ended_at"),
        why: list(attack, "explain").filter_map(|line| line.as_str().map(str::to_owned)).collect(),
        vectors: vectors.collect(),
        steps: steps(attack, &id, journal),
        refused: refused(attack, &filters),
        next: next(attack, &filters),
        rules: filters,
        attack: id,
    }
}

fn filter(attack: &Value, rule: &Value, live: &[Value]) -> Filter {
    let id = text(rule, "id").unwrap_or_default();
    let now = live.iter().find(|one| text(one, "id") == Some(id));
    let of = |key: &str| now.and_then(|now| text(now, key)).or_else(|| text(rule, key));
    let over = text(attack, "state") == Some("over");
    let state = if over { "expired" } else { of("state").unwrap_or("suggested") };
    Filter {
        id: id.to_owned(),
        text: text(rule, "text").unwrap_or_default().to_owned(),
        state: state.to_owned(),
        stands: words::stands(state, of("reason"), of("backend")),
        price: price::of(rule),
        dropped_packets: now.and_then(|now| now.get("dropped_packets")?.as_u64()),
    }
}

/// What the journal tells of an attack, among what its own document tells.
fn steps(attack: &Value, id: &str, journal: &[Value]) -> Vec<Step> {
    let step = |at: &str, what: String, by: &str| Step { at: at.to_owned(), what, by: by.to_owned() };
    let mut steps = Vec::new();
    if let Some(at) = text(attack, "started_at") {
        steps.push(step(at, "the first packet of it".to_owned(), "the attacker"));
    }
    if let Some(at) = text(attack, "detected_at") {
        let count = list(attack, "rules").count();
        let derived = if count == 0 {
            String::new()
        } else {
            format!(", and {} derived", words::count(count, "filter"))
        };
        steps.push(step(at, format!("it was called {}{derived}", words::called(attack)), "spillway"));
    }
    for one in list(attack, "withdrawn") {
        let (rule, reason) = (text(one, "text").unwrap_or_default(), text(one, "reason").unwrap_or_default());
        steps.push(step(
            text(one, "at").unwrap_or_default(),
            format!("the filter `{rule}` was taken back: {reason}"),
            "spillway",
        ));
    }
    let numbers: Vec<u64> = ["mitigations", "proposals"]
        .iter()
        .filter_map(|key| attack.get("mitigation")?.get(key)?.as_array())
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    for line in journal {
        let reason = text(line, "reason").unwrap_or_default();
        let number = line.get("mitigation").and_then(Value::as_u64);
        if id.is_empty() || !(reason.contains(id) || number.is_some_and(|number| numbers.contains(&number))) {
            continue;
        }
        let (event, what) = (text(line, "event").unwrap_or_default(), text(line, "what").unwrap_or_default());
        let number = number.map(|number| format!(" {number}")).unwrap_or_default();
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let what = format!("mitigation{number} {event} {what}{reason}");
        steps.push(step(
            text(line, "at").unwrap_or_default(),
            what,
            text(line, "actor").unwrap_or("spillway"),
        ));
    }
    if let Some(at) = text(attack, "ended_at") {
        steps.push(step(at, "it was over: nothing of it came any more".to_owned(), "spillway"));
    }
    // RFC 3339 in UTC with nanoseconds: the order of the text is that of the time.
    steps.sort_by(|a, b| a.at.cmp(&b.at));
    steps
}

fn refused(attack: &Value, filters: &[Filter]) -> Vec<Refused> {
    let mut all = Vec::new();
    for one in filters.iter().filter(|one| matches!(one.state.as_str(), "failed" | "suggested" | "observed"))
    {
        all.push(Refused {
            what: format!("the filter `{}` does not act", one.text),
            reason: one.stands.clone(),
        });
    }
    let ladder = attack.get("mitigation");
    for one in ladder.into_iter().flat_map(|ladder| list(ladder, "rejected")) {
        let step = text(one, "step")
            .map_or_else(|| one.get("step").map(ToString::to_string).unwrap_or_default(), str::to_owned);
        let reason = text(one, "reason").unwrap_or_default().to_owned();
        all.push(Refused { what: format!("the step {step}"), reason });
    }
    for why in ladder.into_iter().flat_map(|ladder| list(ladder, "refused")) {
        all.push(Refused {
            what: "an announcement".to_owned(),
            reason: why.as_str().unwrap_or_default().to_owned(),
        });
    }
    if attack.get("doubtful").and_then(Value::as_bool) == Some(true) {
        let reason = "most of it was told by exporters whose own counters belie them".to_owned();
        all.push(Refused { what: "anything automatic".to_owned(), reason });
    }
    all
}

fn next(attack: &Value, filters: &[Filter]) -> Vec<String> {
    let mut next = Vec::new();
    if text(attack, "state") == Some("over") {
        next.push("Nothing: it is over, and its filters have ended with their leases.".to_owned());
        return next;
    }
    let any = |state: &str| filters.iter().any(|one| one.state == state);
    if text(attack, "severity") == Some("suspicious") {
        next.push("It is watched: what is only suspicious gets no filter that acts.".to_owned());
    }
    if any("active") {
        next.push(
            "Filters in force are renewed while it goes on, and end by themselves with their leases."
                .to_owned(),
        );
    }
    if any("installing") {
        next.push("Filters are being put into the kernel.".to_owned());
    }
    if any("failed") {
        next.push("The kernel is asked again; `spillway doctor` says what stands in the way.".to_owned());
    }
    if any("suggested") {
        next.push("A person decides about the filters that are only suggested.".to_owned());
    }
    if any("observed") {
        next.push("Nothing acts in observe mode; `mode = \"suggest\"` or \"enforce\" in the configuration changes that.".to_owned());
    }
    if let Some(ladder) = attack.get("mitigation") {
        if ladder.get("needs_person").and_then(Value::as_bool) == Some(true)
            && ladder.get("wanted").is_some_and(|wanted| !wanted.is_null())
        {
            next.push(
                "A person has to agree to the next step: `spillway route list` shows what is proposed."
                    .to_owned(),
            );
        }
        next.extend(text(ladder, "reason").map(|reason| format!("About routes: {reason}.")));
    }
    next.push("It ends when nothing of it has come for 60 seconds.".to_owned());
    next
}
