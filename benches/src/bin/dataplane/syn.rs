//! What an answer to a SYN costs: in a namespace of its own, with a listener.

use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::Context;
use dataplane::{Challenge, Host, Plane, Policy, Protection};

use crate::driver::Driver;
use crate::measure::policy;

/// The TCP options of Linux: MSS, SACK, timestamps, window scale.
const COMMON: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7];

/// SYNs to the listener, from many sources.
fn syns(six: bool, options: &[u8]) -> Vec<Vec<u8>> {
    let one = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let mut b = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let length = u8::try_from(20 + options.len()).unwrap_or(20);
        if six {
            b.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 6, 64, 0x20, 1, 0xd, 0xb8]);
            b.extend([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            b.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        } else {
            b.extend([
                8,
                0,
                0x45,
                0,
                0,
                20 + length,
                0,
                0,
                0,
                0,
                64,
                6,
                0,
                0,
                198,
                high,
                low,
                1,
                203,
                0,
                113,
                7,
            ]);
        }
        b.extend([
            0x9c,
            0x40,
            0x1f,
            0x90,
            1,
            2,
            high,
            low,
            0,
            0,
            0,
            0,
            length << 2,
            2,
            0xfa,
            0xf0,
            0,
            0,
            0,
            0,
        ]);
        b.extend(options);
        b.resize(b.len().max(60), 0);
        b
    };
    (0..4096).map(one).collect()
}

/// The rows of one part, from a namespace of its own.
pub(crate) fn rows(part: &str) -> anyhow::Result<Vec<[String; 3]>> {
    let out = Command::new("unshare").args(["-n"]).arg(std::env::current_exe()?).arg(part).output()?;
    anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let line = |line: &str| {
        let mut parts = line.split('|').map(str::to_owned);
        Some([parts.next()?, parts.next()?, parts.next()?])
    };
    Ok(text.lines().filter_map(line).collect())
}

/// The same, inside.
pub(crate) fn inside() -> anyhow::Result<()> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    anyhow::ensure!(up.success(), "ip link set lo up");
    std::fs::write("/proc/sys/net/ipv4/tcp_syncookies", "2").context("net.ipv4.tcp_syncookies")?;
    let _listener = TcpListener::bind(("::", 8080))?;
    let driver = Driver::load()?;
    let drop = sys::bpf::load_xdp(&[[0xb7, 0, 0, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]], "drop")
        .map_err(|e| anyhow::anyhow!("{}", e.cause))?;
    let floor = [(false, &[][..]), (false, &COMMON), (true, &COMMON)]
        .map(|(six, options)| driver.run_answered(drop.as_fd(), &syns(six, options)));
    let [bare, four, six] = floor;
    println!("frames written anew and dropped at once: 60, 74, 94 octets|{} / {} / {}|", bare?, four?, six?);
    for (name, challenge, above) in [
        ("the listener's cookie", Challenge::Host, 0),
        ("a cookie for the proxy", Challenge::Gateway, 0),
        ("a wrong number", Challenge::Reset, 0),
        ("nothing: the first is dropped", Challenge::First, 0),
        ("nothing: it may pass unasked", Challenge::Host, u32::MAX),
    ] {
        let plane = Plane::load()?;
        plane.set_host(Host { mss: [1460, 1440], scale: 7, timestamps: true })?;
        let protection = Protection {
            challenge,
            challenge_above: above,
            answers_max: u32::MAX,
            answers_net_max: u32::MAX,
            ..Protection::default()
        };
        let rules = policy("c proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n")?;
        plane.install(&Policy { protection, ..rules })?;
        for (what, six, options, aim) in [
            ("IPv4 without options", false, &[][..], "250"),
            ("IPv4 as Linux sends it", false, &COMMON, "250"),
            ("IPv6 as Linux sends it", true, &COMMON, "300"),
        ] {
            let ns = driver.run_answered(plane.entry(), &syns(six, options))?;
            let aim = if challenge == Challenge::Host && above == 0 { aim } else { "" };
            println!("a SYN, {what}, answered with {name}|{ns}|{aim}");
        }
        if challenge == Challenge::Gateway {
            for (what, six) in [("IPv4", false), ("IPv6", true)] {
                let mut acks = syns(six, &[]);
                let flags = if six { 67 } else { 47 };
                acks.iter_mut().filter_map(|ack| ack.get_mut(flags)).for_each(|flags| *flags = 0x10);
                let ns = driver.run_answered(plane.entry(), &acks)?;
                println!("an ACK of a source that has proven nothing, where a set challenges, {what}|{ns}|");
            }
        }
        if challenge == Challenge::Host && above == 0 {
            let challenged = plane.leaves()?.into_iter().find(|tally| tally.place == "challenged");
            let answered = challenged.map_or(0, |tally| tally.packets);
            anyhow::ensure!(answered > 9_000_000, "only {answered} SYNs were answered");
        }
    }
    Ok(())
}
