//! A rule of the running system: it has an owner, a reason and an end, or it does not exist.

use alloc::string::String;

use base::{Span, Timestamp};

use crate::rule::Rule;

/// The longest lease without a renewal: a day.
pub const LEASE_MAX: Span = Span::from_secs(86_400);

/// Why a rule exists, for whom, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    owner: String,
    reason: String,
    from: Timestamp,
    until: Timestamp,
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Nobody would answer for the rule.
    #[error("a rule needs an owner; name the person or the attack it belongs to")]
    Owner,
    /// Nobody would know what it is for.
    #[error("a rule needs a reason; say what it is for")]
    Reason,
    /// It would never act.
    #[error("a lease ends after it begins; give it a length like 15m")]
    Empty,
    /// It would outlive attention.
    #[error("a lease holds for at most {}; renew it instead", LEASE_MAX)]
    Long,
}

impl Lease {
    /// From now for a while.
    pub fn new(
        owner: impl Into<String>,
        reason: impl Into<String>,
        from: Timestamp,
        length: Span,
    ) -> Result<Self, LeaseError> {
        let (owner, reason) = (owner.into(), reason.into());
        if owner.trim().is_empty() {
            return Err(LeaseError::Owner);
        }
        if reason.trim().is_empty() {
            return Err(LeaseError::Reason);
        }
        let until = ending(from, length)?;
        Ok(Self { owner, reason, from, until })
    }

    /// The same lease with its end so long after `now`; never earlier than it was.
    pub fn renew(&mut self, now: Timestamp, length: Span) -> Result<(), LeaseError> {
        self.until = self.until.max(ending(now, length)?);
        Ok(())
    }

    /// Who answers for it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What it is for.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// When it begins.
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// When it ends.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether it holds at `now`: from its first instant to the one before its end.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

fn ending(from: Timestamp, length: Span) -> Result<Timestamp, LeaseError> {
    if length > LEASE_MAX {
        return Err(LeaseError::Long);
    }
    let until = from.plus(length);
    if until > from { Ok(until) } else { Err(LeaseError::Empty) }
}

/// A rule and its lease: the only kind of rule the running system takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Leased {
    rule: Rule,
    lease: Lease,
}

impl Leased {
    /// Binds a rule to its lease; the rule's own length gives way to it.
    pub fn new(mut rule: Rule, lease: Lease) -> Self {
        rule.lease = Some(lease.until().since(lease.from()));
        Self { rule, lease }
    }

    /// The rule.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The lease.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Lets it hold longer.
    pub fn renew(&mut self, now: Timestamp, length: Span) -> Result<(), LeaseError> {
        self.lease.renew(now, length)?;
        self.rule.lease = Some(self.lease.until().since(self.lease.from()));
        Ok(())
    }
}
