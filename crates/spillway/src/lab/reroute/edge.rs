//! An edge router: BIRD with the kernel's routes, and pmacctd that tells what comes in from outside.

use std::fs;

use anyhow::Context as _;

use super::super::process::Running;
use super::map::{BRAIN, Map, Place, edge, tunnel_end};
use crate::folder::Folder;

/// AS of the edges, and of the brain beside them.
pub(super) const ASN: u32 = 64_500;
pub(super) const BRAIN_ASN: u32 = 64_512;
/// One packet of so many is told.
const SAMPLING: u32 = 16;
/// Where the brain listens.
pub(super) const SFLOW: u16 = 6343;

/// A running router; it ends with this value.
#[derive(Debug)]
pub(super) struct Edge {
    place: Place,
    bird: Running,
    teller: Running,
}

impl Edge {
    /// Starts one by its number.
    pub(super) fn start(map: &Map, folder: &Folder, number: u8) -> anyhow::Result<Self> {
        let (place, name) = (Place::Edge(number), Place::Edge(number).name());
        let [end4, end6] = tunnel_end(number);
        // What absorbers give back is counted on its way.
        let table = format!(
            "add table inet lab; add counter inet lab back; \
             add chain inet lab way {{ type filter hook forward priority 0; }}; \
             add rule inet lab way ip daddr {end4} meta l4proto 47 counter name back; \
             add rule inet lab way ip6 daddr {end6} meta l4proto 41 counter name back"
        );
        map.at(place).run("nft", &[&table])?;
        let own = edge(number);
        let write = |what: &str, text: String| {
            let path = folder.path().join(format!("{name}-{what}.conf"));
            fs::write(&path, text).context("cannot write an edge's configuration")
        };
        let log = folder.path().join(format!("{name}-bird.messages")).display().to_string();
        write("bird", bird(&own, &log))?;
        let outside = map.interface(&format!("-e{number}o"));
        write("pmacctd", pmacctd(&own, &outside))?;
        let (bird, teller) = spawn(map, folder, place)?;
        Ok(Self { place, bird, teller })
    }

    /// Kills it. What it has told the kernel stays there until it is started again, as BIRD has it.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.bird.kill()?;
        self.teller.kill()
    }

    /// Starts a killed one again.
    pub(super) fn again(&mut self, map: &Map, folder: &Folder) -> anyhow::Result<()> {
        (self.bird, self.teller) = spawn(map, folder, self.place)?;
        Ok(())
    }

    /// An error when a part of it has ended.
    pub(super) fn check(&mut self, folder: &Folder) -> anyhow::Result<()> {
        self.bird.check(folder)?;
        self.teller.check(folder)
    }
}

/// BIRD, and pmacctd.
fn spawn(map: &Map, folder: &Folder, place: Place) -> anyhow::Result<(Running, Running)> {
    let (name, at) = (place.name(), map.at(place));
    let file = |what: &str| folder.path().join(format!("{name}{what}"));
    let mut bird = at.command("bird");
    bird.arg("-f").arg("-c").arg(file("-bird.conf"));
    bird.arg("-s").arg(file(".ctl")).arg("-P").arg(file(".pid"));
    let bird = Running::spawn(bird, folder.path(), &format!("{name}-bird"))?;
    let mut teller = at.command("pmacctd");
    teller.arg("-f").arg(file("-pmacctd.conf"));
    Ok((bird, Running::spawn(teller, folder.path(), &format!("{name}-pmacctd"))?))
}

/// Packets from absorbers that came to an edge on their way to the customers.
pub(super) fn returned(map: &Map, number: u8) -> anyhow::Result<u64> {
    let text = map.at(Place::Edge(number)).run("nft", &["list", "counter", "inet", "lab", "back"])?;
    let word = text.split_whitespace().skip_while(|word| *word != "packets").nth(1);
    word.and_then(|word| word.parse().ok()).with_context(|| format!("nft says nothing of packets: {text}"))
}

/// Static routes stand in the kernel with a larger metric; what the brain announces beats them.
fn bird(own: &str, log: &str) -> String {
    let import =
        "import filter { if (65535, 666) ~ bgp_community then dest = RTD_BLACKHOLE; accept; }; export none;";
    let kernel = ["ipv4", "ipv6"]
        .map(|family| format!("protocol kernel {{ {family} {{ import none; export all; }}; }}\n"))
        .concat();
    format!(
        "router id {own};\nlog \"{log}\" all;\nflow4 table f4;\nflow6 table f6;\nprotocol device {{ }}\n\
         protocol direct {{ ipv4; ipv6; }}\n\
         protocol bgp brain {{\n  local {own} as {ASN};\n  neighbor {BRAIN} as {BRAIN_ASN};\n  direct;\n  passive on;\n  \
         error wait time 1, 4;\n  ipv4 {{ {import} }};\n  ipv6 {{ {import} }};\n\
         \x20 flow4 {{ table f4; import all; export none; }};\n  flow6 {{ table f6; import all; export none; }};\n}}\n{kernel}"
    )
}

/// sFlow of what comes from outside.
fn pmacctd(own: &str, outside: &str) -> String {
    format!(
        "daemonize: false\npcap_interface: {outside}\npcap_direction: in\nplugins: sfprobe[a]\n\
         sampling_rate[a]: {SAMPLING}\nsfprobe_receiver[a]: {BRAIN}:{SFLOW}\nsfprobe_agentip[a]: {own}\n\
         sfprobe_ifindex[a]: 1\n"
    )
}
