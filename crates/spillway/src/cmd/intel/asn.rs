//! `spillway intel asn`: what came of one network.

use std::io::Write;

use serde_json::{Value, json};

use super::seen::{self, extent, row, said};
use super::{Found, sources};
use crate::cli::Context;
use crate::client::Reach;
use crate::cmd::policy::{items, word};
use crate::progress::grouped;

/// What came of a network: attacks it took part in, its sources in each, servers of its that were misused
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Forged senders are left out of its sums: they are not of the network whose addresses they claim.

Examples:
  spillway intel asn 64500
  spillway intel asn AS64500 --top 20 -o csv")]
pub(super) struct Args {
    /// Its number, with or without AS
    #[arg(value_name = "NUMBER", value_parser = number)]
    asn: u32,
    /// So many sources of each attack, those with the most packets
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    top: u32,
    /// Ask so many attacks, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    attacks: u32,
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 9] = [
    "id",
    "state",
    "target",
    "started_at",
    "source.address",
    "source.verdict",
    "source.confidence",
    "source.packets",
    "source.reasons",
];

/// `64500` or `AS64500`.
fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
    digits.parse().map_err(|_| "a network is like 64500 or AS64500".to_owned())
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let seen = seen::look(&api, args.attacks, &format!("limit={}&asn={}", args.top, args.asn))?;
    let looked_at = extent(&seen);
    // what attacks have in common is not for customers
    let together = api.find("/api/v1/intelligence")?.unwrap_or_default();
    let of = |key: &str| -> Vec<Value> {
        let own = |line: &&Value| line.get("asn").and_then(Value::as_u64) == Some(u64::from(args.asn));
        items(&together, key).filter(own).cloned().collect()
    };
    let (mut attacks, mut rows) = (Vec::new(), Vec::new());
    for (attack, page) in &seen.pages {
        let found: Vec<Value> = items(page, "items").cloned().collect();
        if found.is_empty() {
            continue;
        }
        rows.extend(found.iter().map(|source| row(attack, "source", source.clone())));
        attacks.push(row(attack, "sources", found.into()));
    }
    let document = json!({
        "asn": args.asn, "looked_at": looked_at, "total": of("networks").first(), "misused": of("reflectors"), "attacks": attacks,
    });
    Found { document, rows, text }.show(&COLUMNS, context)
}

fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let number = |of: &Value, key: &str| grouped(of.get(key).and_then(Value::as_u64).unwrap_or(0));
    let name = format!("AS{}", word(document, "asn"));
    match document.get("total").filter(|total| !total.is_null()) {
        Some(total) => writeln!(
            out,
            "{name}: {} packets of {} sources in {} attacks",
            number(total, "packets"),
            number(total, "sources"),
            number(total, "attacks")
        )?,
        None => writeln!(out, "{name}: not among the networks that sent most")?,
    }
    for line in items(document, "misused") {
        writeln!(
            out,
            "  misused for {}: {} servers, {} packets",
            word(line, "protocol"),
            number(line, "sources"),
            number(line, "packets")
        )?;
    }
    for attack in items(document, "attacks") {
        writeln!(
            out,
            "attack {} on {}, {} from {}",
            word(attack, "id"),
            word(attack, "target"),
            word(attack, "state"),
            word(attack, "started_at")
        )?;
        for source in items(attack, "sources") {
            writeln!(out, "  {}", sources::line(source))?;
        }
    }
    writeln!(out, "{}", said(document))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_network_is_a_number_with_or_without_as() {
        assert_eq!((number("64500"), number("AS64500"), number("as1")), (Ok(64_500), Ok(64_500), Ok(1)));
        for wrong in ["", "AS", "4294967296", "ASX", "-1"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
