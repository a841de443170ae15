//! The brain: `spillway run` with routers and absorbers, and orders to it by `spillway route`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::super::enforce::program;
use super::edge::{ASN, BRAIN_ASN, SFLOW};
use super::map::{BRAIN, Map, Place, absorber, edge};
use super::victims::VICTIMS;
use super::{CAPACITY, absorber::Absorber};
use crate::companion::Daemon;
use crate::interrupt::Interrupt;

/// What absorbers hold ends so long after the brain was heard last, in seconds.
pub(super) const LEASE_SECS: u64 = 20;
/// And so long an absorber may say nothing.
pub(super) const SILENCE_SECS: u64 = 5;
/// A router takes the brain for dead after so many seconds without a word.
const HOLD_SECS: u64 = 9;
/// One that helps a restart keeps routes for so long.
const RESTART_SECS: u64 = 10;
/// BIRD 2.0.12 lets them go three seconds after that (measured: 13.04 s after the kill, each time).
const FLUSH_SECS: u64 = 3;

/// For how long an edge may keep routes when the brain is dead, in seconds: the first helps no restart, the second does.
pub(super) const fn keeps_secs(edge: u8) -> u64 {
    if edge == 1 { HOLD_SECS } else { RESTART_SECS + FLUSH_SECS }
}

/// A running brain.
#[derive(Debug)]
pub(super) struct Brain {
    pub(super) daemon: Daemon,
}

impl Brain {
    /// Starts it; `key` is that which absorbers know it by, and an attack is over when nothing of it came for `quiet`.
    pub(super) fn start(
        map: &Map,
        key: &Path,
        absorbers: &[Absorber],
        quiet: &str,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let command = map.at(Place::Brain).command(&program()?);
        let daemon =
            Daemon::start("spillway-lab", command, |folder| text(folder, key, absorbers, quiet), interrupt)?;
        Ok(Self { daemon })
    }

    /// Kills it; what it has written stays.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.daemon.kill()
    }

    /// Starts a killed one again.
    pub(super) fn again(&mut self, map: &Map, interrupt: &Interrupt) -> anyhow::Result<()> {
        self.daemon.again(map.at(Place::Brain).command(&program()?), interrupt)
    }

    /// `spillway route …`: the document that it prints.
    pub(super) fn route(&self, args: &[&str]) -> anyhow::Result<Value> {
        let config = self.daemon.folder().join("spillway.toml");
        let output = Command::new(program()?)
            .arg("route")
            .args(args)
            .arg("-c")
            .arg(config)
            .args(["-o", "json"])
            .output()
            .context("cannot start spillway route")?;
        if !output.status.success() {
            bail!("spillway route {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("what spillway route says cannot be read")
    }

    /// What is in force or proposed.
    pub(super) fn mitigations(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.route(&["list"])?;
        Ok(list.get("mitigations").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// Whether all sessions and conversations stand. `Err`: the first that does not, as a sentence.
    pub(super) fn is_up(&self) -> anyhow::Result<Result<(), String>> {
        for (list, good) in [("peers", "established"), ("absorbers", "up")] {
            let all = self.route(&[list])?.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            if all.is_empty() {
                return Ok(Err(format!("there are no {list}")));
            }
            let text =
                |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(one) = all.iter().find(|one| text(one, "state") != good) {
                let why = [text(one, "reason"), text(one, "last_down")].concat();
                return Ok(Err(format!("{} is {}: {why}", text(one, "name"), text(one, "state"))));
            }
        }
        Ok(Ok(()))
    }
}

fn text(folder: &Path, key: &Path, absorbers: &[Absorber], quiet: &str) -> String {
    let networks = VICTIMS.iter().flat_map(|victim| victim.prefixes()).map(|prefix| format!("\"{prefix}\""));
    let networks: Vec<String> = networks.collect();
    let networks = networks.join(", ");
    // They look at packets before any route of theirs leads them.
    let before = [1, 2].map(|n| format!("\"{}\"", edge(n))).join(", ");
    // JSON's strings are TOML's basic strings.
    let quoted = |path: &Path| Value::String(path.display().to_string());
    let mut text = format!(
        "networks = [{networks}]\nstate_dir = {}\nmode = \"enforce\"\n\
         [listen]\nsflow = \"{BRAIN}:{SFLOW}\"\n[api]\nlisten = \"127.0.0.1:0\"\n[detection]\nfloor = \"low\"\nquiet = \"{quiet}\"\n\
         [routing]\nasn = {BRAIN_ASN}\nrouter_id = \"{BRAIN}\"\ndiversion = [{networks}]\nabsorber_key = {}\n\
         [routing.approvals]\nflowspec = \"automatic\"\ndiversion = \"automatic\"\nblackhole = \"automatic\"\n\
         [routing.ladder]\nsteps = [\"diversion\", \"blackhole\"]\nhold = \"5s\"\nsettle = \"1s\"\nbefore = [{before}]\n",
        quoted(&folder.join("state")),
        quoted(key),
    );
    // Writing into a string does not fail.
    for n in [1, 2] {
        let [hop4, hop6] = absorber(1);
        let on_crash = match n {
            1 => "on_crash = \"withdraw\"".to_owned(),
            _ => format!("on_crash = \"keep\"\nrestart_time = \"{RESTART_SECS}s\""),
        };
        let _ = write!(
            text,
            "[routing.peers.edge{n}]\naddress = \"{}:179\"\nasn = {ASN}\nlocal = \"{BRAIN}\"\n\
             carries = [\"diversion\", \"blackhole\"]\nhold_time = \"{HOLD_SECS}s\"\n{on_crash}\n\
             blackhole_next_hop = \"100.64.0.66\"\nblackhole_next_hop6 = \"2001:db8:64::66\"\n\
             diversion_next_hop = \"{hop4}\"\ndiversion_next_hop6 = \"{hop6}\"\n",
            edge(n),
        );
    }
    for victim in VICTIMS {
        let [v4, v6] = victim.prefixes();
        let _ = write!(
            text,
            "[customers.{name}]\nnetworks = [\"{v4}\", \"{v6}\"]\n[routing.ladder.customers.{name}]\nvalue = {}.0\n",
            victim.value,
            name = victim.name,
        );
        let Some(known) = absorbers.get(usize::from(victim.absorber).saturating_sub(1)) else { continue };
        let hops = absorber(victim.absorber);
        let address = hops[0].clone();
        for ((prefix, hop), family) in victim.prefixes().into_iter().zip(hops).zip(["", "6"]) {
            let _ = write!(
                text,
                "[routing.absorbers.{}{family}]\nprefix = \"{prefix}\"\nnext_hop = \"{hop}\"\ncapacity = \"{CAPACITY}\"\n\
                 control = \"{address}:{}\"\nfingerprint = \"{}\"\nlease = \"{LEASE_SECS}s\"\nlinger = \"2s\"\nsilence = \"{SILENCE_SECS}s\"\n",
                victim.name,
                super::absorber::PORT,
                known.fingerprint,
            );
        }
    }
    text
}
