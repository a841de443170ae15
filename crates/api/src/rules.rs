//! `/api/v1/rules`: filters whose lease runs, and a look at one before it is used.

use ::rules::compile::{flowspec, nftables};
use ::rules::{Rule, parse};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::attacks::Page;
use crate::body::Document;
use crate::door::Caller;
use crate::model::RulePage;
use crate::problem::Problem;
use crate::router::Shared;
use crate::view;
use crate::words::RuleText;

/// Rules whose lease runs. A customer sees those for its own prefixes.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules", responses((status = 200, body = RulePage)))]
pub(crate) async fn list(State(shared): State<Shared>, caller: Caller) -> impl IntoResponse {
    let (all, veil) = (shared.source.live().rules.clone(), shared.veil(&caller));
    if veil.is_clear() {
        return Json(Page::whole(all));
    }
    let own = all.iter().filter_map(|rule| view::rule(&veil, rule.get()));
    Json(Page::whole(own.filter_map(|rule| RawValue::from_string(rule.to_string()).ok()).collect()))
}

/// Rules that are only looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// One rule a line, as `spillway rules` reads them.
    rules: RuleText,
}

/// A rule as it was understood.
#[derive(Serialize, ToSchema)]
pub(crate) struct Understood {
    /// Its id.
    id: String,
    /// In the rule language, in its one spelling.
    text: String,
    /// What it does.
    action: String,
    /// Active rules whose matches are the same.
    same_as: Vec<String>,
}

/// What rules mean, and how others would be told.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checked {
    /// In the order of precedence as given.
    rules: Vec<Understood>,
    /// A complete file for `nft -f`; what it cannot say is a comment with the reason.
    nftables: String,
    /// A line for each rule and address family, as `spillway rules compile --to flowspec-hex` prints it.
    #[schema(value_type = Vec<Object>)]
    flowspec: Vec<serde_json::Value>,
}

/// Look at rules before they are used: what they mean, and whether nftables and FlowSpec can say them. Changes nothing.
#[utoipa::path(post, path = "/api/v1/rules/check", tag = "rules", request_body = Draft, responses((status = 200, body = Checked)))]
pub(crate) async fn check(
    State(shared): State<Shared>,
    Document(draft): Document<Draft>,
) -> Result<Json<Checked>, Problem> {
    let work = move |shared: &Shared| {
        let parsed = parse::rules(&draft.rules.0).map_err(|wrong| {
            let shown: Vec<String> = wrong.iter().take(20).map(ToString::to_string).collect();
            Problem::new(StatusCode::CONFLICT, shown.join("; "), "`spillway rules --help` shows the language")
        })?;
        let active = shared.source.live().rules.clone();
        let active: Vec<(String, Rule)> = active.iter().filter_map(|rule| known(rule.get())).collect();
        let understood = parsed.iter().map(|rule| Understood {
            id: rule.id.clone(),
            text: rule.to_string(),
            action: rule.action.as_str().to_owned(),
            same_as: active
                .iter()
                .filter(|(_, other)| other.matches == rule.matches)
                .map(|(id, _)| id.clone())
                .collect(),
        });
        let lines = flowspec::lines(&parsed);
        Ok(Json(Checked {
            rules: understood.collect(),
            nftables: nftables::file(&parsed),
            flowspec: lines.iter().filter_map(|line| serde_json::to_value(line).ok()).collect(),
        }))
    };
    shared.ask(work).await
}

/// A rule of the list, read again.
fn known(document: &str) -> Option<(String, Rule)> {
    let document: crate::model::Rule = serde_json::from_str(document).ok()?;
    let rule = parse::rules(&document.text).ok()?.into_iter().next()?;
    Some((document.id, rule))
}
