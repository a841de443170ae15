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

/// A running brain.
#[derive(Debug)]
pub(super) struct Brain {
    pub(super) daemon: Daemon,
}

impl Brain {
    /// Starts it; `key` is that which absorbers know it by.
    pub(super) fn start(
        map: &Map,
        key: &Path,
        absorbers: &[Absorber],
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let command = map.at(Place::Brain).command(&program()?);
        let daemon =
            Daemon::start("spillway-lab", command, |folder| text(folder, key, absorbers), interrupt)?;
        Ok(Self { daemon })
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

    /// Whether all sessions and conversations stand.
    pub(super) fn is_up(&self) -> anyhow::Result<bool> {
        let all = |document: Value, list: &str, state: &str| {
            let list = document.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            !list.is_empty() && list.iter().all(|one| one.get("state").is_some_and(|is| is == state))
        };
        Ok(all(self.route(&["peers"])?, "peers", "established")
            && all(self.route(&["absorbers"])?, "absorbers", "up"))
    }
}

fn text(folder: &Path, key: &Path, absorbers: &[Absorber]) -> String {
    let networks = VICTIMS.iter().flat_map(|victim| victim.prefixes()).map(|prefix| format!("\"{prefix}\""));
    let networks: Vec<String> = networks.collect();
    let networks = networks.join(", ");
    // They look at packets before any route of theirs leads them.
    let before = [1, 2].map(|n| format!("\"{}\"", edge(n))).join(", ");
    // JSON's strings are TOML's basic strings.
    let quoted = |path: &Path| Value::String(path.display().to_string());
    let mut text = format!(
        "networks = [{networks}]\nstate_dir = {}\nmode = \"enforce\"\n\
         [listen]\nsflow = \"{BRAIN}:{SFLOW}\"\n[api]\nlisten = \"127.0.0.1:0\"\n[detection]\nfloor = \"low\"\n\
         [routing]\nasn = {BRAIN_ASN}\nrouter_id = \"{BRAIN}\"\ndiversion = [{networks}]\nabsorber_key = {}\n\
         [routing.approvals]\nflowspec = \"automatic\"\ndiversion = \"automatic\"\nblackhole = \"automatic\"\n\
         [routing.ladder]\nsteps = [\"diversion\", \"blackhole\"]\nhold = \"5s\"\nsettle = \"1s\"\nbefore = [{before}]\n",
        quoted(&folder.join("state")),
        quoted(key),
    );
    // Writing into a string does not fail.
    for n in [1, 2] {
        let [hop4, hop6] = absorber(1);
        let _ = write!(
            text,
            "[routing.peers.edge{n}]\naddress = \"{}:179\"\nasn = {ASN}\nlocal = \"{BRAIN}\"\n\
             carries = [\"diversion\", \"blackhole\"]\nhold_time = \"9s\"\non_crash = \"withdraw\"\n\
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
                 control = \"{address}:{}\"\nfingerprint = \"{}\"\nlinger = \"2s\"\nsilence = \"3s\"\n",
                victim.name,
                super::absorber::PORT,
                known.fingerprint,
            );
        }
    }
    text
}
