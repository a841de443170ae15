//! `spillway rules compile RULES --to TARGET`.

use std::io::Write;
use std::path::PathBuf;

use ::rules::Rule;
use ::rules::compile::{exabgp, flowspec, nftables};

use crate::cli::Context;
use crate::output;

/// Say rules in the language of a machine that enforces them
///
/// What the target cannot say is an error beside the rule's id, with the reason; nothing is widened in silence.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway rules compile rules.txt --to nftables > spillway.nft && nft -f spillway.nft
  spillway rules compile rules.txt --to exabgp > flow.conf
  spillway rules compile rules.txt --to flowspec-hex")]
pub(super) struct Args {
    /// Rule file
    #[arg(value_name = "RULES")]
    rules: PathBuf,
    /// Which language
    #[arg(long, value_enum, value_name = "TARGET")]
    to: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cmd) enum Target {
    /// A complete file for `nft -f`: table `inet spillway`, before defragmentation, a counter per rule
    #[value(alias = "nft")]
    Nftables,
    /// FlowSpec routes as text, a line per rule and address family
    Flowspec,
    /// A configuration of ExaBGP with the FlowSpec routes
    Exabgp,
    /// FlowSpec NLRI and extended communities as hexadecimal JSON, a line per rule and address family
    FlowspecHex,
}

pub(super) fn run(args: &Args, _: &Context) -> anyhow::Result<()> {
    let rules = super::read(&args.rules)?;
    let mut out = output::stdout();
    say(&mut out, args.to, &rules)?;
    Ok(out.flush()?)
}

/// Writes them in this language.
pub(in crate::cmd) fn say(out: &mut impl Write, to: Target, rules: &[Rule]) -> anyhow::Result<()> {
    match to {
        Target::Nftables => out.write_all(nftables::file(rules).as_bytes())?,
        Target::Flowspec => routes(out, rules)?,
        Target::Exabgp => out.write_all(exabgp::text(rules).as_bytes())?,
        Target::FlowspecHex => {
            flowspec::lines(rules).iter().try_for_each(|line| output::line(out, line))?;
        }
    }
    Ok(())
}

/// The routes in our own words, for people; the meaning is that of the hexadecimal form.
fn routes(out: &mut impl Write, rules: &[Rule]) -> std::io::Result<()> {
    for line in flowspec::lines(rules) {
        let family = if line.afi == 1 { "ipv4" } else { "ipv6" };
        let rule = rules.iter().find(|rule| rule.id == line.id);
        match (line.error, rule) {
            (Some(reason), _) => writeln!(out, "# {} {family}: error: {reason}", line.id)?,
            (None, Some(rule)) => {
                let communities = [line.ext_communities, line.ipv6_ext_communities].concat().join(" ");
                writeln!(out, "{} {family}: {} communities {communities}", line.id, rule.matches)?;
            }
            (None, None) => {}
        }
    }
    Ok(())
}
