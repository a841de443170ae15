//! Our side, and the table.

use std::time::Instant;

use base::Span;
use dataplane::{Listener, Plane, Policy};
use rules::{RuleSet, parse};

use crate::driver::{Driver, least};
use crate::engine;
use crate::mix::{Packet, rules};
use crate::{peer, sources, syn};

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
    sources::limits(&plane, &driver, &mut row)?;
    sources::blocked(&plane, &driver, &mut row)?;
    for line in syn::rows("cookie")?.into_iter().chain(syn::rows("returning")?) {
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
