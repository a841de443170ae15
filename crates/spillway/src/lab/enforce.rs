//! Who filters: rules that were there before, rules that the daemon has found, the daemon by itself, or nobody.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use dataplane::Attachment;
use engine::report::{Attack, Direction, Severity};
use serde::Deserialize;

use super::namespace::Namespace;
use super::network::{Network, Site};
use super::report::{Found, RuleCount};
use super::scenario::Place;
use crate::client;
use crate::companion::Daemon;
use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// `/api/v1/attacks`.
#[derive(Debug, Deserialize)]
struct Attacks {
    items: Vec<Attack>,
}

/// Where and how rules are put in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    pub(super) network: &'a Network,
    pub(super) folder: &'a Folder,
    pub(super) place: Place,
}

impl Filter<'_> {
    /// Site and interfaces on which packets arrive.
    pub(super) fn interfaces(&self) -> (Site, Vec<String>) {
        match self.place {
            Place::Server => (Site::Server, vec![self.network.interface(Site::Server)]),
            Place::Router => {
                let from = [Site::Attackers, Site::Clients, Site::Reflectors];
                (Site::Router, from.map(|site| self.network.uplink(site)).into())
            }
        }
    }

    /// Puts these rules in force, as an operator would: by `spillway dataplane attach`.
    pub(super) fn attach(&self, rules: &str) -> anyhow::Result<()> {
        let file = self.folder.path().join("rules.txt");
        fs::write(&file, rules).context("cannot write the rules")?;
        let (program, file) = (program()?, file.display().to_string());
        let (site, interfaces) = self.interfaces();
        self.allow_challenges()?;
        for name in &interfaces {
            self.network.run(site, &program, &["dataplane", "attach", name, "--rules", &file, "--yes"])?;
        }
        Ok(())
    }

    /// Lets the server challenge.
    fn allow_challenges(&self) -> anyhow::Result<()> {
        if self.place != Place::Server {
            return Ok(());
        }
        // A listener answers every SYN by a cookie from now on, so that the kernel takes ours for its own.
        self.network.set(Site::Server, "net.ipv4.tcp_syncookies", "2")?;
        // What a driver sends back is taken by the other end of a virtual pair only where that has a program too.
        let (program, other) = (program()?, self.network.uplink(Site::Server));
        self.network.run(Site::Router, &program, &["dataplane", "attach", &other, "--yes"])?;
        Ok(())
    }

    /// Starts the real daemon where packets arrive: it looks at them, decides, and filters there.
    pub(super) fn daemon(&self, interrupt: &Interrupt) -> anyhow::Result<Daemon> {
        self.allow_challenges()?;
        let (site, interfaces) = self.interfaces();
        let command = self.network.command(site, &program()?);
        let configuration = |folder: &Path| {
            let names: Vec<String> = interfaces.iter().map(|name| format!("\"{name}\"")).collect();
            let place = format!("[dataplane]\ninterfaces = [{}]\n", names.join(", "));
            configuration(folder, "enforce", &place, "default")
        };
        Daemon::start("spillway-lab", command, configuration, interrupt)
    }

    /// What the rules in force have done so far, and what was challenged.
    pub(super) fn counts(&self) -> anyhow::Result<(Vec<RuleCount>, u64)> {
        counts(&self.interfaces().1)
    }
}

/// What the rules in force on interfaces have done so far, and what was challenged.
pub(super) fn counts(interfaces: &[String]) -> anyhow::Result<(Vec<RuleCount>, u64)> {
    let (mut rules, mut challenged) = (Vec::<RuleCount>::new(), 0);
    for name in interfaces {
        let Some(attachment) = Attachment::open(name)? else { continue };
        for count in attachment.plane().counts()? {
            match rules.iter_mut().find(|rule| rule.id == count.id) {
                Some(rule) => {
                    rule.packets += count.packets;
                    rule.dropped += count.dropped;
                }
                None => {
                    let (id, packets, dropped) = (count.id, count.packets, count.dropped);
                    rules.push(RuleCount { id, packets, dropped });
                }
            }
        }
        let leaves = attachment.plane().leaves()?;
        challenged +=
            leaves.iter().filter(|left| left.place == "challenged").map(|left| left.packets).sum::<u64>();
    }
    Ok((rules, challenged))
}

/// This program, to be started again.
pub(super) fn program() -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find my own program")?;
    Ok(program.display().to_string())
}

/// Starts the real daemon where the protected server is: it hears sFlow, and suggests.
pub(super) fn daemon(network: &Network, interrupt: &Interrupt) -> anyhow::Result<Daemon> {
    let command = network.command(Site::Server, &program()?);
    let configuration =
        |folder: &Path| configuration(folder, "suggest", "[listen]\nsflow = \"127.0.0.1:0\"\n", "low");
    Daemon::start("spillway-lab", command, configuration, interrupt)
}

fn configuration(folder: &Path, mode: &str, more: &str, floor: &str) -> String {
    let [v4, v6] = Site::Server.networks();
    // JSON's strings are TOML's basic strings.
    let state = serde_json::Value::String(folder.join("state").display().to_string());
    format!(
        "networks = [\"{v4}\", \"{v6}\"]\nstate_dir = {state}\nmode = \"{mode}\"\n\n\
         {more}\n[api]\nlisten = \"127.0.0.1:0\"\n\n[detection]\nfloor = \"{floor}\"\n"
    )
}

/// What the daemon calls an attack on us by now.
pub(super) fn found(network: &Network, site: Site, daemon: &Daemon) -> anyhow::Result<Vec<Found>> {
    Ok(attacks(&network.at(site), daemon)?
        .into_iter()
        .map(|attack| Found {
            id: attack.id,
            target: attack.target,
            vectors: attack.vectors.into_iter().map(|vector| vector.name).collect(),
            rules: attack.rules.into_iter().map(|rule| rule.text).collect(),
            began: attack.started_at,
            after_ms: attack.detected_at.since(attack.started_at).nanos() / 1_000_000,
        })
        .collect())
}

/// What a daemon in this namespace calls an attack on us by now.
pub(super) fn attacks(at: &Namespace, daemon: &Daemon) -> anyhow::Result<Vec<Attack>> {
    let api = daemon.api().to_owned();
    let ask = move || client::get(&api, "/api/v1/attacks");
    let (status, body) = at.inside(ask)?.join()??;
    anyhow::ensure!(status == 200, "the daemon answers with status {status}");
    let attacks: Attacks = serde_json::from_str(&body).context("the daemon's attacks cannot be read")?;
    let ours = attacks.items.into_iter();
    let ours = ours.filter(|one| one.direction == Direction::In && one.severity == Severity::Attack);
    Ok(ours.collect())
}
