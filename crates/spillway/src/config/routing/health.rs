//! `[routing.health."ADDRESS"]`: how the operator has a service asked whether it lives.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base::{Prefix, Span};
use serde::Deserialize;
use toml::Spanned;

use crate::config::check::Problems;
use crate::config::values::Wait;

/// Services that are asked, at most.
const SERVICES_MAX: usize = 64;
/// More often is a load.
const EVERY_MIN: Span = Span::from_secs(1);
/// Who is asked less often is not asked while it matters.
const EVERY_MAX: Span = Span::from_secs(60);
const TIMEOUT_MIN: Span = Span::from_millis(100);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    url: Option<Spanned<String>>,
    command: Option<Spanned<Vec<String>>>,
    #[serde(default = "every")]
    every: Spanned<Wait>,
    #[serde(default = "timeout")]
    timeout: Spanned<Wait>,
}

fn every() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(5)))
}

fn timeout() -> Spanned<Wait> {
    Spanned::new(0..0, Wait(Span::from_secs(2)))
}

/// How one service is asked. It lives where all that is asked answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Whose service.
    pub address: IpAddr,
    /// What is fetched over HTTP: host with port, and the path; an answer below 400 is a good one.
    pub url: Option<Url>,
    /// A program with its arguments; it ends with 0 where the service lives.
    pub command: Option<(PathBuf, Vec<String>)>,
    /// How often.
    pub every: Span,
    /// An answer that takes longer is none, and a program is killed.
    pub timeout: Span,
}

/// The parts of `http://HOST:PORT/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Name or address with its port, as `connect` takes it.
    pub host: String,
    /// From the slash on.
    pub path: String,
}

impl Url {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write it like url = \"http://198.51.100.7/health\"";
        if text.starts_with("https:") {
            return Err(
                "https is not spoken here; ask by a program: command = [\"/usr/bin/curl\", \"-fsS\", \"https://…\"]"
                    .to_owned(),
            );
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Err(format!("`{text}` is no URL; {example}"));
        };
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        let in_brackets = host.starts_with('[');
        let port = if in_brackets { host.split_once("]:") } else { host.rsplit_once(':') };
        let number = port.map(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
        let closed = !in_brackets || host.contains(']');
        if host.is_empty()
            || !plain(host)
            || !plain(path)
            || host.contains('@')
            || number == Some(false)
            || !closed
        {
            return Err(format!("`{text}` is no URL; {example}"));
        }
        let host = if number.is_some() { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host, path: path.to_owned() })
    }
}

/// The sections, or what speaks against them.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    networks: &[Prefix],
    sections: &BTreeMap<Spanned<String>, Section>,
) -> Vec<Examination> {
    if let Some((name, _)) = sections.iter().nth(SERVICES_MAX) {
        problems.at(name.span().start, format!("more than {SERVICES_MAX} services are asked; name fewer"));
    }
    let mut found: Vec<Examination> = Vec::new();
    for (name, section) in sections {
        if let Some(one) = examination(problems, networks, name, section) {
            if found.iter().any(|other| other.address == one.address) {
                let message = format!("{} stands here twice; keep one", one.address);
                problems.at(name.span().start, message);
            }
            found.push(one);
        }
    }
    found
}

fn examination(
    problems: &mut Problems<'_>,
    networks: &[Prefix],
    name: &Spanned<String>,
    section: &Section,
) -> Option<Examination> {
    let at = name.span().start;
    let Ok(address) = name.get_ref().parse::<IpAddr>() else {
        let message = format!(
            "`{}` is not the address of a service; write [routing.health.\"198.51.100.7\"]",
            name.get_ref()
        );
        problems.at(at, message);
        return None;
    };
    if !networks.iter().any(|own| own.contains(address)) {
        problems.at(at, format!("{address} does not lie within `networks`"));
    }
    let url = section.url.as_ref().and_then(|url| match Url::parse(url.get_ref()) {
        Ok(parsed) => Some(parsed),
        Err(why) => {
            problems.at(url.span().start, why);
            None
        }
    });
    let command = section.command.as_ref().and_then(|words| program(problems, words));
    if section.url.is_none() && section.command.is_none() {
        problems.at(
            at,
            "nothing is asked; add url = \"http://…\" or command = [\"/path/of/program\"]".to_owned(),
        );
    }
    let (every, timeout) = (section.every.get_ref().0, section.timeout.get_ref().0);
    if !(EVERY_MIN..=EVERY_MAX).contains(&every) {
        problems.at(section.every.span().start, format!("every must be {EVERY_MIN} to {EVERY_MAX}"));
    }
    if timeout < TIMEOUT_MIN || timeout > every {
        let message = format!("timeout must be at least {TIMEOUT_MIN} and at most every, which is {every}");
        problems.at(section.timeout.span().start, message);
    }
    Some(Examination { address, url, command, every, timeout })
}

fn program(problems: &mut Problems<'_>, words: &Spanned<Vec<String>>) -> Option<(PathBuf, Vec<String>)> {
    let example =
        "write it like command = [\"/usr/bin/dig\", \"+tries=1\", \"@198.51.100.7\", \"example.net\"]";
    let at = words.span().start;
    let Some((path, arguments)) = words.get_ref().split_first() else {
        problems.at(at, format!("command names no program; {example}"));
        return None;
    };
    if !path.starts_with('/') || !Path::new(path).is_file() {
        problems.at(at, format!("`{path}` is no program with its whole path; {example}"));
    }
    Some((path.into(), arguments.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_plain_http_and_what_is_not_has_its_remedy() {
        let of = |text: &str| Url::parse(text).map(|url| (url.host, url.path));
        let url = |host: &str, path: &str| Ok((host.to_owned(), path.to_owned()));
        assert_eq!(of("http://198.51.100.7"), url("198.51.100.7:80", "/"));
        assert_eq!(of("http://www.example.net:8080/a?b=c"), url("www.example.net:8080", "/a?b=c"));
        assert_eq!(of("http://[2001:db8::7]/x"), url("[2001:db8::7]:80", "/x"));
        assert_eq!(of("http://[2001:db8::7]:81/x"), url("[2001:db8::7]:81", "/x"));
        assert!(of("https://198.51.100.7/").unwrap_err().contains("command = ["));
        for wrong in
            ["198.51.100.7", "http://", "http:///x", "http://a:0/", "http://a b/", "http://[::1/", "ftp://a/"]
        {
            assert!(of(wrong).unwrap_err().contains("is no URL; write it like url"), "{wrong}");
        }
    }
}
