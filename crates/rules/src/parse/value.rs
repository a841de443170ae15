//! The values behind the keys.

use alloc::format;
use alloc::vec::Vec;

use base::Prefix;
use base::units::{BitRate, PacketRate};

use super::{Fault, Token};
use crate::print::{FLAG_NAMES, FRAGMENT_NAMES, OPTION_NAMES, PROTOCOL_NAMES};
use crate::rule::{Action, Flags, Fragments, Numbers, Payload, Range, limits};

/// Numbers and ranges in one list at most: 512 of them fit into the longest FlowSpec NLRI.
const LIST_MAX: usize = 1024;
/// Octets of payload compared at most.
const PAYLOAD_MAX: usize = 128;
/// Packets or bits a second at most; far above any line, and every such number is exact enough.
const RATE_MAX: f64 = 1e15;

pub(super) fn prefix(token: Token<'_>) -> Result<Prefix, Fault> {
    token.text.parse().map_err(|bad| token.fault(format!("{bad}")))
}

pub(super) fn protocol(token: Token<'_>) -> Result<u8, Fault> {
    if let Some((_, number)) = PROTOCOL_NAMES.iter().find(|(name, _)| *name == token.text) {
        return Ok(*number);
    }
    if digits(token.text) {
        if let Ok(number) = token.text.parse() {
            return Ok(number);
        }
        return Err(token.fault(format!("protocol {} does not exist; the largest is 255", token.text)));
    }
    let names: Vec<&str> = PROTOCOL_NAMES.iter().map(|(name, _)| *name).collect();
    Err(token.fault(format!(
        "`{}` is no protocol known by name; write {} or its number",
        token.text,
        names.join(", ")
    )))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The pieces between commas, with their columns.
fn pieces<'a>(token: Token<'a>) -> Result<Vec<Token<'a>>, Fault> {
    let mut column = token.column;
    let mut out = Vec::new();
    for text in token.text.split(',') {
        if text.is_empty() {
            return Err(Fault {
                column,
                message: "an empty place in a list; write it without blanks, like 53,123".into(),
            });
        }
        out.push(Token { column, text });
        column += text.chars().count() + 1;
    }
    if out.len() > LIST_MAX {
        return Err(
            token.fault(format!("more than {LIST_MAX} entries in a list; use ranges or another rule"))
        );
    }
    Ok(out)
}

/// `53,123`, `468-1500`, `>=468`, `<=40`, none above `max`.
pub(super) fn numbers(token: Token<'_>, max: u32) -> Result<Numbers, Fault> {
    let number = |piece: Token<'_>, text: &str| -> Result<u32, Fault> {
        if !digits(text) {
            return Err(piece.fault(format!(
                "`{}` is not a number or a range; write it like 53, 468-1500, >=468 or <=40",
                piece.text
            )));
        }
        match text.parse() {
            Ok(value) if value <= max => Ok(value),
            _ => Err(piece.fault(format!("{text} is too large; the largest is {max}"))),
        }
    };
    let range = |piece: Token<'_>| -> Result<Range, Fault> {
        if let Some(from) = piece.text.strip_prefix(">=") {
            return Ok(Range { from: number(piece, from)?, to: max });
        }
        if let Some(to) = piece.text.strip_prefix("<=") {
            return Ok(Range { from: 0, to: number(piece, to)? });
        }
        let Some((from, to)) = piece.text.split_once('-') else {
            let value = number(piece, piece.text)?;
            return Ok(Range { from: value, to: value });
        };
        let (from, to) = (number(piece, from)?, number(piece, to)?);
        if from > to {
            return Err(piece.fault(format!("`{}` runs backwards; write {to}-{from}", piece.text)));
        }
        Ok(Range { from, to })
    };
    pieces(token)?.into_iter().map(range).collect::<Result<_, _>>().map(Numbers)
}

/// `syn/syn+ack`, `none/fin+syn+rst`, and commas between.
pub(super) fn flags(token: Token<'_>) -> Result<Vec<Flags>, Fault> {
    let one = |piece: Token<'_>| {
        let Some((value, mask)) = piece.text.split_once('/') else {
            return Err(piece.fault(format!(
                "`{0}` lacks the mask; write which flags are looked at, like {0}/{0} or syn/syn+ack",
                piece.text
            )));
        };
        let (value, mask) = (flag_set(piece, value)?, flag_set(piece, mask)?);
        if value & !mask != 0 {
            return Err(piece.fault(format!(
                "`{}` asks for flags that its mask leaves out; add them to the mask",
                piece.text
            )));
        }
        Ok(Flags { value, mask })
    };
    pieces(token)?.into_iter().map(one).collect()
}

