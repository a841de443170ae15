//! `/api/v1/doctor`: what is wrong, why it matters and what cures it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::router::Shared;

/// How bad something is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// It is as it should be.
    Ok,
    /// It is worth to be known.
    Note,
    /// Something is lost, or will be.
    Warning,
    /// Something does not work.
    Error,
}

impl Gravity {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Finding {
    /// Name of the check; stays the same.
    pub check: String,
    /// How bad it is.
    pub severity: Gravity,
    /// What it is about: an exporter, a listener, a peer, a path; `null`: all of it.
    pub about: Option<String>,
    /// What is so, in a sentence.
    pub what: String,
    /// Why it matters.
    pub why: Option<String>,
    /// The command or setting that cures it.
    pub cure: Option<String>,
}

impl Finding {
    /// What is so.
    pub fn new(check: &str, severity: Gravity, what: impl Into<String>) -> Self {
        Self { check: check.to_owned(), severity, about: None, what: what.into(), why: None, cure: None }
    }

    /// Of this.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    /// Which matters for this reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Which this cures.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// All that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Diagnosis {
    /// The worst first.
    pub items: Vec<Finding>,
    /// Errors among them.
    pub errors: u64,
    /// Warnings among them.
    pub warnings: u64,
    /// Always `null`: one page.
    pub next: Option<String>,
}

impl Diagnosis {
    /// The worst first, what is equally bad in the order given.
    pub fn of(mut items: Vec<Finding>) -> Self {
        items.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let count = |gravity| items.iter().filter(|finding| finding.severity == gravity).count() as u64;
        let (errors, warnings) = (count(Gravity::Error), count(Gravity::Warning));
        Self { items, errors, warnings, next: None }
    }
}

/// What is wrong with the daemon and around it, and how to mend it.
#[utoipa::path(
    get, path = "/api/v1/doctor", tag = "health",
    responses((status = 200, body = Diagnosis), (status = 409, body = Problem, content_type = "application/problem+json")),
)]
pub(crate) async fn doctor(State(shared): State<Shared>) -> Result<Json<Diagnosis>, Problem> {
    shared.ask(|shared| Ok(Json(Diagnosis::of(shared.operate.doctor())))).await
}
