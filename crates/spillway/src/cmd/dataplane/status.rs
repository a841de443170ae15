//! `spillway dataplane status [INTERFACE]`.

use std::io::Write;

use dataplane::attachment::{self, Attachment};
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

/// Octets in hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

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
        rules: rules.collect(),
        packets: packets.collect(),
        proven: plane.proven()?.len(),
        proofs: proofs.into(),
    })
}

fn text(out: &mut impl Write, status: &Status) -> std::io::Result<()> {
    let dry = if status.dry_run { ", dry run: everything passes" } else { "" };
    let gone = if status.interface_gone { " (the interface is gone)" } else { "" };
    let protect = status.protect.map_or_else(|| "all destinations".into(), |n| format!("{n} destinations"));
    writeln!(
        out,
        "{}{gone}: {} rules, {} allowed, {} blocked sources, {protect} protected{dry}",
        status.interface,
        status.rules.len(),
        status.allow,
        status.block
    )?;
    for left in status.packets.iter().filter(|left| left.packets > 0) {
        writeln!(out, "  {:12} {:>14} packets {:>16} bytes", left.left, left.packets, left.bytes)?;
    }
    if status.proven > 0 {
        writeln!(out, "  {} sources have proven themselves", status.proven)?;
    }
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
