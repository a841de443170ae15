//! What stands behind the arrow.

use alloc::format;

use super::{Cursor, Fault, Token, unknown, value};
use crate::rule::{Action, Encapsulation, Per, limits};

const ACTIONS: [&str; 6] = ["pass", "drop", "rate", "challenge", "redirect", "tunnel"];

pub(super) fn action(cursor: &mut Cursor<'_>) -> Result<Action, Fault> {
    let token = cursor.next("an action (pass, drop, rate, challenge, redirect or tunnel)")?;
    Ok(match token.text {
        "pass" => Action::Pass,
        "drop" => Action::Drop,
        "rate" => value::rate(cursor.next("a rate like 1000pps or 8Mbps")?)?,
        "challenge" => Action::Challenge(above(cursor)?),
        "redirect" => Action::Redirect(address(cursor.next("the address of a next hop")?)?),
        "tunnel" => {
            let token = cursor.next("gre or ipip")?;
            let kind = match token.text {
                "gre" => Encapsulation::Gre,
                "ipip" => Encapsulation::Ipip,
                _ => return Err(unknown(token, &["gre", "ipip"], "a kind of tunnel")),
            };
            Action::Tunnel(kind, address(cursor.next("the address of the tunnel's other end")?)?)
        }
        _ => return Err(unknown(token, &ACTIONS, "an action")),
    })
}

/// `above 500pps`, behind `challenge`.
fn above(cursor: &mut Cursor<'_>) -> Result<u32, Fault> {
    if cursor.peek().is_none_or(|token| token.text != "above") {
        return Ok(0);
    }
    cursor.at += 1;
    let token = cursor.next("a rate like 500pps")?;
    let most = limits::UNCHALLENGED;
    let rate = token.text.parse::<base::units::PacketRate>().ok().map(|rate| rate.0);
    let whole = rate.filter(|rate| (1.0..=f64::from(most)).contains(rate) && libm::floor(*rate) == *rate);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number in range")]
    whole.map(|rate| rate as u32).ok_or_else(|| {
        token.fault(format!("`{}` is no whole rate of packets; write one from 1pps to {most}pps", token.text))
    })
}

fn address(token: Token<'_>) -> Result<core::net::IpAddr, Fault> {
    token.text.parse().map_err(|_| {
        token.fault(format!("`{}` is no address; write one like 192.0.2.1 or 2001:db8::1", token.text))
    })
}

/// `per source` or `per destination`, behind a rate.
pub(super) fn per(action: Action, cursor: &mut Cursor<'_>) -> Result<Per, Fault> {
    let Some(token) = cursor.peek().filter(|token| token.text == "per") else { return Ok(Per::Rule) };
    if !matches!(action, Action::RatePackets(_) | Action::RateBits(_)) {
        return Err(token.fault("only a rate is counted per source or destination; remove it"));
    }
    cursor.at += 1;
    let token = cursor.next("source or destination")?;
    match token.text {
        "source" => Ok(Per::Source),
        "destination" => Ok(Per::Destination),
        _ => Err(unknown(token, &["source", "destination"], "something that a rate is counted for")),
    }
}

/// `sample 1/100`.
pub(super) fn sample(cursor: &mut Cursor<'_>) -> Result<Option<u32>, Fault> {
    if cursor.peek().is_none_or(|token| token.text != "sample") {
        return Ok(None);
    }
    cursor.at += 1;
    let token = cursor.next("a share like 1/100")?;
    let number = token.text.strip_prefix("1/").filter(|n| n.bytes().all(|octet| octet.is_ascii_digit()));
    let one_in = number.and_then(|number| number.parse().ok());
    one_in.filter(|one_in| (1..=limits::SAMPLE).contains(one_in)).map(Some).ok_or_else(|| {
        let most = limits::SAMPLE;
        token.fault(format!("`{}` is no share of packets; write it like 1/100, at most 1/{most}", token.text))
    })
}

pub(super) fn lease(cursor: &mut Cursor<'_>) -> Result<Option<base::Span>, Fault> {
    let Some(token) = cursor.peek() else { return Ok(None) };
    if token.text != "for" {
        return Ok(None);
    }
    cursor.at += 1;
    let token = cursor.next("a length of time like 15m")?;
    let span: base::Span =
        token.text.parse().map_err(|bad| token.fault(format!("`{}` is {bad}", token.text)))?;
    if span == base::Span::ZERO {
        return Err(token.fault("a lease of no time holds never; write one like 15m"));
    }
    Ok(Some(span))
}
