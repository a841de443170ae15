//! One network namespace: programs, settings and threads in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::inside::{Thread, enter};

/// Where `ip netns` keeps names.
pub(super) const NAMESPACES: &str = "/run/netns";

/// A namespace, by its name for `ip netns`.
#[derive(Clone, Debug)]
pub(super) struct Namespace(String);

impl Namespace {
    /// That of this name, which may have to be added.
    pub(super) const fn named(name: String) -> Self {
        Self(name)
    }

    /// Makes it, with a loopback.
    pub(super) fn add(&self) -> anyhow::Result<()> {
        ip(&["netns", "add", &self.0])?;
        self.run("ip", &["link", "set", "lo", "up"]).map(drop)
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Its file.
    pub(super) fn path(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.0)
    }

    /// A program in it. It is killed when the thread that starts it ends, and is out of reach of Ctrl-C.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .args(["setpriv", "--pdeathsig", "KILL", program])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Runs a program to its end; its standard output.
    pub(super) fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<String> {
        finish(self.command(program).args(args), &format!("{program} {}", args.join(" ")))
    }

    /// Sets a kernel setting, named as `sysctl` does.
    pub(super) fn set(&self, key: &str, value: &str) -> anyhow::Result<()> {
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        let text = value.to_owned();
        let written = self.inside(move || {
            fs::File::options().write(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()))
        })?;
        written.join()?.with_context(|| format!("cannot set {key} to {value} in {}", self.0))
    }

    /// The hardware address of an interface.
    pub(super) fn mac(&self, interface: &str) -> anyhow::Result<[u8; 6]> {
        let text = self.run("ip", &["-o", "link", "show", "dev", interface])?;
        let word = text.split_whitespace().skip_while(|word| *word != "link/ether").nth(1);
        let octets = word.unwrap_or_default().split(':').map(|octet| u8::from_str_radix(octet, 16));
        let octets: Vec<u8> = octets.collect::<Result<_, _>>().unwrap_or_default();
        octets.try_into().map_err(|_| anyhow::anyhow!("{interface}: no hardware address in `{text}`"))
    }

    /// Packets and octets that an interface has received, and what it has sent, so far.
    pub(super) fn counters(&self, interface: &str) -> anyhow::Result<Counters> {
        let read = || fs::read_to_string("/proc/thread-self/net/dev");
        let text = self.inside(read)?.join()?.context("cannot read the counters of interfaces")?;
        Ok(Counters::read(&text, interface).unwrap_or_default())
    }

    /// A thread in it; it has entered when this returns.
    pub(super) fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<Thread<T>> {
        enter(&self.path(), work)
    }
}

/// What an interface has received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) received_bytes: u64,
    pub(super) received: u64,
    pub(super) sent_bytes: u64,
    pub(super) sent: u64,
}

impl Counters {
    /// Of an interface, as `/proc/net/dev` has it.
    fn read(text: &str, interface: &str) -> Option<Self> {
        let line =
            text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let at = |place: usize| numbers.get(place).copied();
        Some(Self { received_bytes: at(0)?, received: at(1)?, sent_bytes: at(8)?, sent: at(9)? })
    }
}

/// Runs `ip`; its standard output.
pub(super) fn ip(args: &[&str]) -> anyhow::Result<String> {
    finish(Command::new("ip").args(args), &format!("ip {}", args.join(" ")))
}

fn finish(command: &mut Command, what: &str) -> anyhow::Result<String> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => bail!("{what}: {error}; `spillway lab check` says what is missing"),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what}: {}; it said: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_of_the_interface_asked_for() {
        let text = "Inter-|   Receive\n face |bytes\n  lab-a: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n lab-ab: 5 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n";
        let one = Counters { received_bytes: 1, received: 2, sent_bytes: 3, sent: 4 };
        assert_eq!(Counters::read(text, "lab-a"), Some(one));
        assert_eq!(Counters::read(text, "lab-ab").map(|of| of.sent), Some(8));
        assert_eq!(Counters::read(text, "lab"), None);
    }
}
