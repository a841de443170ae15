//! Our side, and the table.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use base::Prefix;
use dataplane::{Host, Plane, Policy};
use rules::{RuleSet, parse};

use crate::driver::{Driver, least};
use crate::mix::{Packet, Random, rules};
use crate::peer;

fn policy(text: &str) -> anyhow::Result<Policy> {
    let rules = parse::rules(text).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    Ok(Policy { rules: RuleSet::new(rules), ..Policy::default() })
}

fn fixed(plane: &Plane, packet: &Packet) -> anyhow::Result<u32> {
    let frame = packet.frame();
    least(|| Ok(plane.test_run(&frame, 400_000)?.nanoseconds))
}

/// All rows.
pub(crate) fn all() -> anyhow::Result<()> {
    let driver = Driver::load()?;
    let plane = Plane::load()?;
    let mut rows: Vec<[String; 4]> = Vec::new();
    let mut row = |what: &str, ours: String, aim: &str, peer: String| {
        rows.push([what.into(), ours, aim.into(), peer]);
    };
    let nothing = sys::bpf::load_xdp(&[[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]], "pass")
        .map_err(|e| anyhow::anyhow!("{}", e.cause))?;
    let frame = Packet::FIXED.frame();
    use std::os::fd::AsFd;
    let floor = least(|| Ok(sys::bpf::test_run(nothing.as_fd(), &frame, 400_000)?.nanoseconds))?;
    let floor_random = driver.run(nothing.as_fd(), &[Packet::FIXED])?;
    row(
        "a program that only returns, fixed / random",
        format!("{floor} / {floor_random}"),
        "",
        String::new(),
    );
    let other = Policy { protect: Some(vec!["192.0.2.0/24".parse()?]), ..Policy::default() };
    plane.install(&other)?;
    let filter = peer::xdp_filter().unwrap_or_else(|e| format!("xdp-filter: not here ({e})"));
    row("unprotected destination, whole path", fixed(&plane, &Packet::FIXED)?.to_string(), "45", filter);
    let nftables = peer::run_nftables()?;
    for (count, aim) in [(10, ""), (100, ""), (1000, "80 / 110"), (5000, "90 / 200")] {
        let (text, packets) = rules(count);
        let policy = policy(&text)?;
        let begun = Instant::now();
        let installed = plane.install(&policy)?;
        let took = begun.elapsed().as_millis();
        let ours = format!(
            "{} / {} ({} instructions, {} verified, in force after {took} ms)",
            fixed(&plane, &Packet::FIXED)?,
            driver.run(plane.entry(), &packets)?,
            installed.instructions,
            installed.verified
        );
        let peer = nftables
            .iter()
            .find(|(n, _)| *n == count)
            .map_or(String::new(), |(_, ns)| format!("nftables {ns} (fixed, none matches)"));
        row(&format!("{count} rules, fixed / random, whole path"), ours, aim, peer);
    }
    let one = policy("a dst 203.0.3.77/32 proto udp src-port 53 -> drop\n")?;
    let begun = Instant::now();
    for _ in 0..20 {
        plane.install(&one)?;
    }
    row(
        "one rule in force",
        format!("{:.1} ms", begun.elapsed().as_secs_f64() * 50.0),
        "1 ms",
        String::new(),
    );
    limits(&plane, &driver, &mut row)?;
    blocked(&plane, &driver, &mut row)?;
    let cookies =
        Command::new("unshare").args(["-n"]).arg(std::env::current_exe()?).arg("cookie").output()?;
    anyhow::ensure!(cookies.status.success(), "{}", String::from_utf8_lossy(&cookies.stderr));
    row(
        "a SYN answered with a cookie, IPv4",
        String::from_utf8(cookies.stdout)?.trim().into(),
        "250",
        String::new(),
    );
    println!("| | ours, ns | at most | peers, ns |\n|---|---|---|---|");
    for [what, ours, aim, peer] in rows {
        println!("| {what} | {ours} | {aim} | {peer} |");
    }
    Ok(())
}

