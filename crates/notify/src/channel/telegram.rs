//! Telegram's bot API: <https://core.telegram.org/bots/api#sendmessage>.

use base::{Span, Timestamp};
use serde_json::Value;

use super::http::Http;
use super::{Channel, Failure, line};
use crate::{Message, Secret, Settings, words};

/// Characters of a text.
const TEXT_MAX: usize = 4096;

/// A bot.
pub(super) struct Telegram {
    http: Http,
    token: Secret,
    chat: String,
}

impl Telegram {
    pub(super) fn new(
        endpoint: &str,
        token: &Secret,
        chat: String,
        settings: &Settings,
    ) -> Result<Self, String> {
        let url = format!("{}/bot{}/sendMessage", endpoint.trim_end_matches('/'), token.reveal());
        Ok(Self { http: Http::new(Secret::new(url), false, settings)?, token: token.clone(), chat })
    }
}

impl Channel for Telegram {
    fn send(&mut self, message: &Message, _: &str, _: Timestamp) -> Result<String, Failure> {
        let body = serde_json::json!({
            "chat_id": self.chat,
            "text": words::text(message, TEXT_MAX),
            "link_preview_options": { "is_disabled": true },
        });
        match self.http.post(&[], &body.to_string()) {
            Ok(answer) => {
                let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
                match said.get("ok").and_then(Value::as_bool) {
                    Some(true) => Ok(format!("HTTP {} ok", answer.status)),
                    _ => Err(Failure::refused(format!("not the bot API's answer: {}", answer.said()))),
                }
            }
            Err(mut failure) => {
                failure.text = line(&failure.text.replace(self.token.reveal(), "(token)"));
                // The pause stands in the document, not in a header.
                let asked = failure.text.split("\"retry_after\":").nth(1);
                let digits =
                    asked.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
                let asked = digits.and_then(|digits| digits.parse().ok()).map(Span::from_secs);
                failure.retry_after = failure.retry_after.or(asked);
                Err(failure)
            }
        }
    }
}
