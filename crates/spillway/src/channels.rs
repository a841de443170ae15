//! Channels by which attacks are told, as the command line and the API show them, and a test of one.

use anyhow::bail;
use notify::{Kind, Message, Settings};
use store::{Outbox, Waiting};

use crate::config::Config;
use crate::daemon::clock::Clock;

/// All of them: where they lead, what waits, what was given up and why.
///
/// # Errors
/// When the outbox cannot be read.
pub(crate) fn listed(config: &Config) -> anyhow::Result<Vec<api::Channel>> {
    let outbox = Outbox::look(&config.state_dir)?;
    let waiting = outbox.as_ref().map(Outbox::waiting).transpose()?.unwrap_or_default();
    let mut listed = Vec::new();
    for channel in &config.channels {
        let Waiting { events, messages, dead } = waiting.get(&channel.name).copied().unwrap_or_default();
        let mut last_failure = None;
        if let Some(outbox) = &outbox {
            last_failure = outbox.head(&channel.name)?.and_then(|head| head.answer);
            if last_failure.is_none() {
                last_failure = outbox.dead(&channel.name)?.into_iter().next().and_then(|last| last.answer);
            }
        }
        listed.push(api::Channel {
            name: channel.name.clone(),
            kind: channel.kind.name().to_owned(),
            to: destination(channel),
            fallback: channel.fallback.as_ref().map(|(to, _)| to.clone()),
            waiting: events + messages,
            dead,
            last_failure,
        });
    }
    Ok(listed)
}

/// Sends a message that is marked as a test, now and past the outbox.
///
/// # Errors
/// When there is no such channel, or it cannot be made. That a test did not arrive is an answer.
pub(crate) fn tried(config: &Config, name: &str) -> anyhow::Result<api::Tried> {
    let Some(channel) = config.channels.iter().find(|channel| channel.name == name) else {
        let known: Vec<&str> = config.channels.iter().map(|channel| channel.name.as_str()).collect();
        if name == "exec" && config.notify.is_some() {
            bail!("[notify.exec] is fixed and may ban, so it is not tried; call its program by hand");
        }
        let known = if known.is_empty() {
            "none is configured".to_owned()
        } else {
            format!("known: {}", known.join(", "))
        };
        bail!("there is no channel `{name}`; {known}");
    };
    let sender = crate::daemon::sender();
    let mut way = notify::channel::make(channel, &sender).map_err(anyhow::Error::msg)?;
    let now = Clock::start().now();
    let message = Message::test(name, &sender, now);
    let result = way.send(&message, &message.json(), now);
    let arrived = result.is_ok();
    let answer = result.unwrap_or_else(|failure| failure.text);
    Ok(api::Tried { channel: name.to_owned(), id: message.id, arrived, answer })
}

/// Where it leads, without what is secret.
fn destination(channel: &Settings) -> String {
    match &channel.kind {
        Kind::Webhook { url, .. } | Kind::Slack { url } => {
            // Scheme and host; the rest may be a token.
            url.reveal().split('/').take(3).collect::<Vec<_>>().join("/")
        }
        Kind::Telegram { chat, .. } => format!("chat {chat}"),
        Kind::Mail(mail) => format!("{} via {}:{}", mail.to.join(", "), mail.server, mail.port),
        Kind::Syslog(syslog) => match &syslog.target {
            notify::Target::Udp(to) => format!("udp://{to}"),
            notify::Target::Tcp(to) => format!("tcp://{to}"),
            notify::Target::Unix(path) => format!("unix://{}", path.display()),
        },
        Kind::Exec { path, .. } => path.display().to_string(),
    }
}
