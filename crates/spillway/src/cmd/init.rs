//! `spillway init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use base::Prefix;

use crate::cli::Context;
use crate::config;
use crate::output;

/// Write a commented configuration to start from; finds this machine's own networks
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Prefixes to protect, instead of the networks of this machine
    #[arg(long, value_name = "PREFIX")]
    network: Vec<Prefix>,
}

/// Where a new configuration goes.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Where to write it; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "spillway.toml")]
    config: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
}

/// Writes the file and says what comes next.
pub fn run(args: Args, _context: &Context) -> anyhow::Result<()> {
    let networks =
        if args.network.is_empty() { own_networks() } else { base::prefix::aggregate(args.network) };
    args.target.write(&config::starter(&networks), &networks)
}

impl Target {
    /// Writes a configuration that protects these networks, and says what comes next.
    pub(super) fn write(&self, text: &str, networks: &[Prefix]) -> anyhow::Result<()> {
        let path = &self.config;
        let mut out = output::stdout();
        if path.as_os_str() == "-" {
            out.write_all(text.as_bytes())?;
            return Ok(out.flush()?);
        }
        let mut options = OpenOptions::new();
        options.write(true).mode(0o644);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                bail!("{} exists; write elsewhere with -c FILE, or replace it with --force", path.display())
            }
            Err(cause) => {
                return Err(cause).with_context(|| format!("cannot write {}", path.display()));
            }
        };
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        let shown: Vec<String> = networks.iter().take(NETWORKS_SHOWN).map(ToString::to_string).collect();
        let more = match networks.len().saturating_sub(NETWORKS_SHOWN) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        writeln!(out, "{} written; it protects {}{more}", path.display(), shown.join(", "))?;
        writeln!(
            out,
            "next: edit it, then `spillway check -c {0}` and `spillway run -c {0}`",
            path.display()
        )?;
        Ok(out.flush()?)
    }
}

/// Networks named on the screen.
const NETWORKS_SHOWN: usize = 8;

/// The networks of this machine's interfaces, or the documentation's example when there are none.
pub(super) fn own_networks() -> Vec<Prefix> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let found = interfaces.filter_map(|interface| {
        let (address, mask) = (interface.address?, interface.netmask?);
        let prefix = if let (Some(a), Some(m)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
            let bits = u32::from(m.ip()).leading_ones();
            Prefix::of(IpAddr::V4(a.ip()), u8::try_from(bits).ok()?)
        } else {
            let (a, m) = (address.as_sockaddr_in6()?, mask.as_sockaddr_in6()?);
            let bits = u128::from(m.ip()).leading_ones();
            Prefix::of(IpAddr::V6(a.ip()), u8::try_from(bits).ok()?)
        };
        let addr = prefix.addr();
        let local = match addr {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4 == Ipv4Addr::UNSPECIFIED,
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6 == Ipv6Addr::UNSPECIFIED,
        };
        (!local).then_some(prefix)
    });
    let networks = base::prefix::aggregate(found.collect());
    if networks.is_empty() {
        return vec![Prefix::of(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)), 24)];
    }
    networks
}
