//! A POST of the document, signed.

use base::Timestamp;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::http::Http;
use super::{Channel, Failure};
use crate::{Message, SCHEMA_NAME, Secret};

/// A signed webhook.
///
/// Headers: `Spillway-Id`, the same in every attempt; `Spillway-Schema`; with a secret `Spillway-Timestamp`, seconds since 1970 of
/// this attempt, and `Spillway-Signature: v1=HEX`, HMAC-SHA-256 over the timestamp, a full stop and the body, octet by octet. A
/// receiver compares in constant time and refuses what is older than five minutes.
pub(super) struct Webhook {
    http: Http,
    secret: Option<Secret>,
    token: Option<Secret>,
}

impl Webhook {
    pub(super) const fn new(http: Http, secret: Option<Secret>, token: Option<Secret>) -> Self {
        Self { http, secret, token }
    }
}

impl Channel for Webhook {
    fn send(&mut self, message: &Message, body: &str, now: Timestamp) -> Result<String, Failure> {
        let mut headers = vec![("Spillway-Id", message.id.as_str()), ("Spillway-Schema", SCHEMA_NAME)];
        let at = now.secs().to_string();
        let signed = self.secret.as_ref().map(|secret| signature(secret.reveal().as_bytes(), &at, body));
        if let Some(signed) = &signed {
            headers.extend([("Spillway-Timestamp", at.as_str()), ("Spillway-Signature", signed.as_str())]);
        }
        let bearer = self.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        self.http.post(&headers, body).map(|answer| answer.said())
    }
}

/// `v1=` and the MAC in hex.
pub fn signature(secret: &[u8], timestamp: &str, body: &str) -> String {
    // A key of any length will do (RFC 2104 §2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    for part in [timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    let hex: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key`
    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        let ours = signature(b"key", "1700000000", "{\"a\":1}");
        assert_eq!(ours, "v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03");
    }
}
