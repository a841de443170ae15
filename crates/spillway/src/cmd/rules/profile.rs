//! `spillway rules profile NAME`.

use std::io::Write;

use base::Prefix;

use crate::cli::Context;
use crate::output;
use crate::profile::{self, Place, REFLECTORS};

/// Print the rules by which a service gets only what its clients send
///
/// `reflectors` are the protocols that are misused for amplification: answers that ordinary hosts never ask for are dropped,
/// the others limited. Without a name it lists the profiles.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway rules profile
  spillway rules profile wireguard --dst 192.0.2.7
  spillway rules profile dns-tc --dst 192.0.2.0/24 --port 53 > rules.txt")]
pub(super) struct Args {
    /// Which profile
    #[arg(value_name = "NAME", requires = "dst")]
    name: Option<String>,
    /// The addresses of the service
    #[arg(long, value_name = "PREFIX")]
    dst: Option<Prefix>,
    /// Its port, where that is another than usual
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

pub(super) fn run(args: &Args, _: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let (Some(name), Some(dst)) = (&args.name, args.dst) else {
        for name in profile::names() {
            if name == REFLECTORS {
                writeln!(out, "{name:18} answers of protocols that are misused for amplification")?;
            } else {
                let profile = profile::find(name)?;
                writeln!(out, "{name:18} {} (port {}; {})", profile.title, profile.port, profile.source)?;
            }
        }
        return Ok(out.flush()?);
    };
    out.write_all(profile::rules(name, name, &Place { dst, port: args.port })?.as_bytes())?;
    Ok(out.flush()?)
}
