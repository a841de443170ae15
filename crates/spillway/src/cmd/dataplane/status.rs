//! `spillway dataplane status [INTERFACE]`.

use std::io::Write;

use base::Timestamp;
use dataplane::attachment::{self, Attachment};
use dataplane::history;
use serde::Serialize;

use crate::cli::Context;
use crate::output::{self, Format};

/// What is in force, and what it did
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway dataplane status
  spillway dataplane status eth0 -o json")]
pub(super) struct Args {
    /// The interface [default: all that have programs]
    interface: Option<String>,
}

#[derive(Serialize)]
struct Status {
    interface: String,
    attached: bool,
    /// The interface is gone; the programs wait for nothing.
    interface_gone: bool,
    program_id: u32,
    program_tag: String,
    digest: String,
    dry_run: bool,
    can_roll_back: bool,
    allow: u32,
    block: u32,
    /// `null`: all destinations are protected.
    protect: Option<u32>,
    /// What finds the rule that decides: `tree`, or `maps` where the kernel did not take that.
    engine: &'static str,
    /// How often that happened since the programs were loaded.
    engine_fallbacks: u64,
    /// Single rules beside the set, among `rules`.
    added_rules: usize,
    /// That have been in force, the latest first: `rollback --to` takes their digests.
    sets: Vec<Set>,
    /// Packets of allowed sources above their ceiling.
    over_ceiling_packets: u64,
    /// Packets under a rate per destination whose destination had to share a bucket.
    destinations_full_packets: u64,
    /// Prefixes whose packets go back to their owners, or nowhere.
    declared: Vec<super::returns::Declared>,
    rules: Vec<Rule>,
    packets: Vec<Packets>,
    /// Sources that are remembered as proven.
    proven: usize,
    /// How often sources have proven themselves, by how.
    proofs: Vec<Proofs>,
}

#[derive(Serialize)]
struct Proofs {
    how: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Set {
    digest: String,
    /// When it was put in force, last.
    at: String,
    in_force: bool,
    /// It stands in the kernel: `rollback` is one word.
    previous: bool,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    packets: u64,
    bytes: u64,
    dropped_packets: u64,
}

#[derive(Serialize)]
struct Packets {
    left: &'static str,
    packets: u64,
    bytes: u64,
}

pub(super) use history::hex;

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let names = match &args.interface {
        Some(name) => {
            super::check_name(name)?;
            vec![name.clone()]
        }
        None => attachment::interfaces()?,
    };
    let mut all = Vec::new();
    for name in names {
        match Attachment::open(&name)? {
            Some(attachment) => all.push(status(name, &attachment)?),
            None if args.interface.is_some() => {
                anyhow::bail!("{name}: nothing is attached; `spillway dataplane attach {name}` does it");
            }
            None => {}
        }
    }
    let mut out = output::stdout();
    match (context.format(Format::Text), all.as_slice()) {
        (Format::Json, [one]) if args.interface.is_some() => output::document(&mut out, one)?,
        (Format::Json, all) => output::document(&mut out, &all)?,
        (Format::Jsonl, all) => all.iter().try_for_each(|one| output::line(&mut out, one))?,
        (Format::Text, []) => writeln!(out, "nothing is attached")?,
        (Format::Text, all) => all.iter().try_for_each(|one| text(&mut out, one))?,
    }
    out.flush()?;
    Ok(())
}

fn status(interface: String, attachment: &Attachment) -> anyhow::Result<Status> {
    let plane = attachment.plane();
    let (program, force) = (attachment.program()?, plane.in_force()?);
    let rules = plane.counts()?.into_iter();
    let rules =
        rules.map(|c| Rule { id: c.id, packets: c.packets, bytes: c.bytes, dropped_packets: c.dropped });
    let packets = plane.leaves()?.into_iter();
    let packets = packets.map(|t| Packets { left: t.place, packets: t.packets, bytes: t.bytes });
    let sets = history::list(&interface)?.into_iter().map(|past| {
        let at = past.at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Set {
            digest: hex(&past.digest),
            at: Timestamp::from_nanos(u64::try_from(at).unwrap_or(u64::MAX)).to_string(),
            in_force: past.digest == force.digest,
            previous: Some(past.digest) == force.previous,
        }
    });
    let [allow, block, protect] = force.lists;
    let proofs = plane.proofs()?.map(|(proof, count)| Proofs { how: proof.as_str(), count });
    Ok(Status {
        interface,
        attached: true,
        interface_gone: attachment.interface()? == 0,
        program_id: program.id,
        program_tag: hex(&program.tag),
        digest: hex(&force.digest),
        dry_run: force.dry,
        can_roll_back: force.can_roll_back,
        allow: allow.unwrap_or(0),
        block: block.unwrap_or(0),
        protect,
        engine: force.engine.as_str(),
        engine_fallbacks: force.fallbacks,
        added_rules: force.added,
        sets: sets.collect(),
        over_ceiling_packets: plane.over_ceiling()?,
        destinations_full_packets: plane.destinations_full()?,
        declared: super::returns::declared(plane)?,
        rules: rules.collect(),
        packets: packets.collect(),
        proven: plane.proven()?.len(),
        proofs: proofs.into(),
    })
}

fn text(out: &mut impl Write, status: &Status) -> std::io::Result<()> {
    let dry = if status.dry_run { ", dry run: everything passes" } else { "" };
    let maps = if status.engine == "maps" { ", read from maps, which is slow" } else { "" };
    let gone = if status.interface_gone { " (the interface is gone)" } else { "" };
    let protect = status.protect.map_or_else(|| "all destinations".into(), |n| format!("{n} destinations"));
    writeln!(
        out,
        "{}{gone}: {} rules{maps}, {} allowed, {} blocked sources, {protect} protected{dry}",
        status.interface,
        status.rules.len(),
        status.allow,
        status.block
    )?;
    for set in &status.sets {
        let digest = set.digest.get(..16).unwrap_or_default();
        let which = match (set.in_force, set.previous) {
            (true, _) => ", in force",
            (_, true) => ", the one before",
            _ => "",
        };
        writeln!(out, "  set {digest} of {}{which}", set.at)?;
    }
    for left in status.packets.iter().filter(|left| left.packets > 0) {
        writeln!(out, "  {:12} {:>14} packets {:>16} bytes", left.left, left.packets, left.bytes)?;
    }
    if status.over_ceiling_packets > 0 {
        writeln!(out, "  above their ceiling: {} packets of allowed sources", status.over_ceiling_packets)?;
    }
    if status.destinations_full_packets > 0 {
        writeln!(
            out,
            "  no room for buckets: {} packets to destinations that share one",
            status.destinations_full_packets
        )?;
    }
    if status.proven > 0 {
        writeln!(out, "  {} sources have proven themselves", status.proven)?;
    }
    status.declared.iter().try_for_each(|one| super::returns::text(out, one))?;
    let busy = status.rules.iter().filter(|rule| rule.packets > 0);
    for rule in busy {
        writeln!(
            out,
            "  rule {}: decided {} packets, {} bytes; dropped {} packets",
            rule.id, rule.packets, rule.bytes, rule.dropped_packets
        )?;
    }
    Ok(())
}
