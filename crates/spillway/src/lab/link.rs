//! The protected server's link: narrow, so that a flood fills it, and counted.

use std::fs;

use anyhow::Context as _;

use super::inside::inside;
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
        let shape = [
            "qdisc", "add", "dev", &name, "root", "handle", "1:", "tbf", "rate", RATE, "burst", "32kb",
            "limit", "1mb",
        ];
        network.run(site, "tc", &shape)?;
        // A ring has room for so many packets, however long they are: small ones are lost as easily as large ones.
        let ring = ["qdisc", "add", "dev", &name, "parent", "1:1", "handle", "10:", "pfifo", "limit", RING];
        network.run(site, "tc", &ring)?;
    }
    Ok(())
}

/// Packets that a site has sent so far.
pub(super) fn sent(network: &Network, site: Site) -> anyhow::Result<u64> {
    let read = || fs::read_to_string("/proc/thread-self/net/dev");
    let text = inside(network, site, read)?.join()?.context("cannot read the counters of interfaces")?;
    Ok(sent_by(&text, &network.interface(site)).unwrap_or(0))
}

/// The tenth number behind the name in `/proc/net/dev`: packets sent.
fn sent_by(text: &str, interface: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().nth(9)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_sent_are_read_of_the_interface_asked_for() {
        let text = "Inter-|   Receive\n face |bytes\n  lab-a: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n lab-ab: 5 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n";
        assert_eq!(sent_by(text, "lab-a"), Some(4));
        assert_eq!(sent_by(text, "lab-ab"), Some(8));
        assert_eq!(sent_by(text, "lab"), None);
    }
}
