//! `spillway explain`: why something is called an attack.

use std::io::Write;
use std::path::PathBuf;

use engine::Settings;
use engine::report::Attack;
use engine::settings::Profile;

use crate::card;
use crate::cli::Context;
use crate::error::usage;
use crate::output::{self, Format, Paint};
use crate::replay::Feed;
use crate::replay::search::{Cut, search};

/// Explain why the attacks in a capture are called attacks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway explain capture.pcap
  spillway explain capture.pcap --attack 0123456789abcdef")]
pub struct Args {
    /// A capture
    #[arg(value_name = "FILE")]
    subject: PathBuf,
    /// Only this attack
    #[arg(long, value_name = "ID")]
    attack: Option<String>,
}

/// Explains.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut feed = Feed::open(std::slice::from_ref(&args.subject), 1, &context.interrupt)?;
    let cut = Cut { shards: 1, ..Cut::default() };
    let found = search(&mut feed, &Settings::of(Profile::Capture), cut, |_| Ok(()))?;
    let wanted = |a: &&Attack| args.attack.as_ref().is_none_or(|id| *id == a.id);
    let attacks: Vec<&Attack> = found.findings.attacks().filter(wanted).collect();
    if let (Some(id), []) = (&args.attack, attacks.as_slice()) {
        let ids: Vec<&str> = found.findings.attacks().map(|a| a.id.as_str()).collect();
        let known =
            if ids.is_empty() { "it holds no attack".into() } else { format!("it holds {}", ids.join(", ")) };
        return Err(usage(format!("{}: no attack {id} in it; {known}", args.subject.display())));
    }
    print(&attacks, context)?;
    feed.end()
}

/// The reasons of each.
pub(super) fn print(attacks: &[&Attack], context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Jsonl) {
        Format::Json => output::document(&mut out, &attacks)?,
        Format::Jsonl => attacks.iter().try_for_each(|attack| output::line(&mut out, attack))?,
        Format::Text => {
            let paint = Paint::stdout();
            for attack in attacks {
                writeln!(out, "{}", card::reasons(attack, paint))?;
            }
            if attacks.is_empty() {
                writeln!(out, "{}", paint.green("no attack"))?;
            }
        }
    }
    Ok(out.flush()?)
}
