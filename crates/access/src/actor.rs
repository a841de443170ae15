//! Somebody at the door, known.

use base::Prefix;

use crate::role::{Permission, Role};
use crate::scope::Scope;

/// How they made themselves known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Not at all.
    Anonymous,
    /// By a token of this id.
    Token(String),
    /// By a session, which a browser sends by itself; its requests that change something need this word, too.
    Session {
        /// SHA-256 of the word.
        csrf: [u8; 32],
    },
    /// By the operating system, on this machine.
    Local,
}

impl Via {
    /// As it stands in the audit trail.
    pub fn name(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Token(id) => format!("token {id}"),
            Self::Session { .. } => "session".to_owned(),
            Self::Local => "local".to_owned(),
        }
    }
}

/// Who asks, what they are, and what they see.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's name.
    pub name: String,
    /// How they made themselves known.
    pub via: Via,
    /// The user's role, and the token's where it has one of its own: both must allow it.
    roles: Vec<Role>,
    scope: Scope,
}

impl Actor {
    /// A user of this role.
    pub fn new(name: String, via: Via, role: Role, prefixes: Vec<Prefix>) -> Self {
        let actor = Self { name, via, roles: Vec::new(), scope: Scope::everything() };
        actor.narrowed(role, prefixes)
    }

    /// Nobody in particular, as a viewer.
    pub fn anonymous() -> Self {
        Self::new("anonymous".to_owned(), Via::Anonymous, Role::Viewer, Vec::new())
    }

    /// The same, within another role, too.
    #[must_use]
    pub fn narrowed(mut self, role: Role, prefixes: Vec<Prefix>) -> Self {
        self.roles.push(role);
        if role.is_scoped() {
            self.scope = self.scope.and(Scope::of(prefixes));
        }
        self
    }

    /// Whether this may be done.
    pub fn may(&self, permission: Permission) -> bool {
        let named = self.via != Via::Anonymous || permission != Permission::Own;
        named && !self.roles.is_empty() && self.roles.iter().all(|role| role.may(permission))
    }

    /// Whether it is all that its user is.
    pub fn is_whole(&self) -> bool {
        self.roles.len() == 1
    }

    /// What is seen.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether all of this prefix is seen.
    pub fn sees(&self, prefix: &Prefix) -> bool {
        self.scope.sees(prefix)
    }

    /// Roles as one text.
    pub fn role(&self) -> String {
        self.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+")
    }
}
