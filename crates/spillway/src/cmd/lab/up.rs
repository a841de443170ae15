//! `spillway lab up`.

use crate::lab::{Network, Site, TAG, exclusive};

/// Build the namespaces and leave them, for a look around
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> anyhow::Result<()> {
    crate::lab::running_as_root()?;
    let _held = exclusive()?;
    let network = Network::build(TAG)?;
    for site in Site::LEAVES {
        println!(
            "{:24} {:10} {} {}",
            network.namespace(site),
            network.interface(site),
            site.v4(2),
            site.v6(2)
        );
    }
    println!("{:24} between them", network.namespace(Site::Router));
    println!("enter one: nsenter --net={}", network.path(Site::Clients).display());
    network.keep();
    Ok(())
}
