//! Everything that changes something goes this way: it stands in the audit trail before it is done, what came of it stands there
//! after, and both are in the ledger.

use access::{Deed, Outcome};
use axum::http::StatusCode;
use base::Prefix;
use serde_json::{Value, json};

use crate::door::Caller;
use crate::operate::Noted;
use crate::problem::Problem;
use crate::router::Shared;

/// What is about to be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// `mitigation.announce` and the like.
    pub(crate) action: &'static str,
    /// To what.
    pub(crate) object: String,
    /// Why.
    pub(crate) reason: String,
    /// What was.
    pub(crate) before: Option<Value>,
    /// Whose it is, by this.
    pub(crate) about: Option<Prefix>,
    /// It is done even where nothing can be written down: what ends a measure waits for no disk.
    pub(crate) urgent: bool,
}

impl Shared {
    /// Does it. `act` gives the answer and what is now, which is written down; nothing secret may stand there.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        caller: &Caller,
        change: Change,
        act: impl FnOnce(&Self) -> Result<(T, Option<Value>), Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (shared, caller) = (self.clone(), caller.clone());
        beside(move || shared.change_now(&caller, change, act)).await
    }

    fn change_now<T>(
        &self,
        caller: &Caller,
        change: Change,
        act: impl FnOnce(&Self) -> Result<(T, Option<Value>), Problem>,
    ) -> Result<T, Problem> {
        let deed = Deed {
            address: caller.address.to_string(),
            action: change.action.to_owned(),
            object: change.object.clone(),
            reason: change.reason.clone(),
            before: change.before.as_ref().map(Value::to_string),
        };
        let number = match self.access.about_to(&caller.actor, &deed, self.now()) {
            Ok(number) => Some(number),
            Err(_) if change.urgent => None,
            Err(error) => return Err(Problem::access(&error)),
        };
        let done = act(self);
        let now = self.now();
        let (said, after) = match &done {
            Ok((_, after)) => (None, after.clone()),
            Err(problem) => (Some(problem.detail().to_owned()), None),
        };
        if let Some(number) = number {
            let after = after.as_ref().map(Value::to_string);
            let outcome = Outcome { at: now, done: done.is_ok(), said: said.clone(), after };
            if self.access.came_of(number, &outcome).is_err() {
                self.counts.unwritten.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        } else {
            self.counts.unwritten.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let content = json!({
            "audit": number, "actor": caller.actor.name, "role": caller.actor.role(), "via": caller.actor.via.name(),
            "action": change.action, "object": change.object, "reason": change.reason, "before": change.before,
            "after": after, "refused": said,
        });
        self.operate.note(Noted { at: now, about: change.about, content, done: done.is_ok() });
        done.map(|(answer, _)| answer)
    }

    /// Asks for something that may take a while and changes nothing.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = self.clone();
        beside(move || ask(&shared)).await
    }
}

/// Beside the server's thread, which must not wait.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let hint = "look at the daemon's log; the audit trail has what was asked";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this broke while it was done", hint))
    })
}
