//! What pages of the manual find: a folder, a configuration, captures, a daemon under attack.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, Output, Stdio};

use base::{Span, Timestamp};

use crate::daemon::{Daemon, syns, wait};
use crate::support::{Scratch, pcap, pcap_at, spillway, stderr, udp};

/// What stands in the manual for what is different each time.
const API: &str = "127.0.0.1:8646";
const ATTACK: &str = "3f9a0c41d2e85b76";
/// The one under attack.
const TARGET: [u8; 4] = [198, 51, 100, 7];

/// The folder of a page, and what it asked for so far.
pub(super) struct Fixtures {
    scratch: Scratch,
    daemon: Option<Daemon>,
    api: String,
    attack: String,
}

impl Fixtures {
    pub(super) fn new(page: &str) -> Self {
        let scratch = Scratch::new(&format!("manual-{page}"));
        std::fs::create_dir_all(scratch.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_spillway"), scratch.path("bin/spillway")).unwrap();
        Self { scratch, daemon: None, api: API.to_owned(), attack: ATTACK.to_owned() }
    }

    /// Sees to it that this is there: `config`, `capture`, `export`, `rules`, `fastnetmon`, `dossier`, `daemon`, `attack`.
    pub(super) fn provide(&mut self, needs: &str) {
        for need in needs.split_whitespace() {
            match need {
                "config" => self.config(),
                "capture" => self.capture(),
                "export" => drop(self.scratch.file("export.pcap", &export())),
                "rules" => drop(self.scratch.file("rules.txt", RULES)),
                "fastnetmon" => self.fastnetmon(),
                "dossier" => self.dossier(),
                "daemon" => self.daemon(),
                "attack" => self.attacked(),
                other => panic!("nothing is known of `runs: {other}`"),
            }
        }
    }

    /// With what is different each time.
    pub(super) fn real(&self, text: &str) -> String {
        text.replace(API, &self.api).replace(ATTACK, &self.attack)
    }

    pub(super) fn run(&self, command: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("sh")
            .args(["-euc", command])
            .current_dir(self.scratch.path("."))
            .env("PATH", format!("{}:{path}", self.scratch.path("bin").display()))
            .env("NO_COLOR", "1")
            .env("DEMO_ONCE", "1")
            .env_remove("COLUMNS")
            .env_remove("SPILLWAY_TOKEN")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn config(&mut self) {
        if self.scratch.path("spillway.toml").exists() {
            return;
        }
        // A port of the system's choice, which commands have to find in the file: at an address of this process alone, for at the usual
        // one a connection of others may get it before the daemon listens.
        let [.., high, low] = std::process::id().to_be_bytes();
        let free = TcpListener::bind((Ipv4Addr::new(127, 77, high, low), 0)).unwrap().local_addr().unwrap();
        self.api = free.to_string();
        let tell = self.scratch.file("tell", b"#!/bin/sh\ncat >>told\n");
        std::fs::set_permissions(&tell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let text = format!(
            "networks = [\"198.51.100.0/24\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n\
             [listen]\nsflow = \"127.0.0.1:0\"\nnetflow = \"127.0.0.1:0\"\nipfix = \"127.0.0.1:0\"\n\
             [api]\nlisten = \"{}\"\n\
             [customers.\"example\"]\nnetworks = [\"198.51.100.0/28\"]\nprofile = \"web\"\n\
             [notify.noc]\nkind = \"exec\"\npath = \"{tell}\"\n\
             [routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\ndiversion = [\"198.51.100.0/24\"]\n\
             [routing.drill]\nspare = [\"198.51.100.99/32\"]\n\
             [routing.peers.\"upstream\"]\naddress = \"127.0.0.1:1\"\nasn = 64500\nlocal = \"127.0.0.1\"\n\
             carries = [\"blackhole\", \"flowspec\", \"diversion\"]\nprofile = \"bird\"\nblackhole_next_hop = \"192.0.2.66\"\n\
             diversion_next_hop = \"192.0.2.9\"\n",
            self.scratch.path("state").display(),
            self.api,
        );
        self.scratch.file("spillway.toml", text.as_bytes());
    }

    fn capture(&self) {
        let begin = Timestamp::from_secs(1_700_000_000);
        let packets = (0..6_000u64).map(|at| (begin.plus(Span::from_millis(at)), answer(at)));
        self.scratch.file("capture.pcap", &pcap_at(101, packets));
    }

    /// As FastNetMon's package leaves it, with some values changed.
    fn fastnetmon(&self) {
        let folder = self.scratch.path("fastnetmon");
        std::fs::create_dir_all(&folder).unwrap();
        self.scratch.file("fastnetmon/networks_list", b"198.51.100.0/24\n");
        self.scratch.file("fastnetmon/networks_whitelist", b"203.0.113.0/24\n");
        self.scratch.file("fastnetmon/fastnetmon.conf", FASTNETMON);
    }

    fn dossier(&mut self) {
        if self.scratch.path("dossiers").exists() {
            return;
        }
        self.capture();
        let (capture, to) = (self.scratch.path("capture.pcap"), self.scratch.path("dossiers"));
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let output = spillway([
            "replay",
            &text(&capture),
            "--protect",
            "198.51.100.0/24",
            "--dossier",
            &text(&to),
            "-o",
            "jsonl",
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        let folder =
            std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap()).find(|entry| entry.path().is_dir());
        self.attack = folder.expect("an attack is in the capture").file_name().into_string().unwrap();
    }

    fn daemon(&mut self) {
        self.config();
        if self.daemon.is_none() {
            let daemon = Daemon::begin(
                Command::new(env!("CARGO_BIN_EXE_spillway"))
                    .args(["run", "-c", "spillway.toml"])
                    .current_dir(self.scratch.path(".")),
            );
            self.daemon = Some(daemon);
        }
    }

    fn attacked(&mut self) {
        self.daemon();
        let daemon = self.daemon.as_ref().unwrap();
        let sender = UdpSocket::bind("127.0.0.7:0").unwrap();
        let mut sequence = 0;
        let attack = wait("the attack", || {
            for _ in 0..2 {
                sender.send_to(&exported(sequence), daemon.listen(1)).unwrap();
                sequence += 10;
            }
            daemon.attacks().into_iter().find(|attack| attack["severity"] == "attack")
        });
        self.attack = attack["id"].as_str().unwrap().to_owned();
    }
}

/// A datagram of sampled SYNs to the target.
fn exported(sequence: u32) -> Vec<u8> {
    let mut datagram = syns(sequence, 10);
    for at in 0..datagram.len() - 4 {
        if datagram[at..at + 4] == [198, 18, 7, 7] {
            datagram[at..at + 4].copy_from_slice(&TARGET);
        }
    }
    datagram
}

fn export() -> Vec<u8> {
    pcap(101, &(0..20).map(|at| udp(&exported(at * 10))).collect::<Vec<_>>())
}

/// A large answer of one of two hundred name servers to a question that nobody asked.
fn answer(number: u64) -> Vec<u8> {
    let mut packet = udp(&[0; 1_200]);
    let server = u8::try_from(number % 200).unwrap() + 1;
    packet[12..16].copy_from_slice(&[203, 0, 113, server]);
    packet[16..20].copy_from_slice(&TARGET);
    packet[20..22].copy_from_slice(&53u16.to_be_bytes());
    packet[22..24].copy_from_slice(&u16::try_from(1_024 + number % 50_000).unwrap().to_be_bytes());
    // the header of an answer to a question for ANY
    packet[28..40].copy_from_slice(&[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 20, 0, 0, 0, 0]);
    packet
}

const RULES: &[u8] = b"# answers that nobody asked for\n\
    ntp dst 198.51.100.0/24 proto udp src-port 123 length >=468 -> drop\n\
    dns dst 198.51.100.7/32 proto udp src-port 53 length >=1000 -> rate 1000pps\n";

const FASTNETMON: &[u8] = b"# Main configuration\nenable_ban = on\nban_time = 1900\nunban_only_if_attack_finished = on\n\
    networks_list_path = /etc/networks_list\nwhite_list_path = /etc/networks_whitelist\n\
    ban_for_pps = on\nban_for_bandwidth = on\nban_for_flows = on\nthreshold_pps = 20000\nthreshold_mbps = 1000\nthreshold_flows = 3500\n\
    netflow = on\nnetflow_port = 2055\nnetflow_host = 0.0.0.0\nsflow = on\nsflow_port = 6343\nsflow_host = 0.0.0.0\n\
    notify_script_path = /usr/local/bin/notify_about_attack.sh\nexabgp = on\nprometheus = on\n";
