//! What stood before something was decided, for the audit trail.

use base::Prefix;
use serde_json::{Value, json};

use super::desk::Live;
use super::order::Order;
use super::show;
use super::values::mode_name;
use super::view::View;

/// What an order is about, as it stands; `null`: there was nothing, or the order changes nothing.
pub(super) fn document(view: &View, live: &[Live], active: &[(String, Prefix)], order: &Order) -> Value {
    match order {
        Order::Mode { prefix, .. } => view.values(prefix).mode.document(|mode| mode_name(*mode).into()),
        Order::General { .. } => view.general().document(|mode| mode_name(*mode).into()),
        Order::Panic { .. } | Order::Resume { .. } => {
            json!({"mode": mode_name(view.general().value), "panic": view.panic().map(show::held)})
        }
        Order::Disallow { id, .. } | Order::EndException { id, .. } => {
            let held = view.book.get(*id).filter(|held| held.holds(view.now));
            held.map_or(Value::Null, show::held)
        }
        Order::Close { attack, .. } => {
            let known = active.iter().find(|(id, _)| id == attack);
            known.map_or(Value::Null, |(id, target)| json!({"attack": id, "target": target, "active": true}))
        }
        Order::ExtendRule { id, .. } | Order::ConfirmRule { id, .. } | Order::TakeBack { rule: id, .. } => {
            let is = |one: &Value| one.get("rule").and_then(Value::as_str) == Some(id);
            show::rules(view, live).into_iter().find(is).unwrap_or_default()
        }
        Order::Show { .. }
        | Order::Targets
        | Order::Profiles
        | Order::Stance
        | Order::Allowed { .. }
        | Order::Allow(_)
        | Order::Note { .. }
        | Order::Exceptions
        | Order::Rules
        | Order::MakeRule(_)
        | Order::Before(_) => Value::Null,
    }
}
