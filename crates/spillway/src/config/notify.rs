//! `[notify.NAME]`: channels by which attacks are told. `[notify.exec]` is another thing, fixed for those who come with a script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use base::{Prefix, Span};
use notify::{EventKind, Facility, Kind, Mail, Secret, Security, Settings, Severity, Syslog, Target};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::check::{Problems, runnable};
use super::reference;
use super::sections::ExecSection;
use super::values::Wait;

/// Channels at most.
const CHANNELS_MAX: usize = 32;
/// The fixed one.
const EXEC: &str = "exec";

/// All sections under `notify`.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) exec: Option<ExecSection>,
    pub(super) channels: BTreeMap<String, Spanned<Section>>,
}

impl<'de> Deserialize<'de> for Sections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Sections;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sections like [notify.NAME]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sections, A::Error> {
                let mut sections = Sections::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == EXEC {
                        sections.exec = Some(map.next_value()?);
                    } else {
                        sections.channels.insert(name, map.next_value()?);
                    }
                }
                Ok(sections)
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// One channel as written: the keys of all kinds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    kind: Spanned<Name>,
    events: Option<Spanned<Vec<EventKind>>>,
    severity: Option<Severity>,
    customers: Option<Spanned<Vec<String>>>,
    prefixes: Option<Vec<Prefix>>,
    group_wait: Option<Wait>,
    group_max: Option<usize>,
    repeat: Option<Spanned<Wait>>,
    per_minute: Option<Spanned<u32>>,
    queue_max: Option<Spanned<usize>>,
    timeout: Option<Spanned<Wait>>,
    retry: Option<Spanned<Wait>>,
    retry_max: Option<Wait>,
    give_up: Option<Wait>,
    fallback: Option<Spanned<String>>,
    fallback_after: Option<Wait>,
    ca: Option<Spanned<PathBuf>>,
    url: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
    endpoint: Option<Spanned<String>>,
    chat: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
    port: Option<Spanned<u16>>,
    tls: Option<Spanned<Cover>>,
    user: Option<Spanned<String>>,
    password: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
    to: Option<Spanned<Vec<String>>>,
    target: Option<Spanned<String>>,
    facility: Option<Spanned<String>>,
    format: Option<Spanned<Form>>,
    path: Option<Spanned<PathBuf>>,
    arguments: Option<Spanned<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Webhook,
    Slack,
    Telegram,
    Email,
    Syslog,
    Exec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cover {
    Tls,
    Starttls,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Text,
    Json,
}

impl Name {
    /// Keys that only some kinds have.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &["url", "secret", "token", "ca"],
            Self::Slack => &["url", "ca"],
            Self::Telegram => &["endpoint", "token", "chat", "ca"],
            Self::Email => &["server", "port", "tls", "user", "password", "from", "to", "ca"],
            Self::Syslog => &["target", "facility", "format"],
            Self::Exec => &["path", "arguments"],
        }
    }
}

