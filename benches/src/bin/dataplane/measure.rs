//! Our side, and the table.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use base::{Prefix, Span};
use dataplane::{Listener, Plane, Policy};
use rules::{RuleSet, parse};

use crate::driver::{Driver, least};
use crate::engine;
use crate::mix::{Packet, Random, rules};
use crate::{peer, syn};

pub(crate) fn policy(text: &str) -> anyhow::Result<Policy> {
    let rules = parse::rules(text).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    Ok(Policy { rules: RuleSet::new(rules), ..Policy::default() })
}

pub(crate) fn fixed(plane: &Plane, packet: &Packet) -> anyhow::Result<u32> {
    let frame = packet.frame();
    least(|| Ok(plane.test_run(&frame, 400_000)?.nanoseconds))
}

/// All rows.
pub(crate) fn all() -> anyhow::Result<()> {
    let driver = Driver::load()?;
    let begun = Instant::now();
    let plane = Plane::load()?;
    let loaded = begun.elapsed().as_millis();
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
    let mut trees: Vec<(String, String, u32)> = Vec::new();
    for (count, aim) in [(10, ""), (100, ""), (1000, "80 / 110"), (5000, "90 / 200")] {
        let (text, packets) = rules(count);
        let policy = policy(&text)?;
        let begun = Instant::now();
        let installed = plane.install(&policy)?;
        let took = begun.elapsed().as_millis();
        let ours = format!(
            "{} / {} (in force after {took} ms)",
            fixed(&plane, &Packet::FIXED)?,
            driver.run(plane.entry(), &packets)?,
        );
        let name = format!("tree of {count} rules");
        trees.push((name, installed.instructions.to_string(), installed.verified));
        let peer = nftables
            .iter()
            .find(|(n, _)| *n == count)
            .map_or(String::new(), |(_, ns)| format!("nftables {ns} (fixed, none matches)"));
        row(&format!("{count} rules, fixed / random, whole path"), ours, aim, peer);
    }
    engine::rows(&driver, &plane, &mut row)?;
    plane.install(&Policy::default())?;
    let off = fixed(&plane, &Packet::FIXED)?;
    plane.install(&Policy { telemetry: true, ..Policy::default() })?;
    let mut listener = Listener::open(&plane)?;
    let on = fixed(&plane, &Packet::FIXED)?;
    listener.turn(&plane, |_| {})?;
    row("no rules; and local packets told in a flood", format!("{off}; {on}"), "", String::new());
    let drop = policy("a -> drop for 1h\n")?;
    plane.install(&drop)?;
    let by_hand = fixed(&plane, &Packet::FIXED)?;
    plane.install(&Policy { automatic: ["a".to_owned()].into(), ..drop })?;
    plane.beat(Some(Span::from_secs(3600)))?;
    let automatic = fixed(&plane, &Packet::FIXED)?;
    row(
        "dropped by a leased rule; by one with the dead-man switch",
        format!("{by_hand}; {automatic}"),
        "",
        String::new(),
    );
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
        fixed(&plane, &Packet::FIXED)?,
        driver.run(plane.entry(), &listed)?
    );
    row("a million blocked sources", ours, "+20 over the path", String::new());
    for line in syn::rows()? {
        let [what, ours, aim] = line;
        row(&what, ours, &aim, String::new());
    }
    row("the fixed programs and their maps loaded", format!("{loaded} ms"), "", String::new());
    println!("| | ours, ns | at most | peers, ns |\n|---|---|---|---|");
    for [what, ours, aim, peer] in rows {
        println!("| {what} | {ours} | {aim} | {peer} |");
    }
    println!("\n| program | instructions | walked by the verifier, of 1,000,000 |\n|---|---|---|");
    let fixed = plane.programs().iter().map(|p| (p.name.to_owned(), p.instructions.to_string(), p.verified));
    for (name, instructions, verified) in fixed.chain(trees) {
        println!("| {name} | {instructions} | {verified} |");
    }
    Ok(())
}

/// These rows alone.
pub(crate) fn limits_alone() -> anyhow::Result<()> {
    limits(&Plane::load()?, &Driver::load()?, &mut |what, ours, _, _| println!("{what}: {ours}"))
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
    let few: Vec<Packet> = (0..64).map(|n| one([192, 0, 2, n])).collect();
    let over = driver.run(plane.entry(), &few)?;
    plane.install(&policy("a proto udp -> rate 1000pps per destination\n")?)?;
    let destination = driver.fresh(plane.entry(), &one([11, 0, 0, 0]))?;
    row(
        "a rule decides every packet, all from new sources: pass / rate / rate per source / rate per destination",
        format!("{path} / {shared} / {sources} / {destination}"),
        "+30 over the path",
        "a table of sources (LRU): 391".into(),
    );
    row("64 sources far above their rate", over.to_string(), "", String::new());
    Ok(())
}
