//! The ways out. Each takes the same message and says what the other side answered.

mod http;
mod mail;
mod program;
mod slack;
mod syslog;
mod telegram;
mod trust;
mod webhook;

use base::{Span, Timestamp};

pub use webhook::signature;

use crate::{Kind, Message, Settings};

/// Characters of an answer that are kept.
const ANSWER_MAX: usize = 300;

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In one line.
    pub text: String,
    /// The other side does not want it: trying again does not help by itself.
    pub refused: bool,
    /// The other side wants to be left alone for so long.
    pub retry_after: Option<Span>,
}

impl Failure {
    /// It may go better next time.
    pub(crate) fn passing(text: impl Into<String>) -> Self {
        Self { text: line(&text.into()), refused: false, retry_after: None }
    }

    /// It will not.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self { text: line(&text.into()), refused: true, retry_after: None }
    }
}

/// A way out.
pub trait Channel: Send {
    /// Sends a message, whose document is `body`; gives what the other side answered.
    ///
    /// # Errors
    /// When it did not arrive, or nobody said so within the channel's time.
    fn send(&mut self, message: &Message, body: &str, now: Timestamp) -> Result<String, Failure>;
}

/// The channel of these settings.
///
/// # Errors
/// What is wrong with them, in one line with its remedy.
pub fn make(settings: &Settings, sender: &str) -> Result<Box<dyn Channel>, String> {
    Ok(match &settings.kind {
        Kind::Webhook { url, secret, token } => Box::new(webhook::Webhook::new(
            http::Http::new(url.clone(), token.is_none(), settings)?,
            secret.clone(),
            token.clone(),
        )),
        Kind::Slack { url } => Box::new(slack::Slack::new(http::Http::new(url.clone(), false, settings)?)),
        Kind::Telegram { endpoint, token, chat } => {
            Box::new(telegram::Telegram::new(endpoint, token, chat.clone(), settings)?)
        }
        Kind::Mail(mail) => Box::new(mail::Mailer::new(mail, settings, sender)?),
        Kind::Syslog(syslog) => Box::new(syslog::Logger::new(syslog.clone(), settings.timeout, sender)),
        Kind::Exec { path, arguments } => {
            Box::new(program::Program::new(path.clone(), arguments.clone(), settings.timeout))
        }
    })
}

/// One printable line of what somebody said.
fn line(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let words: String = printable.take(ANSWER_MAX).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `std` wants.
fn duration(span: Span) -> std::time::Duration {
    std::time::Duration::from_nanos(span.nanos())
}
