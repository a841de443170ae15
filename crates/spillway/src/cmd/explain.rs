//! `spillway explain`: why something is called an attack.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use engine::Settings;
use engine::report::Attack;
use engine::settings::Profile;

use crate::card;
use crate::cli::Context;
use crate::client::Reach;
use crate::error::usage;
use crate::output::{self, Format, Paint};
use crate::replay::search::{Cut, search};
use crate::replay::{Feed, Findings};

/// Explain why the attacks in a capture, or one of the running daemon, are called attacks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway explain 0123456789abcdef              an attack that the daemon found; `spillway attack explain` says more
  spillway explain capture.pcap
  spillway explain capture.pcap --attack 0123456789abcdef")]
pub struct Args {
    /// A capture, or the id of an attack of the running daemon
    #[arg(value_name = "FILE|ID")]
    subject: PathBuf,
    /// Only this attack
    #[arg(long, value_name = "ID")]
    attack: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// Explains.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    if let Some(id) = id(&args) {
        return print(&[&ask(&args, id)?], context);
    }
    let mut feed = Feed::open(std::slice::from_ref(&args.subject), 1, &context.interrupt)?;
    let cut = Cut { shards: 1, ..Cut::default() };
    let mut findings = Findings::default();
    search(&mut feed, &Settings::of(Profile::Capture), cut, |at, attack| {
        findings.note(at, attack);
        Ok(())
    })?;
    let wanted = |a: &&Attack| args.attack.as_ref().is_none_or(|id| *id == a.id);
    let attacks: Vec<&Attack> = findings.attacks().filter(wanted).collect();
    if let (Some(id), []) = (&args.attack, attacks.as_slice()) {
        let ids: Vec<&str> = findings.attacks().map(|a| a.id.as_str()).collect();
        let known =
            if ids.is_empty() { "it holds no attack".into() } else { format!("it holds {}", ids.join(", ")) };
        return Err(usage(format!("{}: no attack {id} in it; {known}", args.subject.display())));
    }
    print(&attacks, context)?;
    feed.end()
}

/// The subject, when it looks like an id and no file is called so.
fn id(args: &Args) -> Option<&str> {
    let text = args.subject.to_str()?;
    let looks = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (looks && !args.subject.exists()).then_some(text)
}

/// The attack as the running daemon knows it.
fn ask(args: &Args, id: &str) -> anyhow::Result<Attack> {
    let document = args.reach.api()?.json(&format!("/api/v1/attacks/{id}"))?;
    serde_json::from_value(document).context("the daemon's answer cannot be read; is it another version?")
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
