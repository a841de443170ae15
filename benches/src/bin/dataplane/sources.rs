//! What sources cost: lists of a million, and rates of each by itself.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use base::Prefix;
use dataplane::{Plane, Policy};

use crate::driver::Driver;
use crate::measure::{fixed, policy};
use crate::mix::{Packet, Random};

/// A million sources on the list.
pub(crate) fn blocked(
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
    // What the driver and other packets than the last one cost is no cost of the list.
    let known: std::collections::BTreeSet<&Prefix> = block.iter().collect();
    let others: Vec<Packet> = (0..5000)
        .map(|_| Packet { src: Packet::random(&mut r).src, ..Packet::FIXED })
        .filter(|packet| !known.contains(&Prefix::host(IpAddr::V4(Ipv4Addr::from(packet.src)))))
        .collect();
    let hit = driver.run(plane.entry(), &listed)?;
    let one = driver.run(plane.entry(), listed.get(..1).unwrap_or_default())?;
    let miss = driver.run(plane.entry(), &others)?;
    plane.install(&Policy::default())?;
    let path = driver.run(plane.entry(), &others)?;
    plane.install(&Policy { block, ..Policy::default() })?;
    let ours = format!(
        "miss {}; in turn: {path} without a list, miss {miss}, hit {hit}, one of them again and again {one}; in \
         force after {took:.1} s",
        fixed(plane, &Packet::FIXED)?,
    );
    row("a million blocked sources", ours, "+20 over the path", String::new());
    Ok(())
}

/// These rows alone.
pub(crate) fn alone() -> anyhow::Result<()> {
    let mut print = |what: &str, ours: String, _: &str, peer: String| println!("{what}: {ours}; {peer}");
    let (plane, driver) = (Plane::load()?, Driver::load()?);
    blocked(&plane, &driver, &mut print)?;
    limits(&plane, &driver, &mut print)
}

/// What it costs to hold each source to its rate while every packet has a source of its own, as a spoofed flood has.
pub(crate) fn limits(
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
