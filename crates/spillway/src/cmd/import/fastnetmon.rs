//! `spillway import fastnetmon DIR`.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cmd::check::complain;
use crate::cmd::init::{Target, own_networks};
use crate::import::fastnetmon;

/// Write a configuration from FastNetMon's: networks, whitelist, thresholds, host groups, listeners and the script
///
/// Behind each value stands the file and line that it came from. What has no equivalent is listed on standard error, with
/// the reason and what to do. The mode is observe: nothing acts until you say so.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway import fastnetmon /etc
  spillway import fastnetmon backup/etc -c spillway.toml && spillway check -c spillway.toml")]
pub(super) struct Args {
    /// Folder with fastnetmon.conf; networks_list and networks_whitelist are looked for there, then where it says
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Writes the file, tells what is missing in it and what comes next.
pub(super) fn run(args: &Args, _: &Context) -> anyhow::Result<()> {
    let imported = match fastnetmon::folder(&args.dir, own_networks) {
        Ok(imported) => imported,
        Err(problems) => return complain(&problems),
    };
    args.target.write(&imported.text, &imported.networks)?;
    for left in &imported.left {
        eprintln!("{left}");
    }
    if !imported.left.is_empty() {
        eprintln!("spillway: {} of FastNetMon's settings have no equivalent; see above", imported.left.len());
    }
    Ok(())
}
