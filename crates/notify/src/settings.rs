//! A channel as the operator wants it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use base::{Prefix, Span};

use crate::{EventKind, Severity};

/// A text that nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides it.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How a mail server is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first octet (RFC 8314).
    Tls,
    /// STARTTLS, and nothing without it (RFC 3207).
    Starttls,
    /// In the clear: for a relay on this machine.
    Plain,
}

/// A mail server and its letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Name or address of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken with.
    pub security: Security,
    /// User and password, where it asks.
    pub login: Option<(String, Secret)>,
    /// Who sends.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// Where syslog goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A datagram a line, to HOST:PORT (RFC 5426).
    Udp(String),
    /// Counted octets (RFC 6587 §3.4.1), to HOST:PORT.
    Tcp(String),
    /// A socket of this machine, of datagrams or of a stream.
    Unix(PathBuf),
}

/// RFC 5424 §6.2.1, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

/// A log of the system's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// Where it goes.
    pub target: Target,
    /// Its facility.
    pub facility: Facility,
    /// The document instead of its words.
    pub json: bool,
}

/// What kind of channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// POST of the document, signed where there is a secret.
    Webhook {
        /// Where to.
        url: Secret,
        /// Key of the signature.
        secret: Option<Secret>,
        /// For `Authorization: Bearer`.
        token: Option<Secret>,
    },
    /// An incoming webhook of Slack, or of what takes the same.
    Slack {
        /// Where to; who knows it may write.
        url: Secret,
    },
    /// `sendMessage` of Telegram's bot API.
    Telegram {
        /// Where the API is.
        endpoint: String,
        /// The bot's.
        token: Secret,
        /// Whom to tell.
        chat: String,
    },
    /// Letters.
    Mail(Mail),
    /// RFC 5424.
    Syslog(Syslog),
    /// A program that gets the document on its standard input.
    Exec {
        /// The program.
        path: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl Kind {
    /// As the configuration names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Telegram { .. } => "telegram",
            Self::Mail(_) => "email",
            Self::Syslog(_) => "syslog",
            Self::Exec { .. } => "exec",
        }
    }
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it is told of.
    pub events: BTreeSet<EventKind>,
    /// From which severity on.
    pub severity: Severity,
    /// Only of attacks on these; empty: on all.
    pub only: Vec<Prefix>,
    /// What happens within this time of the first event may go in one message.
    pub group_wait: Span,
    /// More events than this do.
    pub group_max: usize,
    /// A reminder of what goes on, this often; `None`: never.
    pub repeat: Option<Span>,
    /// Messages a minute at most; what is more waits.
    pub per_minute: u32,
    /// Events and messages that wait at most.
    pub queue_max: usize,
    /// An attempt that takes longer has failed.
    pub timeout: Span,
    /// Wait after the first failure.
    pub retry: Span,
    /// The longest wait.
    pub retry_max: Span,
    /// A message that failed for so long is given up.
    pub give_up: Span,
    /// Who gets what fails here, and for how long it must have failed.
    pub fallback: Option<(String, Span)>,
    /// Certificates that are believed (PEM); `None`: the system's.
    pub ca: Option<PathBuf>,
}
