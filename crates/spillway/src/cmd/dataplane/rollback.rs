//! `spillway dataplane rollback INTERFACE`.

use dataplane::Attachment;

/// Put the rules and lists before the last attach in force again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface
    interface: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    super::check_name(&args.interface)?;
    let name = &args.interface;
    let back = Attachment::open(name)?.map_or(Ok(false), |attachment| attachment.roll_back())?;
    anyhow::ensure!(back, "{name}: there is nothing to go back to; nothing has changed");
    println!("{name}: what was in force before is in force again");
    Ok(())
}
