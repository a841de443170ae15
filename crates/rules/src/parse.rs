//! The text of rules: one a line, `#` comments.
//!
//! Every message names the place and the remedy. What the printer writes is read back as the same rule.

mod action;
pub mod flowspec;
mod value;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base::map::{Map, Seed};

use crate::rule::{Match, Rule, limits};

/// Rules read from one text at most; the line behind them is an error.
pub const RULES_MAX: usize = 65_536;
/// Octets of an id at most (an nftables comment holds 128).
pub const ID_MAX: usize = 120;
/// Errors collected from one text at most: who has more reads these first.
const ERRORS_MAX: usize = 20;

/// The keys of a match, in the order they are printed.
pub const KEYS: [&str; 16] = [
    "dst",
    "src",
    "proto",
    "src-port",
    "dst-port",
    "port",
    "icmp-type",
    "icmp-code",
    "tcp-flags",
    "length",
    "dscp",
    "fragment",
    "ttl",
    "window",
    "payload",
    "tcp-options",
];

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl core::error::Error for ParseError {}

/// Reads a whole rule file. All errors are reported, not only the first.
pub fn rules(text: &str) -> Result<Vec<Rule>, Vec<ParseError>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    let mut seen: Map<String, usize> = Map::new(Seed::default());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let tokens = split(line);
        let Some(first) = tokens.first().copied() else { continue };
        let at = |fault: Fault| ParseError { line: number, column: fault.column, message: fault.message };
        match read(line, &tokens) {
            Err(fault) => errors.push(at(fault)),
            Ok(_) if found.len() == RULES_MAX => {
                errors.push(at(first.fault(format!("more than {RULES_MAX} rules; split the file"))));
                break;
            }
            Ok(rule) => match seen.get(&rule.id) {
                Some(earlier) => errors.push(at(first.fault(format!(
                    "the id `{}` is taken by line {earlier}; give each rule an id of its own",
                    rule.id
                )))),
                None => {
                    seen.insert(rule.id.clone(), number);
                    found.push(rule);
                }
            },
        }
        if errors.len() == ERRORS_MAX {
            break;
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// One rule on one line.
impl FromStr for Rule {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        read(line, &split(line)).map_err(|f| ParseError { line: 1, column: f.column, message: f.message })
    }
}

/// The match part alone: `dst 192.0.2.1/32 proto udp`.
impl FromStr for Match {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let tokens = split(line);
        let mut cursor = Cursor::new(line, &tokens);
        let mut matches = Self::default();
        let mut read = || {
            while let Some(key) = cursor.peek() {
                cursor.at += 1;
                if !part(&mut matches, key, &mut cursor)? {
                    return Err(unknown(key, &KEYS, "a part of a match"));
                }
            }
            consistent(&matches, &cursor)
        };
        read().map_err(|f| ParseError { line: 1, column: f.column, message: f.message })?;
        Ok(matches)
    }
}

/// What is wrong at which column of the line being read.
#[derive(Clone, Debug)]
struct Fault {
    column: usize,
    message: String,
}

/// A word and where it begins.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    column: usize,
    text: &'a str,
}

impl Token<'_> {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { column: self.column, message: message.into() }
    }
}

/// Words of a line, up to a word that begins with `#`.
fn split(line: &str) -> Vec<Token<'_>> {
    let mut column = 1;
    let mut out = Vec::new();
    for piece in line.split_inclusive(char::is_whitespace) {
        let text = piece.trim_end();
        if text.starts_with('#') {
            break;
        }
        if !text.is_empty() {
            out.push(Token { column, text });
        }
        column += piece.chars().count();
    }
    out
}

struct Cursor<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    fn new(line: &str, tokens: &'a [Token<'a>]) -> Self {
        let end =
            tokens.last().map_or_else(|| line.chars().count() + 1, |t| t.column + t.text.chars().count());
        Self { tokens, at: 0, end }
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    /// The next word, or a fault that says what should stand there.
    fn next(&mut self, wanted: &str) -> Result<Token<'a>, Fault> {
        let token = self.peek().ok_or_else(|| Fault {
            column: self.end,
            message: format!("the line ends where {wanted} should stand"),
        })?;
        self.at += 1;
        Ok(token)
    }
}

