//! Orders through the socket that change something: each stands in the audit trail before it is done, what came of it stands there
//! after, and both are in the ledger, as for what is asked over the API.

use ::ledger::entry::{Act, By};
use access::{Access, Actor, Outcome, Role, Via};
use base::Prefix;
use serde_json::{Value, json};

use super::clock::Clock;
use super::routes::Routes;
use crate::ledger::Deed;
use crate::routing::order::{self, Caller, Order};
use crate::{dns, policy};

/// The longest object, in characters, as over the API.
const OBJECT_MAX: usize = 512;

/// What is about to be done.
pub(super) struct Asked {
    action: &'static str,
    object: String,
    reason: String,
    before: Option<Value>,
    about: Option<Prefix>,
    /// It is done even where nothing can be written down: what ends a measure waits for no disk.
    urgent: bool,
}

impl Asked {
    pub(super) fn new(action: &'static str, object: &str, reason: &str) -> Self {
        let object = object.chars().take(OBJECT_MAX).collect();
        Self { action, object, reason: reason.to_owned(), before: None, about: None, urgent: false }
    }

    pub(super) fn urgent(self) -> Self {
        Self { urgent: true, ..self }
    }

    /// What was.
    pub(super) fn after(self, before: Value) -> Self {
        Self { before: Some(before).filter(|before| !before.is_null()), ..self }
    }
}

/// Asks the desk for what holds for whom.
///
/// # Errors
/// Why it was not done.
pub(super) fn decide(
    routes: &Routes,
    access: &Access,
    who: &str,
    order: policy::Order,
) -> Result<Value, String> {
    let Some(reason) = order.reason().map(str::to_owned) else { return routes.policy.take(who, order) };
    let (action, object) = order.deed();
    let before = Some(routes.policy.before(&order)).filter(|before| !before.is_null());
    let asked = Asked { before, about: order.about(), ..Asked::new(action, &object, &reason) };
    audited(routes, access, who, asked, || {
        let answer = routes.policy.take(who, order)?;
        Ok((answer.clone(), answer))
    })
}

/// Asks the desk for routes.
///
/// # Errors
/// Why it was not done.
pub(super) fn route(
    routes: &Routes,
    access: &Access,
    caller: &Caller,
    order: Order,
) -> Result<order::Answer, String> {
    let Some(change) = order.change() else { return routes.ask(caller.clone(), order) };
    let mut asked = Asked::new(change.action, &change.object, change.reason);
    asked.urgent = change.urgent;
    if let Order::Announce(wanted) = &order {
        asked.about = api::subject(&wanted.what);
    }
    if matches!(order, Order::Panic { .. } | Order::Resume { .. }) {
        asked.before = routes.policy.take(&caller.name(), policy::Order::Stance).ok();
    }
    // the same desk does it afterwards: to look costs nobody another wait
    if let Some(id) = mitigation(&order) {
        asked.before = standing(routes, caller, id);
        let what = asked.before.as_ref().and_then(|one| one.get("what"));
        asked.about = what.and_then(Value::as_str).and_then(api::subject);
    }
    audited(routes, access, &caller.name(), asked, || {
        let answer = routes.ask(caller.clone(), order)?;
        let after = match &answer {
            order::Answer::One(one) => serde_json::to_value(one),
            other => serde_json::to_value(other),
        };
        Ok((answer, after.unwrap_or_default()))
    })
}

/// Which mitigation an order is about.
const fn mitigation(order: &Order) -> Option<u64> {
    match order {
        Order::Approve { id, .. }
        | Order::Renew { id, .. }
        | Order::Confirm { id, .. }
        | Order::Withdraw { id, .. }
        | Order::Reject { id, .. }
        | Order::Release { id, .. } => Some(*id),
        _ => None,
    }
}

/// A mitigation as it is now.
fn standing(routes: &Routes, caller: &Caller, id: u64) -> Option<Value> {
    let order::Answer::List { mitigations, .. } = routes.ask(caller.clone(), Order::List).ok()? else {
        return None;
    };
    let one = mitigations.into_iter().find(|one| one.id == Some(id))?;
    serde_json::to_value(one).ok()
}

/// Asks the desk for names.
///
/// # Errors
/// Why it was not done.
pub(super) fn names(
    routes: &Routes,
    access: &Access,
    caller: &Caller,
    order: dns::order::Order,
) -> Result<dns::order::Answer, String> {
    let asked = match &order {
        dns::order::Order::Status | dns::order::Order::History { .. } => {
            return routes.names.ask(caller.clone(), order);
        }
        dns::order::Order::Divert { name, reason, .. } => {
            Asked { before: addressed(routes, caller, name), ..Asked::new("dns.divert", name, reason) }
        }
        dns::order::Order::Restore { name, reason } => Asked::new("dns.restore", name, reason).urgent(),
    };
    audited(routes, access, &caller.name(), asked, || {
        let answer = routes.names.ask(caller.clone(), order)?;
        let after = match &answer {
            dns::order::Answer::One(one) => serde_json::to_value(one),
            other => serde_json::to_value(other),
        };
        Ok((answer, after.unwrap_or_default()))
    })
}

/// A name as it is now, by what was seen last.
fn addressed(routes: &Routes, caller: &Caller, name: &str) -> Option<Value> {
    let status = routes.names.ask(caller.clone(), dns::order::Order::Status).ok()?;
    let dns::order::Answer::Names(all) = status else { return None };
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let one = all.into_iter().find(|one| bare(&one.name) == bare(name))?;
    serde_json::to_value(one).ok()
}

/// Does something that is written down before and after. `act` gives the answer, and what is now.
pub(super) fn audited<T>(
    routes: &Routes,
    access: &Access,
    who: &str,
    asked: Asked,
    act: impl FnOnce() -> Result<(T, Value), String>,
) -> Result<T, String> {
    let Asked { action, object, reason, before, about, urgent } = asked;
    order::fits(&reason)?;
    // whoever may open the socket may do everything
    let actor = Actor::new(who.to_owned(), Via::Local, Role::Admin, Vec::new());
    let deed = access::Deed {
        address: "local".to_owned(),
        action: action.to_owned(),
        object: object.clone(),
        reason: reason.clone(),
        before: before.as_ref().map(Value::to_string),
    };
    let now = || Clock::start().now();
    let number = match access.about_to(&actor, &deed, now()) {
        Ok(number) => Some(number),
        Err(cause) if urgent => {
            tracing::error!(%cause, action, "it is missing in the audit trail");
            None
        }
        Err(why) => return Err(format!("the audit trail cannot be written, so nothing is done: {why}")),
    };
    let done = act();
    let (said, after) = match &done {
        Ok((_, after)) => (None, Some(after)),
        Err(why) => (Some(why.clone()), None),
    };
    let outcome =
        Outcome { at: now(), done: done.is_ok(), said: said.clone(), after: after.map(Value::to_string) };
    if let Some(number) = number
        && let Err(cause) = access.came_of(number, &outcome)
    {
        tracing::error!(%cause, number, "what came of it is missing in the audit trail");
    }
    let content = json!({
        "audit": number, "actor": who, "via": "local", "action": action, "object": object, "reason": reason,
        "before": before, "after": after, "refused": said,
    });
    let counts = [("done".to_owned(), u64::from(done.is_ok()))].into();
    routes.pen.write(Deed { at: now(), act: Act::Operation, by: By::Person, about, content, counts });
    done.map(|(answer, _)| answer)
}
