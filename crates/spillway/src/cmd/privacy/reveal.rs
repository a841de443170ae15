//! `spillway privacy reveal`: a pseudonym turned back into an address, once that stands in the ledger.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::IpAddr;

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use anyhow::{Context as _, bail};
use base::{Day, Prefix};
use intel::Pseudonyms;
use serde_json::json;

use super::super::asked::{self, Why};
use super::super::ledger::config;
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::ledger::{Item, Store};
use crate::output::{self, Format};
use crate::privacy::{Keys, clear};

/// Turn pseudonyms back into addresses, while the key of their day lives; it stands in the ledger first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An address or a prefix, as it stands in a document that says `pseudonymous`
    #[arg(value_name = "PSEUDONYM", required = true, value_parser = pseudonym)]
    pseudonyms: Vec<Prefix>,
    /// The day that stands there
    #[arg(long, value_name = "DAY")]
    day: Day,
    #[command(flatten)]
    why: Why,
}

fn pseudonym(text: &str) -> Result<Prefix, String> {
    let address = text.parse::<IpAddr>().map(Prefix::host);
    address.or_else(|_| text.parse()).map_err(|wrong: base::prefix::BadPrefix| wrong.to_string())
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let Args { pseudonyms, day, why } = args;
    let config = config(&why.daemon)?;
    let key = Keys::new(&config.state_dir).get(day)?.and_then(Pseudonyms::new);
    let Some(key) = key else {
        bail!(
            "there is no key of {day}: nothing was concealed on that day, or its key was destroyed, and nobody can reveal it"
        )
    };
    let entry = if config.ledger.enabled {
        let written = write_down(&config, &pseudonyms, day, &why.reason, asked::person(why.person));
        Some(written.context("nothing is revealed that does not stand in the ledger")?)
    } else {
        None
    };
    let clear = clear(&config);
    let shown = |prefix: &Prefix| {
        if prefix.is_host() { prefix.addr().to_string() } else { prefix.to_string() }
    };
    let lines = pseudonyms.iter().map(|pseudonym| {
        let address = shown(&key.reveal(&clear, *pseudonym));
        json!({"pseudonym": shown(pseudonym), "address": address, "day": day.to_string(), "entry": entry})
    });
    let lines: Vec<_> = lines.collect();
    let mut out = output::stdout();
    match context.format(Format::Jsonl) {
        Format::Json => output::document(&mut out, &lines)?,
        Format::Jsonl => lines.iter().try_for_each(|line| output::line(&mut out, line))?,
        Format::Text => {
            for pseudonym in &pseudonyms {
                writeln!(out, "{} is {}", shown(pseudonym), shown(&key.reveal(&clear, *pseudonym)))?;
            }
        }
    }
    Ok(out.flush()?)
}

/// The entry; what it commits to names the pseudonyms, not the addresses.
fn write_down(
    config: &Config,
    pseudonyms: &[Prefix],
    day: Day,
    reason: &str,
    person: Option<String>,
) -> anyhow::Result<u64> {
    let mut store = Store::open(&config.ledger_place())?;
    let salt = Salt::new(crate::ledger::random()?);
    let content =
        json!({"pseudonyms": pseudonyms, "day": day.to_string(), "reason": reason, "person": person});
    let content = content.to_string();
    let count = u64::try_from(pseudonyms.len()).unwrap_or(u64::MAX);
    let decision = Decision {
        act: Act::Depseudonymisation,
        by: By::Person,
        customer: None,
        commitment: salt.commit(content.as_bytes()),
        counts: BTreeMap::from([("pseudonyms".to_owned(), count)]),
    };
    let entry = Entry::new(Clock::start().now(), What::Decision(decision));
    let range = store.append(&[Item { entry, salt, content: Some(content), record: None }])?;
    Ok(range.start)
}
