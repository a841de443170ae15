//! `spillway dataplane detach INTERFACE`.

/// Take the programs off an interface, with all that is pinned for it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The interface
    interface: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    super::check_name(&args.interface)?;
    let there = dataplane::attachment::detach(&args.interface)?;
    println!("{}: {}", args.interface, if there { "detached" } else { "nothing was attached" });
    Ok(())
}
