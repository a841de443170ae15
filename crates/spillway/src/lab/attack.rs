//! What attackers run: tools from Debian, bounded in rate, number and time.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;

use super::crowd::{Crowd, Deed};
use super::namespace::Namespace;
use super::network::{Network, Site};
use super::process::Running;
use super::reflector::Kind;
use crate::folder::Folder;

/// Whoever attacks, until this goes.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its end")]
pub(super) enum Attacker {
    Tool(Running),
    Crowd(Crowd),
}

/// Where and how long attackers work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) network: &'a Network,
    pub(super) folder: &'a Folder,
    /// At most; who is not ended before ends by himself then.
    pub(super) length: Duration,
}

/// Most packets a second that any tool is asked for.
const RATE_MAX: u32 = 50_000;

impl Scene<'_> {
    /// trafgen sends these packets in turn, so many a second of all together. `@MAC@` stands for the router.
    pub(super) fn trafgen(&self, name: &str, packets: &[String], rate: u32) -> anyhow::Result<Attacker> {
        let gun = Gun {
            at: self.network.at(Site::Attackers),
            interface: self.network.interface(Site::Attackers),
            mac: self.network.router_mac(Site::Attackers)?,
            folder: self.folder,
            length: self.length,
        };
        gun.trafgen(name, packets, rate).map(Attacker::Tool)
    }

    /// Another tool.
    pub(super) fn tool(&self, program: &str, args: &[&str]) -> anyhow::Result<Attacker> {
        Ok(Attacker::Tool(Running::start(self.network, Site::Attackers, self.folder, program, args)?))
    }

    /// Connections, a second.
    pub(super) fn crowd(&self, site: Site, deed: Deed, rate: u32) -> anyhow::Result<Attacker> {
        Ok(Attacker::Crowd(Crowd::start(self.network, site, deed, rate)?))
    }

    /// Questions to a reflector in the server's name, so many a second.
    pub(super) fn ask_in_its_name(&self, kind: Kind, rate: u32) -> anyhow::Result<Attacker> {
        let question = octets(&kind.question());
        let port = kind.port();
        let packet = |from: IpAddr, to: IpAddr| {
            let ports = format!("udp(sp=drnd(20000,60000), dp={port})");
            format!("{{ {}, {ports}, {question} }}", ip(&from.to_string(), to))
        };
        let both = [
            packet(Site::Server.v4(2), Site::Reflectors.v4(2)),
            packet(Site::Server.v6(2), Site::Reflectors.v6(2)),
        ];
        self.trafgen("questions", &both, rate)
    }

    /// Packets to the server over both families, from whatever address, with this behind the IP header.
    pub(super) fn flood(&self, name: &str, rest: &str, rate: u32) -> anyhow::Result<Attacker> {
        self.trafgen(name, &flood([Site::Server.v4(2), Site::Server.v6(2)], rest), rate)
    }
}

/// From where trafgen sends, and through which router.
pub(super) struct Gun<'a> {
    pub(super) at: Namespace,
    pub(super) interface: String,
    /// The router's end.
    pub(super) mac: [u8; 6],
    pub(super) folder: &'a Folder,
    /// At most.
    pub(super) length: Duration,
}

impl Gun<'_> {
    /// See [`Scene::trafgen`]. What trafgen is allowed in a second it sends at its beginning.
    pub(super) fn trafgen(&self, name: &str, packets: &[String], rate: u32) -> anyhow::Result<Running> {
        let rate = rate.min(RATE_MAX);
        self.send(name, packets, rate, &["-b", &format!("{rate}pps")])
    }

    /// Likewise, at an even pace; it is no more than so.
    pub(super) fn evenly(&self, name: &str, packets: &[String], rate: u32) -> anyhow::Result<Running> {
        let rate = rate.clamp(1, RATE_MAX);
        self.send(name, packets, rate, &["-t", &format!("{}us", 1_000_000 / rate)])
    }

    fn send(&self, name: &str, packets: &[String], rate: u32, pace: &[&str]) -> anyhow::Result<Running> {
        let [a, b, c, d, e, f] = self.mac;
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        let file = self.folder.path().join(format!("{name}.trafgen"));
        let text = packets.join("\n").replace("@MAC@", &mac);
        fs::write(&file, text).context("cannot write trafgen's packets")?;
        let number = (u64::from(rate) * self.length.as_secs()).to_string();
        let mut command = self.at.command("trafgen");
        // By the queue, so that who listens on the interface hears it too.
        command.args(["--dev", &self.interface, "-P", "1", "-q", "-n", &number]).args(pace);
        command.arg("--conf").arg(&file);
        Running::spawn(command, self.folder.path(), &format!("trafgen-{name}"))
    }
}

/// Packets to a server over both families, from whatever address, with this behind the IP header.
pub(super) fn flood(server: [IpAddr; 2], rest: &str) -> [String; 2] {
    server.map(|to| format!("{{ {}, {rest} }}", ip("drnd()", to)))
}

/// Link layer and IP header in trafgen's language.
pub(super) fn ip(from: &str, to: IpAddr) -> String {
    let link = "eth(da=@MAC@, sa=02:00:00:00:00:01)";
    match to {
        IpAddr::V4(_) => format!("{link}, ipv4(sa={from}, da={to}, ttl=64)"),
        IpAddr::V6(_) => format!("{link}, ipv6(sa={from}, da={to}, hl=64)"),
    }
}

fn octets(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (n, byte) in bytes.iter().enumerate() {
        // Writing into a string does not fail.
        let _ = write!(text, "{}0x{byte:02x}", if n == 0 { "" } else { ", " });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_written_as_trafgen_reads_them() {
        assert_eq!(octets(&[0, 255]), "0x00, 0xff");
        assert_eq!(
            ip("192.0.2.2", Site::Reflectors.v4(2)),
            "eth(da=@MAC@, sa=02:00:00:00:00:01), ipv4(sa=192.0.2.2, da=198.18.53.2, ttl=64)"
        );
    }
}
