//! A person ends what the engine wanted: it is not announced again for a while.

use serde_json::Value;
use steer::book::{Actor, Stage};

use super::Clerk;
use crate::routing::auto::destination;
use crate::routing::order::Caller;

impl Clerk {
    /// Makes the exception; `None`: it was no announcement of the engine, no person asks, or nothing can be written down, which
    /// keeps nobody from withdrawing.
    pub(super) fn take_back(&self, caller: &Caller, id: u64, reason: &str) -> Option<Value> {
        let Caller::Person(name) = caller else { return None };
        let one = self.book.get(id)?;
        if one.wish.actor != Actor::Engine || matches!(one.stage, Stage::Proposed(_)) {
            return None;
        }
        let (target, class) = (destination(&one.wish.what)?, one.wish.what.class().as_str());
        let announced = target.to_string();
        match self.policy.step_back(name, (target, class), announced, None, reason) {
            Ok(exception) => Some(exception),
            Err(why) => {
                tracing::warn!(mitigation = id, why, "no exception is made of what was withdrawn");
                None
            }
        }
    }
}
