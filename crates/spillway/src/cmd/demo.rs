//! `spillway demo`: the daemon under attack, without root and without data from elsewhere.

use crate::cli::Context;
use crate::demo::{self, Options};
use crate::error::usage;
use crate::output::{Format, Paint};

/// Watch the daemon find attacks in a synthetic world: a story of less than a minute, then as you like it
///
/// Starts the real daemon (`spillway run`) in a temporary folder and sends it live flow export over loopback from a seeded
/// world: ordinary customers, then a DNS amplification, a spoofed SYN flood and a carpet bombing, beside a flash crowd. Its rules go
/// over BGP to the border routers of that world, which filter by them.
/// The traffic is synthetic; every number told is read from the API of the running daemon. Nothing is kept.
/// The dashboard is open meanwhile: the link that is printed logs in once, within ten minutes. After the story the world goes on,
/// from calm to the next attack and back, until Ctrl-C: type the name of an attack or `flash-crowd` to have it now, or press its
/// button on the dashboard's first page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway demo
  DEMO_SEED=7 spillway demo          other victims, ports and rates
  spillway demo --no-attacks         the same world without attacks: nothing is reported
  DEMO_ONCE=1 spillway demo          end with the summary, even on a terminal")]
pub struct Args {
    /// Which world; also by DEMO_SEED
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave the attacks out; also by DEMO_ATTACKS=0
    #[arg(long)]
    no_attacks: bool,
    /// Go on until it is interrupted, even where standard input is no terminal
    #[arg(long, conflicts_with = "once")]
    stay: bool,
    /// End with the summary instead of going on; also by DEMO_ONCE=1
    #[arg(long)]
    once: bool,
}

/// Tells the story.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let options = Options {
        seed: match args.seed {
            Some(seed) => seed,
            None => seed_of(std::env::var_os("DEMO_SEED"))?,
        },
        attacks: !args.no_attacks && !set_to("DEMO_ATTACKS", "0"),
        once: !args.stay
            && (args.once
                || set_to("DEMO_ONCE", "1")
                || !std::io::IsTerminal::is_terminal(&std::io::stdin())),
        format: context.output.unwrap_or(Format::Text),
        paint: Paint::stdout(),
    };
    context.interrupt.listen_patiently()?;
    demo::run(&options, &context.interrupt)
}

fn seed_of(value: Option<std::ffi::OsString>) -> anyhow::Result<u64> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(1) };
    value.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        usage(format!("DEMO_SEED={}: not a whole number; write it like DEMO_SEED=7", value.display()))
    })
}

fn set_to(name: &str, value: &str) -> bool {
    std::env::var_os(name).is_some_and(|found| found == value)
}
