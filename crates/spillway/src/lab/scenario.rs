//! The scenarios: what attackers do, what it is called, and which rules would stop it.

use super::attack::{Attacker, Scene, ip};
use super::crowd::Deed;
use super::network::Site;
use super::reflector::Kind;

/// Where the filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the protected server itself.
    Server,
    /// On the router, in front of the server's narrow link of 10 Mbit/s.
    Router,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// What `replay` calls it, by a capture of the lab; `None`: it must not be called an attack.
    pub vector: Option<&'static str>,
    /// What is not a real program's doing.
    pub synthetic: Option<&'static str>,
    /// Where the filter stands.
    pub place: Place,
    /// Programs it needs besides those that every play needs.
    pub tools: &'static [&'static str],
    /// What stops it, where rules are given; none: nothing is to be stopped.
    pub rules: &'static str,
    pub(super) reflector: Option<Kind>,
    pub(super) start: fn(&Scene<'_>) -> anyhow::Result<Vec<Attacker>>,
}

impl Scenario {
    /// The scenario of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

/// What each has that says nothing else.
const PLAIN: Scenario = Scenario {
    name: "",
    about: "",
    vector: None,
    synthetic: None,
    place: Place::Router,
    tools: &["trafgen"],
    rules: "",
    reflector: None,
    start: |_| Ok(Vec::new()),
};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "syn-flood",
        about: "SYNs from forged addresses fill the backlog of a server without cookies",
        vector: Some("tcp-syn-flood"),
        place: Place::Server,
        rules: "syn proto tcp dst-port 80 tcp-flags syn/syn+ack -> challenge\n",
        start: |scene| {
            let syn = "tcp(sp=drnd(1024,65535), dp=80, seq=drnd(), syn, win=64240)";
            Ok(vec![scene.flood("syn", syn, 20_000)?])
        },
        ..PLAIN
    },
    Scenario {
        name: "dns-amplification",
        about: "BIND 9 is asked long questions in the server's name",
        vector: Some("udp-amplification-dns"),
        tools: &["trafgen", "named"],
        rules: "dns proto udp src-port 53 length >=468 -> drop\ndns-rest proto udp fragment is -> drop\n",
        reflector: Some(Kind::Dns),
        start: |scene| Ok(vec![scene.ask_in_its_name(Kind::Dns, 2_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "ntp-mode6",
        about: "NTPsec is asked for its variables in the server's name",
        vector: Some("udp-amplification-ntp"),
        tools: &["trafgen", "ntpd"],
        rules: "ntp proto udp src-port 123 length >=200 -> drop\n",
        reflector: Some(Kind::NtpControl),
        start: |scene| Ok(vec![scene.ask_in_its_name(Kind::NtpControl, 10_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "ntp-monlist",
        about: "old NTP servers are asked for their list of clients in the server's name",
        vector: Some("udp-amplification-ntp"),
        synthetic: Some("the answers to monlist: no package of Debian gives them any more"),
        rules: "monlist proto udp src-port 123 length 468,488 -> drop\n",
        reflector: Some(Kind::Monlist),
        start: |scene| Ok(vec![scene.ask_in_its_name(Kind::Monlist, 2_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "snmp-getbulk",
        about: "Net-SNMP is asked for many values in the server's name",
        vector: Some("udp-amplification-snmp"),
        tools: &["trafgen", "snmpd"],
        rules: "snmp proto udp src-port 161 -> drop\nsnmp-rest proto udp fragment is -> drop\n",
        reflector: Some(Kind::Snmp),
        start: |scene| Ok(vec![scene.ask_in_its_name(Kind::Snmp, 4_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "memcached-stats",
        about: "memcached is asked for its statistics in the server's name",
        vector: Some("udp-amplification-memcached"),
        tools: &["trafgen", "memcached"],
        rules: "memcached proto udp src-port 11211 -> drop\n",
        reflector: Some(Kind::Memcached),
        start: |scene| Ok(vec![scene.ask_in_its_name(Kind::Memcached, 5_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "udp-flood",
        about: "large UDP packets from forged addresses fill the server's link",
        vector: Some("udp-flood"),
        rules: "udp proto udp dst-port 9999 -> drop\n",
        start: |scene| {
            let udp = "udp(sp=drnd(1024,65535), dp=9999), fill(0x41, 900)";
            Ok(vec![scene.flood("udp", udp, 6_000)?])
        },
        ..PLAIN
    },
    Scenario {
        name: "ack-flood",
        about: "ACKs from forged addresses, by hping3 (IPv4) and trafgen (IPv6), fill the server's link",
        vector: Some("tcp-ack-flood"),
        tools: &["trafgen", "hping3"],
        rules: "ack proto tcp tcp-flags ack/syn+ack+fin+rst+psh window 512 -> drop\n",
        start: |scene| {
            let to = Site::Server.v4(2).to_string();
            let hping = scene.tool(
                "hping3",
                &["-q", "-A", "-p", "80", "-w", "512", "--rand-source", "-d", "400", "-i", "u100", &to],
            )?;
            let ack =
                "tcp(sp=drnd(1024,65535), dp=80, seq=drnd(), ackseq=drnd(), ack, win=512), fill(0x41, 400)";
            let packet = format!("{{ {}, {ack} }}", ip("drnd()", Site::Server.v6(2)));
            Ok(vec![hping, scene.trafgen("ack", &[packet], 8_000)?])
        },
        ..PLAIN
    },
    Scenario {
        name: "scan",
        about: "masscan looks for open ports of the server's network: rude, but no flood",
        tools: &["masscan"],
        start: |scene| {
            let [a, b, c, d, e, f] = scene.network.router_mac(Site::Attackers)?;
            let mac = format!("{a:02x}-{b:02x}-{c:02x}-{d:02x}-{e:02x}-{f:02x}");
            let (interface, own) =
                (scene.network.interface(Site::Attackers), Site::Attackers.v4(2).to_string());
            let args = [
                "192.0.2.0/24",
                "-p",
                "1-1024",
                "--rate",
                "200",
                "--adapter",
                &interface,
                "--adapter-ip",
                &own,
                "--router-mac",
                &mac,
                "--wait",
                "0",
            ];
            Ok(vec![scene.tool("masscan", &args)?])
        },
        ..PLAIN
    },
    Scenario {
        name: "http-flood",
        about: "wrk asks for a large page over and over from two addresses",
        vector: Some("http-flood"),
        tools: &["wrk"],
        rules: "web4 src 203.0.113.0/24 proto tcp dst-port 80 -> drop\n\
                web6 src 2001:db8:a::/64 proto tcp dst-port 80 -> drop\n",
        start: |scene| {
            let seconds = format!("{}s", scene.length.as_secs());
            let wrk = |url: &str| {
                scene.tool("wrk", &["-t", "1", "-c", "40", "-d", &seconds, "--timeout", "2s", url])
            };
            Ok(vec![wrk("http://192.0.2.2/big")?, wrk("http://[2001:db8:5::2]/big")?])
        },
        ..PLAIN
    },
    Scenario {
        name: "handshake-flood",
        about: "two addresses open connections, ask for nothing and go, 2,000 times a second",
        vector: Some("tcp-connection-flood"),
        synthetic: Some("the attackers: sockets of the lab itself"),
        tools: &[],
        rules: "open4 src 203.0.113.0/24 proto tcp dst-port 80 -> drop\n\
                open6 src 2001:db8:a::/64 proto tcp dst-port 80 -> drop\n",
        start: |scene| Ok(vec![scene.crowd(Site::Attackers, Deed::Hang, 2_000)?]),
        ..PLAIN
    },
    Scenario {
        name: "flash-crowd",
        about: "four times as many visitors as ever, all welcome: nothing may be filtered",
        synthetic: Some("the visitors: sockets of the lab itself"),
        tools: &[],
        start: |scene| Ok(vec![scene.crowd(Site::Clients, Deed::Visit, 300)?]),
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_rules_are_rules() {
        for (n, scenario) in SCENARIOS.iter().enumerate() {
            assert!(!scenario.name.is_empty() && !scenario.about.is_empty());
            assert!(
                SCENARIOS.iter().skip(n + 1).all(|other| other.name != scenario.name),
                "{}",
                scenario.name
            );
            for line in scenario.rules.lines() {
                assert!(line.parse::<rules::Rule>().is_ok(), "{}: {line}", scenario.name);
            }
            assert_eq!(scenario.rules.is_empty(), scenario.vector.is_none(), "{}", scenario.name);
        }
    }
}
