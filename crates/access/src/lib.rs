//! Floor 3: who may do what — users, tokens, sessions, the matrix of roles, and what was done.
//!
//! [`Access`] owns `access.db` in the state folder (mode 0600). Who comes with a token, a session or a password becomes an
//! [`Actor`]; [`Actor::may`] and [`Actor::sees`] are the only questions that anybody has to ask. [`Limiter`] and [`Backoff`]
//! bound how often may be asked and guessed; both take the time as an argument.
//!
//! Deliberately unknown here: HTTP, endpoints, and what a mitigation is. Secrets leave once, when they are made; what is kept is
//! their hash.
#![forbid(unsafe_code)]

mod actor;
mod audit;
mod backoff;
mod db;
mod error;
mod limiter;
mod links;
mod name;
mod password;
mod role;
mod scope;
mod secret;
mod sessions;
mod tokens;
mod users;

pub use actor::{Actor, Via};
pub use audit::{Deed, Entry, Outcome};
pub use backoff::{Backoff, Who};
pub use db::{Access, SCHEMA};
pub use error::AccessError;
pub use limiter::Limiter;
pub use links::{LINK_SECS, Link};
pub use name::{NAME_MAX, check_name};
pub use password::{PASSWORD_MAX, PASSWORD_MIN};
pub use role::{Permission, Role, matrix};
pub use scope::Scope;
pub use sessions::{Opened, SESSION_SECS};
pub use tokens::{Issue, Issued, TOKEN_PREFIX, Token};
pub use users::{First, User};
