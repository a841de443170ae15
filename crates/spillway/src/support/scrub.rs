//! The sieve: what leaves in a bundle has no secret in it, and nobody's address but the operator's own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base::Prefix;

use super::config::HIDDEN;

/// Addresses that get a pseudonym; what comes after has one and the same.
const PSEUDONYMS_MAX: usize = 100_000;
/// With which our tokens begin.
const TOKEN: &str = "spw_";
/// What a key in PEM begins and ends with.
const PEM: (&str, &str) = ("-----BEGIN ", "-----END ");
/// Words after which a secret stands.
const BEFORE: [&str; 8] =
    ["password", "passwd", "secret", "token", "authorization", "api_key", "apikey", "bearer"];

/// Takes things out.
#[derive(Debug)]
pub struct Scrub {
    /// The longest first, so that no part of a longer one stays.
    hidden: Vec<String>,
    own: Vec<Prefix>,
    clear: bool,
    pseudonyms: BTreeMap<IpAddr, usize>,
}

impl Scrub {
    /// Takes out these words, and all addresses but those in `own`; with `clear`, addresses stay.
    pub fn new(hidden: BTreeSet<String>, own: Vec<Prefix>, clear: bool) -> Self {
        let mut hidden: Vec<String> = hidden.into_iter().filter(|word| !word.trim().is_empty()).collect();
        hidden.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self { hidden, own, clear, pseudonyms: BTreeMap::new() }
    }

    /// How many addresses have a pseudonym.
    pub fn pseudonyms(&self) -> usize {
        self.pseudonyms.len()
    }

    /// The text without them.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for word in &self.hidden {
            if text.contains(word.as_str()) {
                text = text.replace(word.as_str(), HIDDEN);
            }
            // As it stands in JSON.
            let escaped = serde_json::to_string(word).unwrap_or_default();
            let escaped = escaped.trim_matches('"');
            if escaped != word && text.contains(escaped) {
                text = text.replace(escaped, HIDDEN);
            }
        }
        let mut out = String::with_capacity(text.len());
        let mut in_key = false;
        for line in text.split_inclusive('\n') {
            if in_key || line.contains(PEM.0) {
                in_key = !line.contains(PEM.1);
                if !in_key {
                    out.push_str(HIDDEN);
                    out.push('\n');
                }
                continue;
            }
            let line = logins(&after_words(&tokens(line)));
            out.push_str(&if self.clear { line } else { self.addresses(&line) });
        }
        if in_key {
            out.push_str(HIDDEN);
        }
        out
    }

    fn addresses(&mut self, line: &str) -> String {
        let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(start) = rest.find(is_part) {
            let (front, from) = rest.split_at(start);
            out.push_str(front);
            let end = from.find(|c: char| !is_part(c)).unwrap_or(from.len());
            let (word, behind) = from.split_at(end);
            // A letter before or behind makes it part of a name.
            let glued = front.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                || behind.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            out.push_str(&if glued { self.inside(word) } else { self.word(word) });
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    /// A word that touches a name: an IPv4 address in it is one all the same.
    fn inside(&mut self, word: &str) -> String {
        if word.matches('.').count() < 3 { word.to_owned() } else { self.word(word) }
    }

    fn word(&mut self, word: &str) -> String {
        if let Ok(address) = word.parse::<IpAddr>() {
            return self.pseudonym(address);
        }
        if let Ok(address) = word.parse::<SocketAddr>() {
            return format!("{}:{}", self.pseudonym(address.ip()), address.port());
        }
        // The end of a sentence, or what a list puts behind.
        for trimmed in
            [word.trim_end_matches('.'), word.trim_end_matches(':'), word.trim_end_matches(['.', ':'])]
        {
            if trimmed.len() < word.len()
                && let Ok(address) = trimmed.parse::<IpAddr>()
            {
                let end = word.get(trimmed.len()..).unwrap_or_default();
                return format!("{}{end}", self.pseudonym(address));
            }
        }
        // What stands before a colon, like a line number, and an address behind it.
        match word.split_once(':') {
            Some((front, behind)) if behind.parse::<std::net::Ipv4Addr>().is_ok() => {
                format!("{front}:{}", self.word(behind))
            }
            Some((front, behind)) if front.parse::<std::net::Ipv4Addr>().is_ok() => {
                format!("{}:{behind}", self.word(front))
            }
            _ => word.to_owned(),
        }
    }

    fn pseudonym(&mut self, address: IpAddr) -> String {
        let address = address.to_canonical();
        let stays = address.is_loopback()
            || address.is_unspecified()
            || self.own.iter().any(|prefix| prefix.contains(address));
        if stays {
            return address.to_string();
        }
        let next = self.pseudonyms.len() + 1;
        let number = match self.pseudonyms.get(&address) {
            Some(number) => *number,
            None if next > PSEUDONYMS_MAX => 0,
            None => *self.pseudonyms.entry(address).or_insert(next),
        };
        format!("{}-{number}", if address.is_ipv4() { "ipv4" } else { "ipv6" })
    }
}

/// Our own tokens, wherever they stand.
fn tokens(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(TOKEN) {
        let (front, from) = rest.split_at(at);
        out.push_str(front);
        out.push_str(HIDDEN);
        let end =
            from.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(from.len());
        rest = from.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// `password = x`, `Authorization: Bearer x`, `"token": "x"`, `bearer x`: what stands behind goes, up to its closing quote or the line's
/// end.
fn after_words(line: &str) -> String {
    // Only letters of ASCII change, so places stay the same.
    let lower = line.to_ascii_lowercase();
    let mut cuts: Vec<usize> = Vec::new();
    for word in BEFORE {
        for (at, _) in lower.match_indices(word) {
            let from = at + word.len();
            let behind = lower.get(from..).unwrap_or_default();
            let sign = behind.trim_start_matches(['"', '\'', ' ']);
            let value = sign.strip_prefix([':', '=']).unwrap_or(sign).trim_start_matches(' ');
            if sign.len() != value.len() || word == "bearer" {
                cuts.push(line.len() - value.len());
            }
        }
    }
    cuts.sort_unstable();
    let mut out = String::with_capacity(line.len());
    let mut done = 0;
    for at in cuts.into_iter().filter(|at| *at < line.len()) {
        if at < done {
            continue;
        }
        out.push_str(line.get(done..at).unwrap_or_default());
        let value = line.get(at..).unwrap_or_default();
        let inside = value.strip_prefix('"').and_then(|inside| inside.find('"').map(|end| end + 2));
        match inside {
            Some(length) => {
                out.push_str(&format!("\"{HIDDEN}\""));
                done = at + length;
            }
            None if value.starts_with(['{', '[', '\n', '\r']) => done = at,
            None => {
                out.push_str(HIDDEN);
                done = at + value.trim_end_matches(['\n', '\r']).len();
            }
        }
    }
    out.push_str(line.get(done..).unwrap_or_default());
    out
}

/// `https://user:password@host`.
fn logins(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (front, behind) = rest.split_at(at + 3);
        out.push_str(front);
        let end = behind.find(|c: char| c == '/' || c.is_whitespace() || c == '"').unwrap_or(behind.len());
        let (host, more) = behind.split_at(end);
        match host.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(HIDDEN);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(host),
        }
        rest = more;
    }
    out.push_str(rest);
    out
}
