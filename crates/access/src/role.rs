//! The matrix: five roles, and what each may do. This table is the whole of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks on.
    Viewer,
    /// Acts on attacks.
    Operator,
    /// Does everything.
    Admin,
    /// Sees what concerns prefixes of its own.
    Customer,
    /// Looks after evidence and disclosures.
    EvidenceOfficer,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Nothing is needed, not even a name.
    Public,
    /// Attacks, rules, mitigations, events and flow samples, each within its scope.
    SeeAttacks,
    /// Exporters, neighbours, absorbers, plans, metrics.
    SeeNetwork,
    /// Heads, entries and proofs of the ledger, which name nobody.
    SeeLedger,
    /// Disclosures, and what evidence there is.
    SeeEvidence,
    /// Hold evidence, let go of it, take a copy away.
    KeepEvidence,
    /// Who did what.
    SeeAudit,
    /// The configuration, without secrets.
    SeeConfiguration,
    /// Announce, withdraw, renew, confirm.
    Mitigate,
    /// Keep the list of sources that pass, each within its scope.
    Allow,
    /// Agree to what another one asked for.
    Approve,
    /// Withdraw everything, and let things begin again.
    Panic,
    /// Check and take configurations.
    Configure,
    /// Users and everybody's tokens.
    ManageAccess,
    /// The own session, password and tokens; needs a name.
    Own,
}

/// viewer, operator, admin, customer, evidence-officer: the order of [`Role::ALL`].
const MATRIX: &[(Permission, [bool; 5])] = &[
    (Permission::Public, [true, true, true, true, true]),
    (Permission::SeeAttacks, [true, true, true, true, true]),
    (Permission::SeeNetwork, [true, true, true, false, false]),
    (Permission::SeeLedger, [true, true, true, true, true]),
    (Permission::SeeEvidence, [false, false, true, false, true]),
    (Permission::KeepEvidence, [false, false, true, false, true]),
    (Permission::SeeAudit, [false, false, true, false, true]),
    (Permission::SeeConfiguration, [false, true, true, false, false]),
    (Permission::Mitigate, [false, true, true, false, false]),
    (Permission::Allow, [false, true, true, true, false]),
    (Permission::Approve, [false, true, true, false, false]),
    (Permission::Panic, [false, true, true, false, false]),
    (Permission::Configure, [false, false, true, false, false]),
    (Permission::ManageAccess, [false, false, true, false, false]),
    (Permission::Own, [true, true, true, true, true]),
];

/// The whole matrix, a line for each permission, in the order of [`Role::ALL`].
pub fn matrix() -> impl Iterator<Item = (Permission, [bool; 5])> {
    MATRIX.iter().copied()
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Operator, Self::Admin, Self::Customer, Self::EvidenceOfficer];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Customer => "customer",
            Self::EvidenceOfficer => "evidence-officer",
        }
    }

    /// Whether it may do that. What the table does not have, nobody may.
    pub fn may(self, permission: Permission) -> bool {
        let line = MATRIX.iter().find(|(which, _)| *which == permission);
        let column = Self::ALL.iter().position(|role| *role == self);
        line.zip(column).is_some_and(|((_, allowed), at)| allowed.get(at) == Some(&true))
    }

    /// Whether it sees prefixes of its own alone.
    pub const fn is_scoped(self) -> bool {
        matches!(self, Self::Customer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is no role; there are {all}")
        })
    }
}

impl Permission {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SeeAttacks => "see-attacks",
            Self::SeeNetwork => "see-network",
            Self::SeeLedger => "see-ledger",
            Self::SeeEvidence => "see-evidence",
            Self::KeepEvidence => "keep-evidence",
            Self::SeeAudit => "see-audit",
            Self::SeeConfiguration => "see-configuration",
            Self::Mitigate => "mitigate",
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Panic => "panic",
            Self::Configure => "configure",
            Self::ManageAccess => "manage-access",
            Self::Own => "own",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_one_line_and_an_admin_may_everything() {
        for (permission, _) in matrix() {
            assert_eq!(matrix().filter(|(other, _)| *other == permission).count(), 1, "{permission}");
            assert!(Role::Admin.may(permission), "{permission}");
        }
        // the last one, so that the table is as long as the list
        assert_eq!(MATRIX.len(), Permission::Own as usize + 1);
    }

    #[test]
    fn a_customer_changes_its_list_of_sources_alone_and_sees_nothing_of_the_network() {
        let may: Vec<_> = matrix().filter(|(p, _)| Role::Customer.may(*p)).map(|(p, _)| p).collect();
        use Permission::{Allow, Own, Public, SeeAttacks, SeeLedger};
        assert_eq!(may, [Public, SeeAttacks, SeeLedger, Allow, Own]);
    }
}
