//! One address that is POSTed to.

use std::io::Read as _;
use std::sync::Arc;

use base::Span;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{Failure, duration, line, trust};
use crate::{Secret, Settings};

/// Octets of an answer that are read.
const ANSWER_OCTETS_MAX: u64 = 4096;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A client for one address, which may be a secret.
pub(super) struct Http {
    agent: Agent,
    url: Secret,
}

impl Http {
    /// `bare`: nothing in the address or the headers is a secret, so that it may go in the clear.
    pub(super) fn new(url: Secret, bare: bool, settings: &Settings) -> Result<Self, String> {
        checked(url.reveal(), bare)?;
        // The system's authorities are many: they are read only where they are needed.
        let roots = if url.reveal().starts_with("https:") {
            let found = trust::authorities(settings.ca.as_deref())?;
            found.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
        } else {
            Vec::new()
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(duration(settings.timeout)))
            // Whoever answers with another address is not who was meant.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Connections that the other side, or a firewall, forgot meanwhile cost an attempt.
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!("spillway/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self { agent, url })
    }

    /// Sends; anything but 2xx is a failure.
    pub(super) fn post(&self, headers: &[(&str, &str)], body: &str) -> Result<Answer, Failure> {
        let mut request = self.agent.post(self.url.reveal()).header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = request.send(body);
        let mut response = sent.map_err(|cause| Failure::passing(self.scrub(&cause.to_string())))?;
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| text.trim().parse().ok()).map(Span::from_secs);
        let mut octets = Vec::new();
        // What cannot be read of an answer is only missing in a line of the log.
        let _ = response.body_mut().as_reader().take(ANSWER_OCTETS_MAX).read_to_end(&mut octets);
        let body = String::from_utf8_lossy(&octets).into_owned();
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        let text = self.scrub(&format!("HTTP {status} {}", line(&body)));
        // RFC 9110: time-outs, conflicts that pass, too early, too many, and all that is the server's own fault.
        let passing = matches!(status, 408 | 409 | 423 | 425 | 429) || status >= 500;
        let failure = if passing { Failure::passing(text) } else { Failure::refused(text) };
        Err(Failure { retry_after, ..failure })
    }

    /// The address may carry a token: no log shows it.
    fn scrub(&self, text: &str) -> String {
        text.replace(self.url.reveal(), "(url)")
    }
}

/// Whether something can be sent there, and may be.
fn checked(url: &str, bare: bool) -> Result<(), String> {
    let form = "write it like \"https://hooks.example.net/spillway\"";
    let uri: ureq::http::Uri =
        url.parse().map_err(|cause| format!("the address is no URL ({cause}); {form}"))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        _ if host.is_empty() => Err(format!("the address names no host; {form}")),
        Some("https") => Ok(()),
        Some("http") if bare || matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "::1") => Ok(()),
        Some("http") => Err("secrets do not go in the clear; write https instead of http".to_owned()),
        _ => Err(format!("the address begins with neither https: nor http:; {form}")),
    }
}

impl Answer {
    /// In one line.
    pub(super) fn said(&self) -> String {
        line(&format!("HTTP {} {}", self.status, self.body))
    }
}