fn flag_set(piece: Token<'_>, text: &str) -> Result<u16, Fault> {
    if text == "none" {
        return Ok(0);
    }
    let mut set = 0;
    for name in text.split('+') {
        let named = FLAG_NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit);
        let hex = || u16::from_str_radix(name.strip_prefix("0x")?, 16).ok().filter(|bits| *bits <= 0x0fff);
        set |= named.or_else(hex).ok_or_else(|| {
            let names: Vec<&str> = FLAG_NAMES.iter().map(|(name, _)| *name).collect();
            piece.fault(format!("`{name}` is no TCP flag; known are none, {}", names.join(", ")))
        })?;
    }
    Ok(set)
}

pub(super) fn fragments(token: Token<'_>) -> Result<Fragments, Fault> {
    let mut out = Fragments::default();
    for piece in pieces(token)? {
        match piece.text {
            "none" => out.none = true,
            "is" => out.is = true,
            "first" => out.first = true,
            "last" => out.last = true,
            "dont" => out.dont = true,
            other => {
                return Err(piece.fault(format!(
                    "`{other}` is no kind of fragment; known are {}",
                    FRAGMENT_NAMES.join(", ")
                )));
            }
        }
    }
    Ok(out)
}

/// `mss,sackok,ts,nop,ws` or `none`.
pub(super) fn options(token: Token<'_>) -> Result<Vec<u8>, Fault> {
    if token.text == "none" {
        return Ok(Vec::new());
    }
    let kind = |piece: Token<'_>| {
        let named = OPTION_NAMES.iter().find(|(name, _)| *name == piece.text).map(|(_, kind)| *kind);
        let number = || piece.text.parse().ok().filter(|_| digits(piece.text));
        named.or_else(number).ok_or_else(|| {
            let names: Vec<&str> = OPTION_NAMES.iter().map(|(name, _)| *name).collect();
            piece.fault(format!(
                "`{}` is no TCP option known by name; write none, {} or its number",
                piece.text,
                names.join(", ")
            ))
        })
    };
    let kinds: Vec<u8> = pieces(token)?.into_iter().map(kind).collect::<Result<_, _>>()?;
    if kinds.len() > limits::OPTIONS {
        return Err(token.fault(format!("more than {} TCP options; no stack sends so many", limits::OPTIONS)));
    }
    match kinds.iter().position(|kind| *kind == 0) {
        Some(at) if at + 1 < kinds.len() => Err(token.fault("`eol` ends the options; put nothing behind it")),
        _ => Ok(kinds),
    }
}

/// `OFFSET:HEX` or `OFFSET:HEX/MASK`.
pub(super) fn payload(token: Token<'_>) -> Result<Payload, Fault> {
    let form =
        || token.fault(format!("`{}` is not OFFSET:HEX or OFFSET:HEX/MASK, like 0:17000003", token.text));
    let (offset, rest) = token.text.split_once(':').ok_or_else(form)?;
    if !digits(offset) {
        return Err(form());
    }
    let offset: u16 = offset
        .parse()
        .map_err(|_| token.fault(format!("offset {offset} is too large; the largest is 65535")))?;
    let (value, mask) = match rest.split_once('/') {
        Some((value, mask)) => (value, Some(mask)),
        None => (rest, None),
    };
    let value = hex(value).ok_or_else(form)?;
    let mask = match mask {
        Some(mask) => hex(mask).ok_or_else(form)?,
        None => alloc::vec![0xff; value.len()],
    };
    if value.len() > PAYLOAD_MAX {
        return Err(token.fault(format!("more than {PAYLOAD_MAX} octets of payload; compare fewer")));
    }
    if mask.len() != value.len() {
        return Err(token.fault(format!(
            "the mask has {} octets and the value {}; make them equally long",
            mask.len(),
            value.len()
        )));
    }
    Ok(Payload { offset, value, mask })
}

/// Pairs of hexadecimal digits, at least one.
fn hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

pub(super) fn rate(token: Token<'_>) -> Result<Action, Fault> {
    let action = if token.text.ends_with("bps") {
        token.text.parse::<BitRate>().ok().map(|rate| (rate.0, Action::RateBits(rate.0)))
    } else {
        token.text.parse::<PacketRate>().ok().map(|rate| (rate.0, Action::RatePackets(rate.0)))
    };
    match action {
        Some((value, action)) if value <= RATE_MAX => Ok(action),
        Some(_) => Err(token.fault(format!("`{}` is above every line; the most is 1000Tbps", token.text))),
        None => Err(token.fault(format!(
            "`{}` is not a rate with its unit; write it like 1000pps, 20kpps, 8Mbps or 2Gbps",
            token.text
        ))),
    }
}
