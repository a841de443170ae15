//! A fingerprint as what can be compared: sets of sources become digests, names of services those of vectors.
//!
//! A fingerprint of the dissector lists all sources, forged and honest ones among them; only those of reflections are compared, for
//! a reflector answers from where it is. It knows no shapes.

use std::collections::{BTreeMap, BTreeSet};

use base::{Span, Timestamp};

use super::{Fingerprint, Refused, Spread, Vector, words};
use crate::campaign::{Trace, digest};
use crate::rules::Rules;
use crate::shape::shape_id;

/// The trace of a fingerprint; `key` is that of the traces that it is compared with.
///
/// # Errors
/// Its beginning is no time.
pub fn trace(fingerprint: &Fingerprint, rules: &Rules, key: u64) -> Result<Trace, Refused> {
    let started = time(&fingerprint.time_start).ok_or_else(|| Refused {
        place: "time_start".to_owned(),
        reason: format!("`{}` is no time like 2026-11-27T13:00:00+00:00", fingerprint.time_start),
    })?;
    let is_ours = fingerprint.spillway.is_some();
    let mut vectors: Vec<(String, &Vector)> =
        fingerprint.attack_vectors.iter().map(|vector| (name(vector, rules), vector)).collect();
    let part = |vector: &Vector| vector.fraction_of_attack.unwrap_or(0.0);
    vectors.sort_by(|(a, x), (b, y)| part(y).total_cmp(&part(x)).then_with(|| a.cmp(b)));
    let sources = |reflected: bool| {
        let wanted = vectors.iter().filter(move |(name, _)| is_reflection(name) == reflected);
        wanted.flat_map(|(_, vector)| vector.source_ips.iter().copied())
    };
    let hosts = digest(sources(false).filter(|_| is_ours), key);
    let mut shapes: BTreeMap<String, f64> = BTreeMap::new();
    let mut payloads = BTreeSet::new();
    let mut tooled = 0.0;
    for (_, vector) in &vectors {
        let Some(ours) = &vector.spillway else { continue };
        for text in &ours.shapes {
            *shapes.entry(shape_id(text)).or_default() +=
                part(vector) / f64::from(u32::try_from(ours.shapes.len()).unwrap_or(1));
            let payload = text.split(' ').find_map(|field| field.strip_prefix("payload="));
            payloads.extend(payload.filter(|p| p.len() == 16).map(String::from));
        }
        tooled += if ours.tools.is_empty() { 0.0 } else { part(vector) };
    }
    Ok(Trace {
        reflectors: digest(sources(true), key),
        hosts,
        shapes,
        payloads,
        common: tooled > 0.5,
        vectors: vectors.iter().map(|(name, _)| name.clone()).collect(),
        started,
        seconds: Span::from_secs(fingerprint.duration_seconds).as_secs_f64(),
    })
}

fn is_reflection(name: &str) -> bool {
    name.starts_with(words::AMPLIFICATION) || name.ends_with("-reflection")
}

/// What a vector is called here.
fn name(vector: &Vector, rules: &Rules) -> String {
    if let Some(ours) = &vector.spillway {
        return ours.name.clone();
    }
    let port = match &vector.source_port {
        Spread::One(port) => Some(*port),
        Spread::Shares(shares) => {
            shares.iter().find(|(_, share)| **share > 0.9).and_then(|(port, _)| port.parse().ok())
        }
        Spread::Random => None,
    };
    let flags = match &vector.tcp_flags {
        Some(Spread::Shares(shares)) => {
            shares.iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(flags, _)| flags.as_str())
        }
        _ => None,
    };
    let has = |flag: char| flags.is_some_and(|flags| flags.contains(flag));
    match vector.protocol.as_str() {
        "UDP" => match port.and_then(|port| rules.reflects(port)) {
            Some(service) => format!("{}{service}", words::AMPLIFICATION),
            None => "udp-flood".to_owned(),
        },
        "TCP" if has('S') && has('A') => "tcp-synack-reflection".to_owned(),
        "TCP" if has('S') => "tcp-syn-flood".to_owned(),
        "TCP" if has('R') || has('F') => "tcp-rst-fin-flood".to_owned(),
        "TCP" => "tcp-ack-flood".to_owned(),
        "ICMP" => "icmp-flood".to_owned(),
        "GRE" => "gre-flood".to_owned(),
        _ => "other-protocol-flood".to_owned(),
    }
}

/// A time as fingerprints write it: `2026-11-27T13:00:00.5+01:00`, a space for the T, no zone for UTC.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim().replacen(' ', "T", 1);
    let (date, clock) = text.split_once('T')?;
    let clock = clock.trim_end_matches('Z');
    let (clock, zone) = match clock.find(['+', '-']) {
        Some(at) => clock.split_at_checked(at)?,
        None => (clock, "+00:00"),
    };
    let at: Timestamp = format!("{date}T{clock}Z").parse().ok()?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = zone.split_once(':').or_else(|| zone.split_at_checked(2))?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let apart = Span::from_secs(hours.min(24) * 3_600 + minutes.min(60) * 60);
    Some(if sign == "+" { at.minus(apart) } else { at.plus(apart) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_occur() {
        let at: Timestamp = "2021-04-28T11:43:41.5Z".parse().unwrap();
        for text in [
            "2021-04-28T11:43:41.5Z",
            "2021-04-28 11:43:41.5",
            "2021-04-28T11:43:41.500000+00:00",
            "2021-04-28T13:43:41.5+02:00",
            "2021-04-28T09:13:41.5-0230",
        ] {
            assert_eq!(time(text), Some(at), "{text}");
        }
        for text in ["", "yesterday", "2021-04-28", "2021-04-28T11:43:41+x"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
