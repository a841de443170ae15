//! `spillway intel ip`: all that is known of one address, in one place.

use std::io::Write;
use std::net::IpAddr;

use ::rules::Rule;
use base::Prefix;
use serde_json::{Value, json};

use super::seen::{self, extent, row, said};
use super::{Found, reason, sources};
use crate::cli::Context;
use crate::client::{Api, Reach};
use crate::cmd::policy::{items, word};
use crate::progress::grouped;

/// What is known of an address: attacks it took part in, verdicts and why, its network, rules and lists that name it, its traffic
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The address in a packet is a claim: only a verdict of real, bot, reflector or legitimate says that it sent something.
Traffic is that of the last hour, of flow samples as they are kept (`[history] addresses`).

Examples:
  spillway intel ip 203.0.113.9
  spillway intel ip 2001:db8::9 --attacks 200 -o json")]
pub(super) struct Args {
    /// The address
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,
    /// Ask so many attacks, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    attacks: u32,
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 9] = [
    "kind",
    "id",
    "state",
    "target",
    "started_at",
    "source.verdict",
    "source.confidence",
    "source.reasons",
    "text",
];
/// What of a verdict is true beyond its attack.
const PLACE: [&str; 4] = ["asn", "prefix", "country", "city"];

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let (address, host) = (args.address, Prefix::host(args.address));
    let seen = seen::look(&api, args.attacks, &format!("limit=1{}", sources::within_word(&host)))?;
    let looked_at = extent(&seen);
    let source = |page: &Value| page.pointer("/items/0").cloned();
    let attacks: Vec<Value> =
        seen.pages.iter().filter_map(|(attack, page)| Some(row(attack, "source", source(page)?))).collect();
    let slashed = host.to_string().replace('/', "%2F");
    let allowed = api.find(&format!("/api/v1/allow?source={slashed}"))?.unwrap_or_default();
    let rules = api.find("/api/v1/rules")?.unwrap_or_default();
    let allowed: Vec<Value> = items(&allowed, "items").cloned().collect();
    let rules: Vec<Value> = items(&rules, "items").filter(|rule| names(rule, address)).cloned().collect();
    let document = json!({
        "address": address, "place": place(&attacks), "looked_at": looked_at, "attacks": attacks, "allowed": allowed,
        "rules": rules, "traffic": traffic(&api, address),
    });
    let kinds = [("attack", &attacks), ("allow", &allowed), ("rule", &rules)];
    let rows = kinds.into_iter().flat_map(|(kind, rows)| rows.iter().map(move |row| marked(kind, row)));
    Found { rows: rows.collect(), document, text }.show(&COLUMNS, context)
}

