//! `spillway campaign compare|trace`: whether two attacks are of one hand, also where one of them was somebody else's.

mod compare;
mod read;

use std::io::Write as _;
use std::path::PathBuf;

use super::asked::Daemon;
use crate::cli::Context;
use crate::output::{self, Format};

/// Compare attacks, own ones and those of others, without telling who took part
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is compared is a trace: digests of the sets of sources that sent by proof, shapes of packets, vectors, length and time. It holds
no address, so organisations can exchange it; of sets below 100 sources it has no digest. A fingerprint of a DDoS Clearing House
(`ddosch.json`, or the dissector's) is compared likewise. Each likeness adds to the odds that one hand made both; most attacks are
not of the same hand, so without likeness the answer is `new`.

Examples:
  spillway campaign trace 3f9a0c41d2e85b76 > trace.json
  spillway campaign compare theirs.json
  spillway campaign compare 3f9a0c41d2e85b76 theirs.json
  spillway campaign compare dossiers/3f9a0c41d2e85b76 fingerprint.json -o json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Compare(Compare),
    Trace(Trace),
}

/// Say how alike two attacks are, or which of the own ones one is most like, or that it is new
#[derive(Debug, clap::Args)]
struct Compare {
    /// An attack: its id, its folder, its attack.json, a trace, or a fingerprint of a Clearing House
    #[arg(value_name = "A")]
    one: PathBuf,
    /// Another one [default: all whose evidence is kept here]
    #[arg(value_name = "B")]
    other: Option<PathBuf>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Print what of an attack can be compared, to be given to others
#[derive(Debug, clap::Args)]
struct Trace {
    /// An attack: its id, its folder, its attack.json, or a fingerprint of a Clearing House
    #[arg(value_name = "ATTACK")]
    attack: PathBuf,
    #[command(flatten)]
    daemon: Daemon,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Compare(args) => compare::run(&args, context),
        Command::Trace(args) => {
            let known = read::Reader::new(&args.daemon)?.read(&args.attack)?;
            let mut out = output::stdout();
            match context.format(Format::Json) {
                Format::Jsonl => output::line(&mut out, &known.trace)?,
                Format::Json | Format::Text => output::document(&mut out, &known.trace)?,
            }
            Ok(out.flush()?)
        }
    }
}
