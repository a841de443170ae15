//! A capture of a world: writes a pcap file and prints the truth as one JSON object.
//!
//! `cargo run -p sim --example capture -- --vector tcp-syn-flood --case attack --seed 1 --out syn.pcap`

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

use base::Span;
use sim::scenario::{Case, MEASURED, Scale, build, measured, vectors};
use sim::{Nature, World};

const USAGE: &str = "usage: capture --out FILE [--vector NAME] [--case attack|peace|look-alike] [--seed S] [--v6 1] [--measured NAME]
  [--list 1]";

fn main() -> Result<(), Box<dyn Error>> {
    let (mut vector, mut case, mut seed, mut v4) = (String::from("tcp-syn-flood"), Case::Attack, 1, true);
    let (mut out, mut event) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(key) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match key.as_str() {
            "--vector" => vector = value,
            "--case" => {
                case = match value.as_str() {
                    "attack" => Case::Attack,
                    "peace" => Case::Peace,
                    "look-alike" => Case::LookAlike,
                    _ => return Err(USAGE.into()),
                }
            }
            "--seed" => seed = value.parse()?,
            "--v6" => v4 = value == "0",
            "--out" => out = Some(value),
            "--measured" => event = Some(value),
            "--list" => {
                println!("{}\n{}", vectors().join("\n"), MEASURED.join("\n"));
                return Ok(());
            }
            _ => return Err(USAGE.into()),
        }
    }
    let scenario = match event {
        Some(name) => measured(&name, Span::from_secs(10), seed),
        None => build(&vector, case, Scale::Capture, v4, seed),
    };
    let world = scenario.ok_or("no such scenario; see --list 1")?.world();
    let stories = world.stories().to_vec();
    let (packets, attacks) = write(world, &out.ok_or(USAGE)?)?;
    let truth = serde_json::json!({ "packets": packets, "attack_packets": attacks, "events": stories });
    println!("{truth}");
    Ok(())
}

/// Classic pcap with nanoseconds, Ethernet.
fn write(world: World, path: &str) -> Result<(u64, u64), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    let (mut packets, mut attacks) = (0, 0);
    for (at, frame, truth) in world.frames() {
        let len = u32::try_from(frame.len())?;
        let nanos = u32::try_from(at.nanos() % 1_000_000_000)?;
        for word in [u32::try_from(at.secs())?, nanos, len, len] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame)?;
        packets += 1;
        attacks += u64::from(truth.nature == Nature::Attack);
    }
    file.flush()?;
    Ok((packets, attacks))
}
