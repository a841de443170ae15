//! A scrubbing absorber: `spillway absorb`, as an operator would run it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::enforce::program;
use super::super::process::Running;
use super::map::{Map, Place, absorber, tunnel_end};
use super::victims::VICTIMS;
use crate::absorb::keys::Key;
use crate::folder::Folder;

/// Where it listens.
pub(super) const PORT: u16 = 8647;

/// A running absorber; it ends with this value.
#[derive(Debug)]
pub(super) struct Absorber {
    place: Place,
    conf: PathBuf,
    running: Running,
    /// Its key's, as its owner writes it down for the brain.
    pub(super) fingerprint: String,
}

impl Absorber {
    /// Starts one by its number, for a brain of this fingerprint, behind a link of this rate.
    pub(super) fn start(
        map: &Map,
        folder: &Folder,
        number: u8,
        brain: &str,
        rate: &str,
    ) -> anyhow::Result<Self> {
        let place = Place::Absorber(number);
        let key = folder.path().join(format!("{}.key", place.name()));
        let fingerprint = Key::load_or_make(&key)?.fingerprint().to_string();
        let interface = map.interface(&format!("-a{number}"));
        let conf = write(folder.path(), number, &key, &interface, brain, rate)?;
        let program = program()?;
        // What a driver sends back is taken by the other end of a virtual pair only where that has a program too.
        let port = map.interface(&format!("-xa{number}"));
        map.at(Place::Exchange).run(&program, &["dataplane", "attach", &port, "--yes"])?;
        let running = spawn(map, folder, place, &conf)?;
        Ok(Self { place, conf, running, fingerprint })
    }

    /// Kills it; its programs stay in the kernel.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.running.kill()
    }

    /// Starts a killed one again.
    pub(super) fn again(&mut self, map: &Map, folder: &Folder) -> anyhow::Result<()> {
        self.running = spawn(map, folder, self.place, &self.conf)?;
        Ok(())
    }

    /// An error when it has ended.
    pub(super) fn check(&mut self, folder: &Folder) -> anyhow::Result<()> {
        self.running.check(folder)
    }
}

fn spawn(map: &Map, folder: &Folder, place: Place, conf: &Path) -> anyhow::Result<Running> {
    let mut command = map.at(place).command(&program()?);
    command.args(["absorb", "-c"]).arg(conf);
    Running::spawn(command, folder.path(), place.name())
}

fn write(
    folder: &Path,
    number: u8,
    key: &Path,
    interface: &str,
    brain: &str,
    rate: &str,
) -> anyhow::Result<PathBuf> {
    let mut text = format!(
        "name = \"absorber{number}\"\nlisten = \"{}:{PORT}\"\nkey = \"{}\"\nstate_dir = \"{}\"\ninterface = \"{interface}\"\n\
         capacity = \"{rate}\"\n[brains]\nbrain = \"{brain}\"\n",
        absorber(number)[0],
        key.display(),
        folder.join(format!("absorber{number}")).display(),
    );
    for victim in VICTIMS.iter().filter(|victim| victim.absorber == number) {
        // Back by the tunnel of the edge of the same number; IPv6 in IPv6 and IPv4 in IPv4.
        let ways = [("gre", 1476), ("ipip", 1460)];
        let ends = absorber(number).into_iter().zip(tunnel_end(number));
        for ((prefix, (local, remote)), (kind, mtu)) in victim.prefixes().into_iter().zip(ends).zip(ways) {
            // Writing into a string does not fail.
            let _ = write!(
                text,
                "[prefixes.\"{prefix}\"]\nreturn = \"{kind}\"\nlocal = \"{local}\"\nremote = \"{remote}\"\nmtu = {mtu}\n"
            );
        }
    }
    let path = folder.join(format!("absorber{number}.toml"));
    fs::write(&path, text).context("cannot write an absorber's configuration")?;
    Ok(path)
}
