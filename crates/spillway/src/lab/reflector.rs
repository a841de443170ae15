//! Servers that answer whoever is said to ask: real ones from Debian, each with a configuration of its own and open to all,
//! and one synthetic answer where no package gives it any more.

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn6, bind, setsockopt, socket, sockopt};

use super::inside::{Thread, inside};
use super::network::{Network, Site};
use super::process::Running;
use crate::folder::Folder;

/// One kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BIND 9, an open resolver with a name of many long texts.
    Dns,
    /// NTPsec, which answers control messages (mode 6).
    NtpControl,
    /// Net-SNMP, community `public`.
    Snmp,
    /// memcached with UDP.
    Memcached,
    /// A synthetic server: answers to `monlist` (mode 7) as old NTP servers gave them, ten packets of 440 octets.
    Monlist,
}

/// A running reflector.
#[derive(Debug)]
pub(super) enum Reflector {
    Real(Running),
    Synthetic { stop: Arc<AtomicBool>, thread: Option<Thread<()>> },
}

/// Until it has to answer.
const PATIENCE: Duration = Duration::from_secs(15);

impl Kind {
    /// Where it listens.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Dns => 53,
            Self::NtpControl | Self::Monlist => 123,
            Self::Snmp => 161,
            Self::Memcached => 11211,
        }
    }

    /// The question whose answer is so much longer.
    pub(super) fn question(self) -> Vec<u8> {
        match self {
            // RFC 1035 §4: TXT of big.lab, with EDNS (RFC 6891) for 4,096 octets
            Self::Dns => b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x03big\x03lab\0\0\x10\0\x01\0\0\x29\x10\0\0\0\0\0\0\0"
                .to_vec(),
            // RFC 9327 §2: read variables
            Self::NtpControl => b"\x16\x02\0\x01\0\0\0\0\0\0\0\0".to_vec(),
            // RFC 3416 §4.2.3: GetBulk of 80 repetitions from 1.3.6.1.2.1 on
            Self::Snmp => b"\x30\x23\x02\x01\x01\x04\x06public\xa5\x16\x02\x01\x01\x02\x01\0\x02\x01\x50\x30\x0b\x30\x09\x06\x05\x2b\x06\x01\x02\x01\x05\0"
                .to_vec(),
            Self::Memcached => b"\0\0\0\0\0\x01\0\0stats\r\n".to_vec(),
            // ntpd's private mode: implementation 3, request 42
            Self::Monlist => b"\x17\0\x03\x2a\0\0\0\0".to_vec(),
        }
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(self, network: &Network, folder: &Folder) -> anyhow::Result<Reflector> {
        let site = Site::Reflectors;
        let root = folder.path().display().to_string();
        let file = |name: &str| format!("{root}/{name}");
        let mut reflector = match self {
            Self::Dns => {
                fs::create_dir(file("named"))?;
                fs::write(file("named/big.zone"), big_zone())?;
                fs::write(file("named.conf"), NAMED.replace("@FOLDER@", &file("named")))?;
                let args = ["-f", "-n", "1", "-c", &file("named.conf")];
                Reflector::Real(Running::start(network, site, folder, "named", &args)?)
            }
            Self::NtpControl => {
                fs::write(file("ntp.conf"), NTP)?;
                let args = ["-n", "-g", "-c", &file("ntp.conf")];
                Reflector::Real(Running::start(network, site, folder, "ntpd", &args)?)
            }
            Self::Snmp => {
                fs::write(file("snmpd.conf"), SNMP)?;
                // No definitions are needed for answers by number, and none are looked for.
                let keep = format!("SNMP_PERSISTENT_DIR={root}");
                let args =
                    ["MIBS=", &keep, "snmpd", "-f", "-Lf", "/dev/null", "-C", "-c", &file("snmpd.conf")];
                Reflector::Real(Running::start(network, site, folder, "env", &args)?)
            }
            Self::Memcached => {
                let args = ["-u", "root", "-l", "0.0.0.0,::", "-U", "11211", "-m", "16", "-t", "1"];
                Reflector::Real(Running::start(network, site, folder, "memcached", &args)?)
            }
            Self::Monlist => monlist(network)?,
        };
        let deadline = Instant::now() + PATIENCE;
        while !self.answers(network)? {
            if let Reflector::Real(running) = &mut reflector {
                running.check(folder)?;
            }
            if Instant::now() > deadline {
                bail!("the reflector on port {} does not answer after {} s", self.port(), PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(reflector)
    }

    /// Whether both families answer a client's question.
    fn answers(self, network: &Network) -> anyhow::Result<bool> {
        let (question, port) = (self.question(), self.port());
        let ask = move || -> std::io::Result<bool> {
            for (any, to) in [("0.0.0.0:0", Site::Reflectors.v4(2)), ("[::]:0", Site::Reflectors.v6(2))] {
                let socket = UdpSocket::bind(any)?;
                socket.set_read_timeout(Some(Duration::from_millis(200)))?;
                socket.connect((to, port))?;
                socket.send(&question)?;
                if socket.recv(&mut [0; 16]).is_err() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        inside(network, Site::Clients, ask)?.join()?.context("cannot ask a reflector")
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        if let Self::Synthetic { stop, thread } = self {
            stop.store(true, Ordering::Relaxed);
            if let Some(thread) = thread.take() {
                // What went wrong in it was reported or does not matter any more.
                let _ = thread.join();
            }
        }
    }
}

fn monlist(network: &Network) -> anyhow::Result<Reflector> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let open = || -> nix::Result<UdpSocket> {
        let fd = socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
        bind(
            std::os::fd::AsRawFd::as_raw_fd(&fd),
            &SockaddrIn6::from(std::net::SocketAddrV6::new(
                std::net::Ipv6Addr::UNSPECIFIED,
                Kind::Monlist.port(),
                0,
                0,
            )),
        )?;
        Ok(fd.into())
    };
    let socket = inside(network, Site::Reflectors, open)?.join()?.context("cannot open port 123")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let serve = move || {
        // Mode 7, an answer with more to come: six entries of 72 octets.
        let mut answer = [0u8; 440];
        if let Some((head, _)) = answer.split_first_chunk_mut::<8>() {
            *head = [0xd7, 0, 3, 0x2a, 0, 6, 0, 72];
        }
        let mut question = [0; 64];
        while !asked.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
            if length >= 8 && question.first() == Some(&0x17) {
                for _ in 0..10 {
                    // A full queue loses answers, as any server's does.
                    let _ = socket.send_to(&answer, from);
                }
            }
        }
    };
    let thread = inside(network, Site::Reflectors, serve)?;
    Ok(Reflector::Synthetic { stop, thread: Some(thread) })
}

fn big_zone() -> String {
    let mut zone = String::from("$TTL 60\n@ IN SOA ns h 1 60 60 60 60\n@ IN NS ns\nns IN A 198.18.53.2\n");
    for n in 0..12 {
        zone.push_str(&format!("@ IN TXT \"{}\"\n", format!("{n:02}-lab-").repeat(34)));
    }
    zone
}

const NAMED: &str = "\
options { directory \"@FOLDER@\"; listen-on { any; }; listen-on-v6 { any; }; recursion yes; allow-query { any; };
  allow-recursion { any; }; max-udp-size 4096; edns-udp-size 4096; nocookie-udp-size 4096; minimal-responses no;
  pid-file none; session-keyfile none; lock-file none; dnssec-validation no; empty-zones-enable no; };
controls { };
zone \"big.lab\" { type primary; file \"big.zone\"; };
zone \".\" { type primary; file \"big.zone\"; };
";

/// It serves no time, and the clock of this machine is left alone.
const NTP: &str = "\
disable ntp
unrestrict default limited noquery kod
restrict 0.0.0.0/1
restrict 128.0.0.0/1
restrict ::/1
";

const SNMP: &str = "\
agentAddress udp:161,udp6:161
rocommunity public
rocommunity6 public
";
