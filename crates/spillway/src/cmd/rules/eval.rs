//! `spillway rules eval RULES FILE…`.

use std::io::Write;
use std::path::PathBuf;

use ::rules::{EvalCounts, RuleSet};

use crate::cli::Context;
use crate::output::{self, Format, Paint};
use crate::progress::grouped;
use crate::replay::{Feed, Item};

/// Count what each rule matches, and what it decides, in a capture
///
/// Matched counts each rule by itself, decided by the order of all rules. Bytes are those of the IP header's length.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  spillway rules eval rules.txt capture.pcap -o json")]
pub(super) struct Args {
    /// Rule file
    #[arg(value_name = "RULES")]
    rules: PathBuf,
    /// Captures (pcap, pcapng)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let set = RuleSet::new(super::read(&args.rules)?);
    let mut counts = EvalCounts::new(&set);
    let mut feed = Feed::packets_of(&args.files, &context.interrupt)?;
    feed.pass("evaluating:", |item| {
        match item {
            Item::Packet(_, Some(parsed)) => counts.add(&set, parsed),
            Item::Packet(packet, None) => counts.add_unreadable(u64::from(packet.layer3_len())),
            Item::Record(..) | Item::Health(..) => {}
        }
        Ok(())
    })?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &counts)?,
        Format::Jsonl => output::line(&mut out, &counts)?,
        Format::Text => text(&mut out, &counts)?,
    }
    out.flush()?;
    feed.end()
}

fn text(out: &mut impl Write, counts: &EvalCounts) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let width = counts.rules.iter().map(|r| r.id.chars().count()).max().unwrap_or(0).clamp(4, 40);
    writeln!(
        out,
        "{}",
        paint.dim(format!("{:<width$} {:>14} {:>18} {:>14}", "rule", "matched", "bytes", "decided"))
    )?;
    for rule in &counts.rules {
        let (packets, bytes) = (grouped(rule.matched_packets), grouped(rule.matched_bytes));
        writeln!(out, "{:<width$} {packets:>14} {bytes:>18} {:>14}", rule.id, grouped(rule.decided_packets))?;
    }
    let (unmatched, packets) = (grouped(counts.unmatched_packets), grouped(counts.packets));
    writeln!(out, "{unmatched} of {packets} packets are matched by no rule")
}