/// A million sources on the list.
fn blocked(
    plane: &Plane,
    driver: &Driver,
    row: &mut impl FnMut(&str, String, &str, String),
) -> anyhow::Result<()> {
    let mut r = Random::new(3);
    let block: Vec<Prefix> = (0..1_000_000)
        .map(|_| Prefix::host(IpAddr::V4(Ipv4Addr::from(Packet::random(&mut r).src))))
        .collect();
    let begun = Instant::now();
    plane.install(&Policy { block: block.clone(), ..Policy::default() })?;
    let took = begun.elapsed().as_secs_f64();
    let listed: Vec<Packet> = block
        .iter()
        .step_by(200)
        .filter_map(|prefix| match prefix.addr() {
            IpAddr::V4(addr) => Some(Packet { src: addr.octets(), ..Packet::FIXED }),
            IpAddr::V6(_) => None,
        })
        .collect();
    let ours = format!(
        "miss {}, hit {} (5,000 of them in turn); in force after {took:.1} s",
        fixed(plane, &Packet::FIXED)?,
        driver.run(plane.entry(), &listed)?
    );
    row("a million blocked sources", ours, "+20 over the path", String::new());
    Ok(())
}

/// These rows alone.
pub(crate) fn limits_alone() -> anyhow::Result<()> {
    let mut print = |what: &str, ours: String, _: &str, peer: String| println!("{what}: {ours}; {peer}");
    let (plane, driver) = (Plane::load()?, Driver::load()?);
    blocked(&plane, &driver, &mut print)?;
    limits(&plane, &driver, &mut print)
}

/// What it costs to hold each source to its rate while every packet has a source of its own, as a spoofed flood has.
fn limits(
    plane: &Plane,
    driver: &Driver,
    row: &mut impl FnMut(&str, String, &str, String),
) -> anyhow::Result<()> {
    let one = |src: [u8; 4]| Packet { src, ..Packet::FIXED };
    let path = {
        plane.install(&policy("a proto udp -> pass\n")?)?;
        driver.fresh(plane.entry(), &one([11, 0, 0, 0]))?
    };
    let shared = {
        plane.install(&policy("a proto udp -> rate 1Gpps\n")?)?;
        driver.fresh(plane.entry(), &one([11, 0, 0, 0]))?
    };
    plane.install(&policy("a proto udp -> rate 100pps per source\n")?)?;
    let sources = driver.fresh(plane.entry(), &one([11, 0, 0, 0]))?;
    let lru = driver.fresh(driver.lru(), &one([11, 0, 0, 0]))?;
    let few: Vec<Packet> = (0..64).map(|n| one([192, 0, 2, n])).collect();
    let over = driver.run(plane.entry(), &few)?;
    plane.install(&policy("a proto udp -> rate 1000pps per destination\n")?)?;
    let destination = driver.fresh(plane.entry(), &one([11, 0, 0, 0]))?;
    row(
        "a rule decides every packet, all from new sources: pass / rate / rate per source / rate per destination",
        format!("{path} / {shared} / {sources} / {destination}"),
        "+30 over the path",
        format!("a table of sources (LRU) alone, without any path: {lru}"),
    );
    row("64 sources far above their rate", over.to_string(), "", String::new());
    Ok(())
}

/// In a namespace of its own: a listener, and SYNs to it.
pub(crate) fn cookies() -> anyhow::Result<()> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    anyhow::ensure!(up.success(), "ip link set lo up");
    std::fs::write("/proc/sys/net/ipv4/tcp_syncookies", "2").context("net.ipv4.tcp_syncookies")?;
    let _listener = TcpListener::bind(("0.0.0.0", 8080))?;
    let plane = Plane::load()?;
    plane.set_host(Host { mss: [1460, 1440], scale: 7, timestamps: true })?;
    plane.install(&policy("c proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n")?)?;
    let syn = Packet { protocol: 6, flags: 0x02, ports: (40_000, 8080), length: 40, ..Packet::FIXED };
    let ns = Driver::load()?.run(plane.entry(), &[syn])?;
    let answered =
        plane.leaves()?.into_iter().find(|tally| tally.place == "challenged").map_or(0, |t| t.packets);
    anyhow::ensure!(answered > 3_000_000, "only {answered} SYNs were answered");
    println!("{ns}");
    Ok(())
}
