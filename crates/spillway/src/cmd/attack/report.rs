//! `spillway attack report`: all that is to be said of one attack, as one document to hand on.

use std::io::Write as _;
use std::path::Path;

use ::ledger::text::from_hex;
use anyhow::{Context as _, bail};
use api::Explanation;
use base::Timestamp;
use engine::report::Attack;
use serde_json::{Value, json};
use wire::packet::Link;

use crate::capture::{Packet, Writer};
use crate::card;
use crate::client::Reach;
use crate::cmd::policy::{items, word};
use crate::output::{self, Paint};

/// One document about an attack: what it was, why it is called one, what was done and not, and what people noted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What names sources one by one is the dossier (`spillway dossier`); what is meant for others outside goes by `spillway disclosure`.

Examples:
  spillway attack report 0123456789abcdef
  spillway attack report 0123456789abcdef --format html > report.html
  spillway attack report 0123456789abcdef --format pcapng > packets.pcapng")]
pub(super) struct Args {
    /// Its id
    id: String,
    /// As what
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = As::Text)]
    format: As,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// For a terminal or a mail
    Text,
    /// One document: `attack`, `explanation`, `notes`
    Json,
    /// One page that needs nothing else
    Html,
    /// Some of its packets, spread evenly over it, as far as their headers are known
    Pcapng,
}

/// Asks and writes.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    if args.format == As::Pcapng {
        return packets(&args.id, &api.json(&super::path(&args.id, "/packets"))?);
    }
    let attack = api.json(&super::path(&args.id, ""))?;
    let explained = api.json(&super::path(&args.id, "/explanation"))?;
    let notes = api.json(&super::path(&args.id, "/notes"))?;
    let mut out = output::stdout();
    if args.format == As::Json {
        let notes = notes.get("items").cloned().unwrap_or_default();
        output::document(&mut out, &json!({"attack": attack, "explanation": explained, "notes": notes}))?;
        return Ok(out.flush()?);
    }
    let another = "the daemon's answer cannot be read; is it another version?";
    let explanation: Explanation = serde_json::from_value(explained).context(another)?;
    if args.format == As::Html {
        let notes: Vec<Value> = items(&notes, "items").cloned().collect();
        out.write_all(api::report::html(&attack, &explanation, &notes).as_bytes())?;
        return Ok(out.flush()?);
    }
    let attack: Attack = serde_json::from_value(attack).context(another)?;
    let paint = Paint::stdout();
    writeln!(out, "{}", card::attack(&attack, paint))?;
    out.write_all(card::explanation(&explanation, paint).as_bytes())?;
    if items(&notes, "items").next().is_some() {
        writeln!(out, "\nnotes")?;
    }
    for note in items(&notes, "items") {
        writeln!(out, "  {} {}: {}", word(note, "at"), word(note, "actor"), word(note, "text"))?;
    }
    Ok(out.flush()?)
}

/// LINKTYPE_RAW: an IP header at once.
const RAW: u32 = 101;

/// What there is of the packets, to standard output. Flows, which are told without packets, are left out and counted.
fn packets(id: &str, listed: &Value) -> anyhow::Result<()> {
    let known = |one: &&Value| one.get("headers").is_some_and(Value::is_string);
    let found: Vec<&Value> = items(listed, "items").filter(known).collect();
    let all = items(listed, "items").count();
    if found.is_empty() {
        bail!("of attack {id} flows were told and no packets: only sFlow and local packets bring headers");
    }
    let about = format!("some packets of attack {id}; each one's comment has its vector and sampling rate");
    let mut file = Writer::described(Path::new("/dev/stdout"), "spillway", &about)?;
    for (number, one) in (1u64..).zip(&found) {
        let bytes =
            from_hex(&word(one, "headers")).context("the daemon's answer has headers that are no octets")?;
        let at: Timestamp =
            word(one, "at").parse().ok().context("the daemon's answer has a time that is none")?;
        let length = one.get("bytes").and_then(Value::as_u64).and_then(|bytes| u32::try_from(bytes).ok());
        let original_len = length.unwrap_or(0).max(u32::try_from(bytes.len())?);
        let packet = Packet {
            number,
            at,
            link: Link::Ip,
            link_number: RAW,
            original_len,
            interface: 0,
            bytes: &bytes,
        };
        let comment = format!("vector={} sampled=1/{}", word(one, "vector"), word(one, "sampling_rate"));
        file.write_with(&packet, Some(&comment))?;
    }
    file.finish()?;
    if found.len() < all {
        eprintln!("spillway: {} of {all} are flows, which have no headers; left out", all - found.len());
    }
    Ok(())
}