fn read(line: &str, tokens: &[Token<'_>]) -> Result<Rule, Fault> {
    let mut cursor = Cursor::new(line, tokens);
    let first = cursor.next("the id of the rule")?;
    let id = id(first, cursor.peek())?;
    let mut matches = Match::default();
    let mut precedence = None;
    loop {
        let token = cursor.next("`-> ACTION`, like `-> drop`,")?;
        if token.text == "->" {
            break;
        }
        if let Some(number) = token.text.strip_prefix('@') {
            let value = number.parse::<u32>().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()));
            let value = value.ok_or_else(|| {
                token.fault(format!(
                    "`{}` is no precedence; write a whole number up to {}, like @100",
                    token.text,
                    u32::MAX
                ))
            })?;
            if precedence.replace(value).is_some() {
                return Err(token.fault("the precedence stands here a second time; remove one"));
            }
        } else if !part(&mut matches, token, &mut cursor)? {
            return Err(unknown(token, &KEYS, "a part of a match"));
        }
    }
    consistent(&matches, &cursor)?;
    let action = action::action(&mut cursor)?;
    let per = action::per(action, &mut cursor)?;
    let sample = action::sample(&mut cursor)?;
    let lease = action::lease(&mut cursor)?;
    if let Some(rest) = cursor.peek() {
        return Err(rest.fault(format!("`{}` stands behind the end of the rule; remove it", rest.text)));
    }
    Ok(Rule { id, precedence: precedence.unwrap_or(0), matches, action, per, sample, lease })
}

fn id(token: Token<'_>, next: Option<Token<'_>>) -> Result<String, Fault> {
    let text = token.text;
    // A rule may be called `ttl`; a key with its value behind it is no id.
    let begins = |t: Token<'_>| KEYS.contains(&t.text) || t.text == "->" || t.text.starts_with('@');
    let looks_like_a_part = KEYS.contains(&text) && next.is_some_and(|next| !begins(next));
    if looks_like_a_part || text == "->" || text.starts_with('@') {
        return Err(token.fault(format!("a rule begins with its id; write one in front of `{text}`")));
    }
    if text.len() > ID_MAX {
        return Err(token.fault(format!("the id is longer than {ID_MAX} octets; shorten it")));
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\\' | '#')) {
        Some(c) => {
            Err(token
                .fault(format!("`{c}` cannot stand in an id; use letters, digits and - _ . : like `ntp-1`")))
        }
        None => Ok(text.to_string()),
    }
}

/// Reads one key and its value into `matches`; `false` for a key that is none.
fn part(matches: &mut Match, key: Token<'_>, cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    macro_rules! set {
        ($field:ident, $wanted:expr, $read:expr) => {{
            let token = cursor.next($wanted)?;
            if matches.$field.is_some() {
                return Err(key.fault(format!("`{}` stands here a second time; remove one", key.text)));
            }
            let value = $read(token)?;
            matches.$field = Some(value);
        }};
    }
    let list = |max| move |token| value::numbers(token, max);
    match key.text {
        "dst" => set!(dst, "a prefix", value::prefix),
        "src" => set!(src, "a prefix", value::prefix),
        "proto" => set!(protocol, "a protocol", value::protocol),
        "src-port" => set!(src_port, "a list of ports", list(limits::PORT)),
        "dst-port" => set!(dst_port, "a list of ports", list(limits::PORT)),
        "port" => set!(port, "a list of ports", list(limits::PORT)),
        "icmp-type" => set!(icmp_type, "a list of types", list(limits::OCTET)),
        "icmp-code" => set!(icmp_code, "a list of codes", list(limits::OCTET)),
        "tcp-flags" => set!(tcp_flags, "a list of flags", value::flags),
        "length" => set!(length, "a list of lengths", list(limits::LENGTH)),
        "dscp" => set!(dscp, "a list of code points", list(limits::DSCP)),
        "fragment" => set!(fragment, "a kind of fragment", value::fragments),
        "ttl" => set!(ttl, "a list of hops", list(limits::OCTET)),
        "window" => set!(window, "a list of windows", list(limits::PORT)),
        "payload" => set!(payload, "OFFSET:HEX", value::payload),
        "tcp-options" => set!(tcp_options, "a list of kinds", value::options),
        _ => return Ok(false),
    }
    Ok(true)
}

/// A packet has one family.
fn consistent(matches: &Match, cursor: &Cursor<'_>) -> Result<(), Fault> {
    match (matches.dst, matches.src) {
        (Some(dst), Some(src)) if dst.is_ipv4() != src.is_ipv4() => {
            let column = cursor.tokens.iter().find(|t| t.text == "src").map_or(1, |t| t.column);
            let message = format!("src {src} and dst {dst} are of different families; no packet has both");
            Err(Fault { column, message })
        }
        _ => Ok(()),
    }
}

/// A fault that names the nearest word known.
fn unknown(token: Token<'_>, known: &[&str], what: &str) -> Fault {
    let nearest = known.iter().map(|word| (distance(token.text, word), *word)).min();
    let message = match nearest {
        Some((far, word)) if far <= 1 + word.len() / 3 => {
            format!("`{}` is not {what}; did you mean `{word}`?", token.text)
        }
        _ => format!("`{}` is not {what}; known are: {}", token.text, known.join(", ")),
    };
    token.fault(message)
}

/// Single-character edits that make `b` of `a` (Levenshtein), of which the first 40 characters are looked at.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(40).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
