//! Slack's incoming webhook, which others (Mattermost, Discord under `/slack`) take as well.

use base::Timestamp;

use super::http::Http;
use super::{Channel, Failure};
use crate::{Message, words};

/// Characters of a text; Slack cuts it after 40,000, others earlier.
const TEXT_MAX: usize = 4000;

/// Slack.
pub(super) struct Slack {
    http: Http,
}

impl Slack {
    pub(super) const fn new(http: Http) -> Self {
        Self { http }
    }
}

impl Channel for Slack {
    fn send(&mut self, message: &Message, _: &str, _: Timestamp) -> Result<String, Failure> {
        // The three characters that mean something to Slack.
        let text = words::text(message, TEXT_MAX);
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let body = serde_json::json!({ "text": text }).to_string();
        self.http.post(&[], &body).map(|answer| answer.said())
    }
}
