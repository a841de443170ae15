//! `spillway lab down`.

use crate::lab::{TAG, exclusive, remove, running_as_root};

/// End what runs in the lab's namespaces, and remove them
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> anyhow::Result<()> {
    running_as_root()?;
    let _held = exclusive()?;
    match remove(TAG)? {
        0 => println!("there was no lab"),
        count => println!("{count} namespaces removed"),
    }
    Ok(())
}