impl Section {
    /// Keys that only some kinds have, with their places where they are there.
    fn special(&self) -> [(&'static str, Option<usize>); 18] {
        fn at<T>(key: Option<&Spanned<T>>) -> Option<usize> {
            key.map(|key| key.span().start)
        }
        [
            ("ca", at(self.ca.as_ref())),
            ("url", at(self.url.as_ref())),
            ("secret", at(self.secret.as_ref())),
            ("token", at(self.token.as_ref())),
            ("endpoint", at(self.endpoint.as_ref())),
            ("chat", at(self.chat.as_ref())),
            ("server", at(self.server.as_ref())),
            ("port", at(self.port.as_ref())),
            ("tls", at(self.tls.as_ref())),
            ("user", at(self.user.as_ref())),
            ("password", at(self.password.as_ref())),
            ("from", at(self.from.as_ref())),
            ("to", at(self.to.as_ref())),
            ("target", at(self.target.as_ref())),
            ("facility", at(self.facility.as_ref())),
            ("format", at(self.format.as_ref())),
            ("path", at(self.path.as_ref())),
            ("arguments", at(self.arguments.as_ref())),
        ]
    }
}

/// The channels, or what speaks against them.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    sections: &BTreeMap<String, Spanned<Section>>,
    customers: &[(String, Vec<Prefix>)],
) -> Vec<Settings> {
    let mut out = Vec::new();
    for (at, (name, spanned)) in sections.iter().enumerate() {
        let start = spanned.get_ref().kind.span().start;
        if at == CHANNELS_MAX {
            problems.at(start, format!("more than {CHANNELS_MAX} channels; leave some out"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            problems
                .at(start, format!("`{name}` is no name for a channel; letters, digits, -, _ and . will do"));
        }
        let Some(settings) =
            (Reading { problems, section: spanned.get_ref(), start }).channel(name, customers)
        else {
            continue;
        };
        if let Err(why) = notify::channel::make(&settings, "spillway") {
            problems.at(start, format!("{why} (channel {name})"));
        }
        out.push(settings);
    }
    paths(problems, sections);
    out
}

/// A second path ends somewhere.
fn paths(problems: &mut Problems<'_>, sections: &BTreeMap<String, Spanned<Section>>) {
    for (name, section) in sections {
        let Some(fallback) = &section.get_ref().fallback else { continue };
        let start = fallback.span().start;
        if !sections.contains_key(fallback.get_ref()) {
            let known: Vec<&str> = sections.keys().filter(|key| *key != name).map(String::as_str).collect();
            let known =
                if known.is_empty() { "add it".to_owned() } else { format!("known: {}", known.join(", ")) };
            problems.at(start, format!("there is no channel `{}`; {known}", fallback.get_ref()));
            continue;
        }
        let next =
            |name: &str| sections.get(name)?.get_ref().fallback.as_ref().map(|next| next.get_ref().as_str());
        let mut at = Some(fallback.get_ref().as_str());
        for _ in 0..=sections.len() {
            if at == Some(name.as_str()) {
                problems.at(
                    start,
                    format!("the second path of {name} leads back to it; leave one `fallback` out"),
                );
                break;
            }
            at = at.and_then(next);
        }
    }
}

/// One section as it is read.
struct Reading<'a, 'p> {
    problems: &'a mut Problems<'p>,
    section: &'a Section,
    start: usize,
}

impl Reading<'_, '_> {
    fn channel(mut self, name: &str, customers: &[(String, Vec<Prefix>)]) -> Option<Settings> {
        let section = self.section;
        let kind = *section.kind.get_ref();
        for (key, at) in section.special() {
            if let Some(at) = at.filter(|_| !kind.keys().contains(&key)) {
                let known = kind.keys().join(", ");
                self.problems
                    .at(at, format!("`{key}` is not for this kind of channel, which has {known}; remove it"));
            }
        }
        let only = self.only(customers);
        let events = self.events();
        let limits = self.limits();
        let kind = self.kind(kind)?;
        let fallback = section.fallback.as_ref().map(|to| {
            let after = section.fallback_after.map_or(Span::from_secs(60), |wait| wait.0);
            (to.get_ref().clone(), after)
        });
        Some(Settings {
            name: name.to_owned(),
            kind,
            events,
            severity: section.severity.unwrap_or(Severity::Attack),
            only,
            group_wait: section.group_wait.map_or(Span::from_secs(2), |wait| wait.0),
            group_max: section.group_max.unwrap_or(3).max(1),
            repeat: section.repeat.as_ref().map(|wait| wait.get_ref().0),
            per_minute: limits.0,
            queue_max: limits.1,
            timeout: limits.2,
            retry: limits.3,
            retry_max: section.retry_max.map_or(Span::from_secs(300), |wait| wait.0),
            give_up: section.give_up.map_or(Span::from_secs(86_400), |wait| wait.0),
            fallback,
            ca: section.ca.as_ref().map(|path| path.get_ref().clone()),
        })
    }

    /// The customers' networks and the prefixes that are asked for.
    fn only(&mut self, customers: &[(String, Vec<Prefix>)]) -> Vec<Prefix> {
        let mut only: Vec<Prefix> = self.section.prefixes.clone().unwrap_or_default();
        let Some(named) = &self.section.customers else { return only };
        for one in named.get_ref() {
            match customers.iter().find(|(name, _)| name == one) {
                Some((_, networks)) => only.extend(networks),
                None => {
                    let message =
                        format!("there is no customer `{one}`; add a section [customers.\"{one}\"]");
                    self.problems.at(named.span().start, message);
                }
            }
        }
        only
    }

    fn events(&mut self) -> BTreeSet<EventKind> {
        let Some(asked) = &self.section.events else {
            return [EventKind::AttackStarted, EventKind::AttackEnded].into();
        };
        if asked.get_ref().is_empty() || asked.get_ref().contains(&EventKind::Test) {
            let message = "events are some of \"attack_started\", \"attack_changed\", \"attack_ongoing\" (with `repeat`), \"attack_ended\", \"trouble_started\", \"trouble_ended\", \"configuration_taken\" and \"configuration_refused\"";
            self.problems.at(asked.span().start, message.to_owned());
        }
        asked.get_ref().iter().copied().collect()
    }

    /// Messages a minute, room, time-out, first wait.
    fn limits(&mut self) -> (u32, usize, Span, Span) {
        let section = self.section;
        let repeat = section.repeat.as_ref().filter(|wait| wait.get_ref().0 < Span::from_secs(10));
        if let Some(repeat) = repeat {
            self.problems.at(repeat.span().start, "repeat is at least \"10s\"".to_owned());
        }
        let per_minute = section.per_minute.as_ref().map_or(30, |n| *n.get_ref());
        if let Some(n) = section.per_minute.as_ref().filter(|n| !(1..=6000).contains(n.get_ref())) {
            self.problems.at(n.span().start, "per_minute is 1 to 6000".to_owned());
        }
        let queue_max = section.queue_max.as_ref().map_or(1000, |n| *n.get_ref());
        if let Some(n) = section.queue_max.as_ref().filter(|n| !(10..=100_000).contains(n.get_ref())) {
            self.problems.at(n.span().start, "queue_max is 10 to 100000".to_owned());
        }
        let within = |key: &Option<Spanned<Wait>>, default: Span| {
            key.as_ref().map_or(default, |wait| wait.get_ref().0)
        };
        for (key, wait) in [("timeout", &section.timeout), ("retry", &section.retry)] {
            if let Some(wait) = wait.as_ref().filter(|wait| {
                let wait = wait.get_ref().0;
                wait < Span::from_millis(10) || wait > Span::from_secs(120)
            }) {
                self.problems.at(wait.span().start, format!("{key} is \"10ms\" to \"120s\""));
            }
        }
        let (timeout, retry) = (Span::from_secs(10), Span::from_secs(1));
        (per_minute, queue_max, within(&section.timeout, timeout), within(&section.retry, retry))
    }

    fn kind(&mut self, kind: Name) -> Option<Kind> {
        let section = self.section;
        Some(match kind {
            Name::Webhook => Kind::Webhook {
                url: self
                    .plain("url", section.url.as_ref(), "https://hooks.example.net/spillway")
                    .map(Secret::new)?,
                secret: self.may(section.secret.as_ref())?,
                token: self.may(section.token.as_ref())?,
            },
            Name::Slack => Kind::Slack {
                url: self.secret("url", section.url.as_ref(), "${file:/etc/spillway/slack.url}")?,
            },
            Name::Telegram => Kind::Telegram {
                endpoint: section
                    .endpoint
                    .as_ref()
                    .map_or_else(|| "https://api.telegram.org".to_owned(), |one| one.get_ref().clone()),
                token: self.secret(
                    "token",
                    section.token.as_ref(),
                    "${file:/etc/spillway/telegram.token}",
                )?,
                chat: self.plain("chat", section.chat.as_ref(), "-1001234567890")?,
            },
            Name::Email => Kind::Mail(self.mail()?),
            Name::Syslog => Kind::Syslog(Syslog {
                target: self.target()?,
                facility: self.facility()?,
                json: section.format.as_ref().is_some_and(|form| *form.get_ref() == Form::Json),
            }),
            Name::Exec => {
                let Some(path) = &section.path else {
                    self.missing("path", "/usr/local/bin/tell");
                    return None;
                };
                if !path.get_ref().is_absolute() || !runnable(path.get_ref()) {
                    let message = format!(
                        "{} is not a program; write its path from / and `chmod +x` it",
                        path.get_ref().display()
                    );
                    self.problems.at(path.span().start, message);
                }
                let arguments = section.arguments.as_ref().map_or_else(Vec::new, |all| all.get_ref().clone());
                Kind::Exec { path: path.get_ref().clone(), arguments }
            }
        })
    }

    fn mail(&mut self) -> Option<Mail> {
        let section = self.section;
        let security = match section.tls.as_ref().map_or(Cover::Starttls, |tls| *tls.get_ref()) {
            Cover::Tls => Security::Tls,
            Cover::Starttls => Security::Starttls,
            Cover::None => Security::Plain,
        };
        let usual = match security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::Plain => 25,
        };
        let password = self.may(section.password.as_ref())?;
        let login = match (&section.user, password) {
            (Some(user), Some(password)) => Some((user.get_ref().clone(), password)),
            (None, None) => None,
            _ => {
                self.problems.at(self.start, "user and password go together; add the other one".to_owned());
                return None;
            }
        };
        let Some(to) = section.to.as_ref().filter(|to| !to.get_ref().is_empty() && to.get_ref().len() <= 50)
        else {
            self.problems.at(
                self.start,
                "to is missing: one to fifty addresses, like to = [\"noc@example.net\"]".to_owned(),
            );
            return None;
        };
        Some(Mail {
            server: self.plain("server", section.server.as_ref(), "smtp.example.net")?,
            port: section.port.as_ref().map_or(usual, |port| *port.get_ref()),
            security,
            login,
            from: self.plain("from", section.from.as_ref(), "spillway@example.net")?,
            to: to.get_ref().clone(),
        })
    }

    fn target(&mut self) -> Option<Target> {
        let form = "udp://192.0.2.1:514";
        let text = self.plain("target", self.section.target.as_ref(), form)?;
        let ported = |rest: &str| {
            let port = rest
                .rsplit_once(':')
                .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
            port.map(|_| rest.to_owned())
        };
        let target = match text.split_once("://") {
            Some(("udp", rest)) => ported(rest).map(Target::Udp),
            Some(("tcp", rest)) => ported(rest).map(Target::Tcp),
            Some(("unix", path)) if path.starts_with('/') => Some(Target::Unix(path.into())),
            _ => None,
        };
        if target.is_none() {
            let at = self.section.target.as_ref().map_or(self.start, |target| target.span().start);
            self.problems.at(at, format!("`{text}` is no place for syslog; write \"{form}\", \"tcp://192.0.2.1:514\" or \"unix:///dev/log\""));
        }
        target
    }

    /// By its name in syslog.conf.
    fn facility(&mut self) -> Option<Facility> {
        let Some(named) = &self.section.facility else { return Some(Facility(16)) };
        let known = [("user", 1), ("daemon", 3), ("auth", 4), ("syslog", 5), ("authpriv", 10)];
        let local = named
            .get_ref()
            .strip_prefix("local")
            .and_then(|digit| digit.parse::<u8>().ok())
            .filter(|n| *n < 8);
        let found = known.iter().find(|(name, _)| name == named.get_ref()).map(|(_, number)| *number);
        let facility = local.map(|n| n + 16).or(found).map(Facility);
        if facility.is_none() {
            let message = "facility is \"local0\" to \"local7\", \"daemon\", \"user\", \"auth\", \"authpriv\" or \"syslog\"";
            self.problems.at(named.span().start, message.to_owned());
        }
        facility
    }

    fn missing(&mut self, key: &str, example: &str) {
        self.problems.at(self.start, format!("missing key `{key}`; add a line like {key} = \"{example}\""));
    }

    fn plain(&mut self, key: &str, value: Option<&Spanned<String>>, example: &str) -> Option<String> {
        if value.is_none() {
            self.missing(key, example);
        }
        self.resolved(value?)
    }

    fn secret(&mut self, key: &str, value: Option<&Spanned<String>>, example: &str) -> Option<Secret> {
        if value.is_none() {
            self.missing(key, example);
        }
        self.hidden(value?)
    }

    /// A secret that need not be there; `None`: it is, and wrong.
    #[expect(clippy::option_option, reason = "absent is not wrong")]
    fn may(&mut self, value: Option<&Spanned<String>>) -> Option<Option<Secret>> {
        match value {
            None => Some(None),
            Some(value) => self.hidden(value).map(Some),
        }
    }

    fn hidden(&mut self, value: &Spanned<String>) -> Option<Secret> {
        if !reference::refers(value.get_ref()) && self.problems.open_to_all() {
            let message = format!(
                "this may be a secret, and the file is readable by everybody; `chmod 640 {}`, or write \"${{file:/path}}\" or \"${{env:NAME}}\"",
                self.problems.file().display()
            );
            self.problems.at(value.span().start, message);
        }
        self.resolved(value).map(Secret::new)
    }

    fn resolved(&mut self, value: &Spanned<String>) -> Option<String> {
        match reference::resolved(value.get_ref()) {
            Ok(text) if text.is_empty() => {
                self.problems
                    .at(value.span().start, "this is empty; give it a value or remove it".to_owned());
                None
            }
            Ok(text) => Some(text),
            Err(why) => {
                self.problems.at(value.span().start, why);
                None
            }
        }
    }
}
