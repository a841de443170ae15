//! `spillway intel sources|ip|asn|campaigns`: what is known of those who attack, by attack, by address, by network.

mod asn;
mod campaigns;
mod ip;
mod reason;
mod seen;
mod sources;

use std::io::Write;

use serde_json::Value;

use crate::cli::Context;
use crate::cmd::asked::{self, Shown};
use crate::output::{self, Format};

/// Who attacks: the sources of an attack, what is known of an address or of a network, and what attacks have in common
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It looks; what goes to others has commands of its own, which leave out what is forged and write into the ledger what left:
  the folder of an attack, with stix.json, misp.json and xarf/    spillway dossier ATTACK
  reports to abuse desks, STIX and MISP for others                spillway disclosure new, review, approve, send
  whether two attacks are of one hand, own ones or others'        spillway campaign compare
  who sent what, of the flow samples                              spillway flows query 'src = ADDRESS'
No address that is seen here is contacted, and there is no sinkhole.

Examples:
  spillway intel sources 0123456789abcdef --verdict bot -o csv
  spillway intel ip 203.0.113.9
  spillway intel asn 64500
  spillway intel campaigns")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Sources(sources::Args),
    Ip(ip::Args),
    Asn(asn::Args),
    #[command(visible_alias = "botnet")]
    Campaigns(campaigns::Args),
}

/// Asks and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Sources(args) => sources::run(&args, context),
        Command::Ip(args) => ip::run(&args, context),
        Command::Asn(args) => asn::run(&args, context),
        Command::Campaigns(args) => campaigns::run(&args, context),
    }
}

/// What was found, with the rows of it.
struct Found {
    document: Value,
    rows: Vec<Value>,
    text: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
}

impl Shown for Found {
    fn document(&self) -> serde_json::Result<Value> {
        Ok(self.document.clone())
    }

    fn lines(&self) -> serde_json::Result<Vec<Value>> {
        Ok(self.rows.clone())
    }

    fn text(&self, out: &mut impl Write) -> std::io::Result<()> {
        (self.text)(&self.document, out)
    }
}

impl Found {
    /// Prints it; in a table with these columns.
    fn show(&self, columns: &[&str], context: &Context) -> anyhow::Result<()> {
        asked::show(&mut output::stdout_of(columns), context.format(Format::Json), self)
    }
}
