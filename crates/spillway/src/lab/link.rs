//! The protected server's link: narrow, so that a flood fills it, and counted.

use super::namespace::Namespace;
use super::network::{Network, Site};

/// What the narrow link carries each way, for `tc`.
const RATE: &str = "10mbit";

/// Packets that wait for it.
const RING: &str = "64";

/// Makes the link between router and server narrow, both ways.
pub(super) fn narrow(network: &Network) -> anyhow::Result<()> {
    let ends =
        [(Site::Router, network.uplink(Site::Server)), (Site::Server, network.interface(Site::Server))];
    for (site, name) in ends {
        shape(&network.at(site), &name, (RATE, "32kb"), RING)?;
    }
    Ok(())
}

/// What goes out of an interface gets a rate, with bursts of so many octets, and a ring of packets that wait.
pub(super) fn shape(
    at: &Namespace,
    name: &str,
    (rate, burst): (&str, &str),
    ring: &str,
) -> anyhow::Result<()> {
    let shape = [
        "qdisc", "add", "dev", name, "root", "handle", "1:", "tbf", "rate", rate, "burst", burst, "limit",
        "1mb",
    ];
    at.run("tc", &shape)?;
    // A ring has room for so many packets, however long they are: small ones are lost as easily as large ones.
    let ring = ["qdisc", "add", "dev", name, "parent", "1:1", "handle", "10:", "pfifo", "limit", ring];
    at.run("tc", &ring).map(drop)
}

/// Packets that a site has sent so far.
pub(super) fn sent(network: &Network, site: Site) -> anyhow::Result<u64> {
    Ok(network.at(site).counters(&network.interface(site))?.sent)
}
