//! `spillway evidence build|verify|add-proof|hold`: bags for those who have to believe them.

mod build;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;

use crate::cli::Context;
use crate::daemon::clock::Clock;
use crate::evidence::add_proof;
use crate::output::{self, Format};
use crate::privacy::hold;

/// Seal the evidence of an attack, and check what was sealed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A bag is a folder after RFC 8493 (BagIt): the packets with the verdict on each one's source, the attack, its sources, the rules and
configuration in force, who did what to it and when, and digests of all that. `bagit.py --validate` reads it, Wireshark its packets.
With a key it is signed (a signed note over tagmanifest-sha256.txt), with an authority stamped (RFC 3161): `openssl ts -verify -data
tagmanifest-sha256.txt -in timestamp/tagmanifest.tsr -CAfile CA.pem` looks into the stamp.

Examples:
  spillway evidence build attacks/3f9a0c41d2e85b76 --capture capture.pcap
  spillway evidence build attacks/3f9a0c41d2e85b76 --capture capture.pcap -c spillway.toml --reason 'case 17/2026'
  spillway evidence verify attacks/3f9a0c41d2e85b76/evidence
  spillway evidence verify evidence --key 'example.net/evidence+1c2d3e4f+AQ…' -o json
  spillway evidence add-proof evidence --proof seal.tlog-proof
  spillway evidence hold attacks/3f9a0c41d2e85b76/evidence --reason 'case 17/2026'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Build(build::Args),
    Verify(verify::Args),
    AddProof(AddProof),
    Hold(Hold),
}

/// Put the ledger's proof of its seal into a bag
#[derive(Debug, clap::Args)]
struct AddProof {
    /// The bag
    #[arg(value_name = "BAG")]
    bag: PathBuf,
    /// The proof, as the ledger gives it
    #[arg(long, value_name = "FILE")]
    proof: PathBuf,
}

/// Keep evidence beyond its retention, for as long as somebody needs it
///
/// A file does it: beside a sealed bag, which stays as it is, or in any other folder, like an attack's or a disclosure's.
#[derive(Debug, clap::Args)]
struct Hold {
    /// The bag, or a folder that has it
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Why
    #[arg(long, value_name = "TEXT", required_unless_present = "release")]
    reason: Option<String>,
    /// Hold it no longer
    #[arg(long, conflicts_with = "reason")]
    release: bool,
    /// In whose name [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Build(args) => build::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Hold(args) => hold(args, context),
        Command::AddProof(AddProof { bag, proof }) => {
            let text = std::fs::read_to_string(&proof).map_err(|e| {
                anyhow::Error::msg(format!("{}: {e}; name a file with a proof", proof.display()))
            })?;
            ledger::Proof::parse(&text)
                .map_err(|wrong| anyhow::Error::msg(format!("{}: {wrong}", proof.display())))?;
            add_proof(&bag, "seal", &text)
        }
    }
}

fn hold(args: Hold, context: &Context) -> anyhow::Result<()> {
    let Hold { folder, reason, release, person } = args;
    let person = super::asked::person(person);
    let file = if release {
        hold::release(&folder)?
    } else {
        let (at, reason) = (Clock::start().now(), reason.as_deref().unwrap_or_default());
        hold::hold(&folder, &hold::Hold { at, reason, person: person.as_deref() })?
    };
    let mut out = output::stdout();
    if context.format(Format::Text) == Format::Text {
        let verb = if release { "held no longer" } else { "held" };
        writeln!(out, "{} is {verb} ({})", folder.display(), file.display())?;
    } else {
        output::line(&mut out, &serde_json::json!({"folder": folder, "held": !release, "file": file}))?;
    }
    Ok(out.flush()?)
}
