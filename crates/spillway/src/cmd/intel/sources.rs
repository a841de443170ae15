//! `spillway intel sources`: who takes part in an attack, with a verdict on each.

use std::io::Write;

use base::Prefix;
use serde_json::Value;

use super::{Found, reason};
use crate::cli::Context;
use crate::client::Reach;
use crate::cmd::attack;
use crate::cmd::policy::{items, word};
use crate::progress::grouped;

/// The sources of an attack, those with the most packets first: verdict, confidence, reasons, network, country
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An address in a packet is a claim; the verdict says whether it is borne out. Sources are followed while an attack goes on, and kept
with its folder where `[evidence] record = true`.

Examples:
  spillway intel sources 0123456789abcdef
  spillway intel sources 0123456789abcdef --verdict reflector --limit 100000 -o csv > reflectors.csv
  spillway intel sources 0123456789abcdef --within 203.0.113.0/24")]
pub(super) struct Args {
    /// The attack's id
    #[arg(value_name = "ATTACK")]
    id: String,
    /// Only those of this verdict
    #[arg(long, value_name = "VERDICT", value_parser = ["spoofed", "real", "reflector", "bot", "legitimate", "unknown"])]
    verdict: Option<String>,
    /// Only those within this prefix
    #[arg(long, value_name = "PREFIX")]
    within: Option<Prefix>,
    /// Only those that this network announces
    #[arg(long, value_name = "NUMBER")]
    asn: Option<u32>,
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    reach: Reach,
}

/// Sources of one answer.
const PAGE: u32 = 1_000;
/// Columns of a table.
const COLUMNS: [&str; 9] =
    ["address", "verdict", "confidence", "reasons", "packets", "bytes", "asn", "country", "vectors"];

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let wanted = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut all: Vec<Value> = Vec::new();
    let mut after = Some(0);
    let mut whole = Value::Null;
    while let Some(begin) = after.filter(|_| all.len() < wanted) {
        let mut ask = format!("/sources?limit={PAGE}&after={begin}");
        ask.extend(args.within.iter().map(within_word));
        ask.extend(args.asn.iter().map(|asn| format!("&asn={asn}")));
        let mut page = api.json(&attack::path(&args.id, &ask))?;
        let is = |one: &Value| args.verdict.as_deref().is_none_or(|verdict| word(one, "verdict") == verdict);
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            all.extend(items.into_iter().filter(is));
        }
        after = page.get("next").and_then(Value::as_u64);
        whole = page;
    }
    all.truncate(wanted);
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("items".to_owned(), all.iter().cloned().collect());
        // a page is not what was asked for
        whole.insert("next".to_owned(), Value::Null);
    }
    Found { document: whole, rows: all, text }.show(&COLUMNS, context)
}

/// A prefix in a question, with its slash.
pub(super) fn within_word(within: &Prefix) -> String {
    format!("&within={}", within.to_string().replace('/', "%2F"))
}

/// What they are together, then each.
fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let number = |of: &Value, key: &str| grouped(of.get(key).and_then(Value::as_u64).unwrap_or(0));
    writeln!(
        out,
        "attack {}: {} sources, {} ({}), as of {}",
        word(document, "attack"),
        number(document, "count"),
        word(document, "nature"),
        word(document, "confidence"),
        word(document, "as_of")
    )?;
    for (name, amount) in document.get("verdicts").and_then(Value::as_object).into_iter().flatten() {
        writeln!(
            out,
            "  {name:<12} {:>12} sources {:>16} packets",
            number(amount, "sources"),
            number(amount, "packets")
        )?;
    }
    for (title, key) in [("networks", "networks"), ("countries", "countries")] {
        let first: Vec<String> = items(document, key)
            .take(5)
            .map(|row| {
                format!(
                    "{} ({} packets)",
                    row.get("name")
                        .filter(|name| !name.is_null())
                        .map_or_else(|| "not known".to_owned(), |_| word(row, "name")),
                    number(row, "packets")
                )
            })
            .collect();
        if !first.is_empty() {
            writeln!(out, "  {title:<12} {}", first.join(", "))?;
        }
    }
    writeln!(out)?;
    for one in items(document, "items") {
        writeln!(out, "{}", line(one))?;
    }
    Ok(())
}

/// One source.
pub(super) fn line(one: &Value) -> String {
    let place: Vec<String> = [
        one.get("asn").and_then(Value::as_u64).map(|asn| format!("AS{asn}")),
        one.get("country").and_then(Value::as_str).map(str::to_owned),
    ]
    .into_iter()
    .flatten()
    .collect();
    let packets = grouped(one.get("packets").and_then(Value::as_u64).unwrap_or(0));
    format!(
        "{:<39} {:<10} {:<5} {packets:>12} packets  {:<14} {}",
        word(one, "address"),
        word(one, "verdict"),
        one.get("confidence").and_then(Value::as_f64).map_or_else(String::new, |sure| format!("{sure:.2}")),
        place.join(" "),
        reason::in_words(one)
    )
    .trim_end()
    .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_one_line_with_its_reasons_in_words() {
        let one = json!({"address": "192.0.2.1", "verdict": "bot", "confidence": 0.934, "packets": 1234, "asn": 64500,
            "country": "NL", "reasons": ["F1", "Z9"]});
        let said = line(&one);
        assert!(said.starts_with("192.0.2.1 ") && said.contains(" bot ") && said.contains("0.93"), "{said}");
        assert!(said.contains("1,234 packets  AS64500 NL"), "{said}");
        // a code of a newer daemon is shown as it is
        assert!(said.ends_with("F1 its packets are shaped like a known tool's; Z9"), "{said}");
    }
}
