//! What an order changes: one list, for the reason that it has to give and for the audit trail.

use super::Order;

/// Of one order.
pub(crate) struct Change<'a> {
    /// As the audit trail and the API name it.
    pub(crate) action: &'static str,
    /// What it is done to.
    pub(crate) object: String,
    /// Why.
    pub(crate) reason: &'a str,
    /// It is done even where nothing can be written down: what ends a measure waits for no disk.
    pub(crate) urgent: bool,
}

impl Order {
    /// What it changes; `None`: nothing.
    pub(crate) fn change(&self) -> Option<Change<'_>> {
        let on = |action, object: &str, reason| Change {
            action,
            object: object.to_owned(),
            reason,
            urgent: false,
        };
        let of = |action, id: &u64, reason| on(action, &id.to_string(), reason);
        let urgent = |change| Change { urgent: true, ..change };
        Some(match self {
            Self::Peers
            | Self::Absorbers
            | Self::Plan
            | Self::Playbook
            | Self::Status
            | Self::Origin { .. }
            | Self::List
            | Self::History { .. }
            | Self::DrillProgress { .. }
            | Self::DrillList => return None,
            Self::Announce(wanted) if wanted.dry_run => return None,
            Self::Announce(wanted) => on("mitigation.announce", &wanted.what, wanted.reason.as_str()),
            Self::Withdraw { id, reason } => urgent(of("mitigation.withdraw", id, reason.as_str())),
            Self::Reject { id, reason } => urgent(of("mitigation.reject", id, reason)),
            Self::Approve { id, reason } => of("mitigation.approve", id, reason),
            Self::Renew { id, reason, .. } => of("mitigation.renew", id, reason),
            Self::Confirm { id, reason } => of("mitigation.confirm", id, reason),
            Self::Release { id, reason, .. } => of("mitigation.release", id, reason),
            Self::Drill(drills) if drills.peers.is_empty() => {
                on("drill.run", "all neighbours", &drills.reason)
            }
            Self::Drill(drills) => on("drill.run", &drills.peers.join(", "), &drills.reason),
            Self::DrillStop { reason } => urgent(on("drill.stop", "all neighbours", reason)),
            Self::Panic { reason } => urgent(on("panic", "everything", reason)),
            Self::Resume { reason } => on("resume", "everything", reason),
        })
    }
}
