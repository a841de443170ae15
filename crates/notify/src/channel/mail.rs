//! Letters by SMTP submission, one connection each.

use base::Timestamp;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport as _};

use super::{Channel, Failure, duration, line, trust};
use crate::{Mail, Message, Security, Settings, words};

/// Characters of a letter's text.
const TEXT_MAX: usize = 40_000;
/// Characters of its subject.
const SUBJECT_MAX: usize = 180;

/// Sends letters.
pub(super) struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    pub(super) fn new(mail: &Mail, settings: &Settings, sender: &str) -> Result<Self, String> {
        let mailbox = |text: &String| {
            text.parse::<Mailbox>().map_err(|cause| {
                format!("`{text}` is no mail address ({cause}); write it like \"noc@example.net\"")
            })
        };
        let here = matches!(mail.server.as_str(), "localhost" | "127.0.0.1" | "::1");
        if mail.login.is_some() && mail.security == Security::Plain && !here {
            return Err("a password does not go in the clear; write tls = \"starttls\" or \"tls\"".to_owned());
        }
        let tls = match mail.security {
            Security::Plain => Tls::None,
            Security::Tls => Tls::Wrapper(parameters(mail, settings)?),
            Security::Starttls => Tls::Required(parameters(mail, settings)?),
        };
        let mut builder = SmtpTransport::builder_dangerous(&mail.server)
            .port(mail.port)
            .tls(tls)
            .timeout(Some(duration(settings.timeout)))
            .hello_name(ClientId::Domain(sender.to_owned()));
        if let Some((user, password)) = &mail.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
        }
        let to = mail.to.iter().map(mailbox).collect::<Result<_, _>>()?;
        Ok(Self { transport: builder.build(), from: mailbox(&mail.from)?, to })
    }

    fn letter(&self, message: &Message, body: &str) -> Result<lettre::Message, String> {
        let test = if message.test { "[TEST] " } else { "" };
        let subject: String =
            format!("{test}[spillway] {}", line(&message.summary)).chars().take(SUBJECT_MAX).collect();
        let domain = self.from.email.domain();
        let mut letter = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject)
            // The same in every attempt: mail systems know one that they have seen.
            .message_id(Some(format!("<{}@{domain}>", message.id)));
        for to in &self.to {
            letter = letter.to(to.clone());
        }
        let json = ContentType::parse("application/json").map_err(|cause| cause.to_string())?;
        let parts = MultiPart::mixed()
            .singlepart(SinglePart::plain(words::text(message, TEXT_MAX)))
            .singlepart(Attachment::new("notification.json".to_owned()).body(body.to_owned(), json));
        letter.multipart(parts).map_err(|cause| cause.to_string())
    }
}

impl Channel for Mailer {
    fn send(&mut self, message: &Message, body: &str, _: Timestamp) -> Result<String, Failure> {
        let letter = self.letter(message, body).map_err(Failure::refused)?;
        match self.transport.send(&letter) {
            Ok(answer) => {
                let said: Vec<&str> = answer.message().collect();
                Ok(line(&format!("SMTP {} {}", answer.code(), said.join(" "))))
            }
            Err(cause) => {
                let mut text = cause.to_string();
                let mut source = std::error::Error::source(&cause);
                while let Some(inner) = source {
                    text.push_str(&format!(": {inner}"));
                    source = inner.source();
                }
                Err(if cause.is_permanent() { Failure::refused(text) } else { Failure::passing(text) })
            }
        }
    }
}

fn parameters(mail: &Mail, settings: &Settings) -> Result<TlsParameters, String> {
    let unusable = |cause: lettre::transport::smtp::Error| format!("TLS for {}: {cause}", mail.server);
    let mut builder = TlsParameters::builder(mail.server.clone()).certificate_store(CertificateStore::None);
    for one in trust::authorities(settings.ca.as_deref())? {
        builder = builder.add_root_certificate(Certificate::from_der(one.to_vec()).map_err(unusable)?);
    }
    builder.build_rustls().map_err(unusable)
}