/// A row with what it is.
fn marked(kind: &str, row: &Value) -> Value {
    let fields = row.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    std::iter::once(("kind".to_owned(), Value::from(kind)))
        .chain(fields)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Whether a rule names this address as a source.
fn names(rule: &Value, address: IpAddr) -> bool {
    let text = rule.get("text").and_then(Value::as_str).unwrap_or_default();
    let parsed: Option<Rule> = ::rules::parse::rules(text).ok().and_then(|rules| rules.into_iter().next());
    parsed.and_then(|rule| rule.matches.src).is_some_and(|src| src.contains(address))
}

/// Where it is, by the newest verdict that knows.
fn place(attacks: &[Value]) -> Value {
    let of = |key: &str| {
        let mut known = attacks.iter().filter_map(|attack| attack.pointer(&format!("/source/{key}")));
        (key.to_owned(), known.find(|value| !value.is_null()).cloned().unwrap_or(Value::Null))
    };
    PLACE.into_iter().map(of).collect::<serde_json::Map<_, _>>().into()
}

/// What it sent and got in the last hour; `null`: no samples are kept, or not for this role.
fn traffic(api: &Api, address: IpAddr) -> Value {
    let ask = |field: &str| {
        let question = json!({"filter": format!("{field} = {address}"), "last": 3600, "by": ["asn", "country"], "top": 1});
        let answer = api.post("/api/v1/flows/query", &question).ok()?;
        let row = answer.pointer("/rows/0").and_then(Value::as_array);
        let of = |at: usize| row.and_then(|row| row.get(at)).cloned().unwrap_or(Value::Null);
        Some(json!({"total": answer.get("total"), "asn": of(0), "country": of(1)}))
    };
    match (ask("src"), ask("dst")) {
        (Some(sent), Some(got)) => json!({"sent": sent, "received": got}),
        _ => Value::Null,
    }
}

fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let place = document.get("place").unwrap_or(&Value::Null);
    let asn = place.get("asn").and_then(Value::as_u64).map(|asn| format!("AS{asn}"));
    let rest =
        ["prefix", "country", "city"].map(|key| place.get(key).and_then(Value::as_str).map(str::to_owned));
    let known: Vec<String> = std::iter::once(asn).chain(rest).flatten().collect();
    let known = if known.is_empty() { "where it is, no verdict knows".to_owned() } else { known.join(", ") };
    writeln!(out, "{}: {known}", word(document, "address"))?;
    if items(document, "attacks").next().is_none() {
        writeln!(out, "no attack has it among its sources")?;
    }
    for attack in items(document, "attacks") {
        let source = attack.get("source").unwrap_or(&Value::Null);
        let sure = source.get("confidence").and_then(Value::as_f64).unwrap_or(0.0);
        let packets = grouped(source.get("packets").and_then(Value::as_u64).unwrap_or(0));
        writeln!(
            out,
            "attack {} on {}, {} from {}: {} ({sure:.2}), {packets} packets",
            word(attack, "id"),
            word(attack, "target"),
            word(attack, "state"),
            word(attack, "started_at"),
            word(source, "verdict")
        )?;
        writeln!(out, "  {}", reason::in_words(source))?;
        if let Some(tool) = source.get("tool").and_then(Value::as_str) {
            writeln!(out, "  its packets follow {tool}")?;
        }
    }
    for one in items(document, "allowed") {
        let of = |key| word(one, key);
        writeln!(
            out,
            "allowed to {} up to {}, until {}: {}",
            of("destination"),
            of("ceiling"),
            of("until"),
            of("reason")
        )?;
    }
    for rule in items(document, "rules") {
        writeln!(out, "rule {} ({}): {}", word(rule, "id"), word(rule, "state"), word(rule, "text"))?;
    }
    for (key, verb) in [("sent", "sent"), ("received", "got")] {
        // none says nothing where addresses are kept as pseudonyms
        let some = |total: &&Value| total.get("samples").and_then(Value::as_u64).unwrap_or(0) > 0;
        if let Some(total) = document.pointer(&format!("/traffic/{key}/total")).filter(some) {
            let number = |key: &str| grouped(total.get(key).and_then(Value::as_u64).unwrap_or(0));
            writeln!(
                out,
                "in the last hour it {verb} {} packets, {} octets",
                number("packets"),
                number("bytes")
            )?;
        }
    }
    writeln!(out, "{}", said(document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_an_address_by_its_source_alone() {
        let rule = |text: &str| json!({"text": text});
        let address = "203.0.113.9".parse().unwrap();
        assert!(names(&rule("a dst 198.51.100.7/32 src 203.0.113.0/24 -> drop"), address));
        for other in
            ["a dst 203.0.113.9/32 -> drop", "a dst 198.51.100.7/32 src 192.0.2.0/24 -> drop", "no rule"]
        {
            assert!(!names(&rule(other), address), "{other}");
        }
    }

    #[test]
    fn where_it_is_comes_from_the_newest_verdict_that_knows() {
        let of = |asn: Value, country: Value| json!({"source": {"asn": asn, "country": country}});
        let found = place(&[of(Value::Null, "NL".into()), of(64500.into(), "DE".into())]);
        assert_eq!(
            (&found["asn"], &found["country"], &found["city"]),
            (&64500.into(), &"NL".into(), &Value::Null)
        );
    }
}
