//! What checks look at.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Timestamp;

use crate::config::Config;
use crate::routing::order::{Absorber, Peer};

/// Everything.
#[derive(Clone, Debug)]
pub struct Facts {
    /// As it was checked.
    pub config: Config,
    /// When the facts were gathered.
    pub now: Timestamp,
    /// This machine.
    pub host: Host,
    /// What the daemon knows; `None`: it does not run, or does not answer.
    pub running: Option<Running>,
    /// Why a daemon that seems to be there could not be asked.
    pub unheard: Option<String>,
}

/// This machine.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// `net.core.rmem_max`, octets.
    pub rmem_max: Option<u64>,
    /// Whether something keeps the clock right, and microseconds by which it may be off at most.
    pub clock: Option<(bool, u64)>,
    /// Free and all octets of the disk of the state folder.
    pub disk: Option<(u64, u64)>,
    /// The state folder.
    pub state: State,
    /// Ports that somebody else has, where the daemon does not run.
    pub taken: Vec<Taken>,
    /// Interfaces that shall be filtered.
    pub interfaces: Vec<Interface>,
    /// Effective capabilities of the daemon, or of whoever asks where it does not run.
    pub capabilities: Option<u64>,
}

/// The state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// It is there.
    pub exists: bool,
    /// Its owner and mode.
    pub owner: Option<(u32, u32)>,
    /// As whom the daemon runs, or would run.
    pub user: Option<u32>,
    /// It is on a disk that cannot be written to.
    pub read_only: bool,
}

/// An address that is configured, and is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Key in the configuration.
    pub key: String,
    /// Where.
    pub address: SocketAddr,
    /// Process and name of who has it, as far as that may be seen.
    pub by: Option<(u32, String)>,
}

/// An interface that shall be filtered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// It is there.
    pub exists: bool,
    /// `native`, `generic` or `offloaded`; `None`: nothing is attached.
    pub xdp: Option<&'static str>,
    /// Its card joins packets.
    pub lro: bool,
}

/// What the daemon knows.
#[derive(Clone, Debug)]
pub struct Running {
    /// Since when it watches under this configuration.
    pub since: Timestamp,
    /// How far it goes where nothing narrower says it, and the sentence that says why, where that is not the configuration.
    pub mode: (engine::Mode, Option<String>),
    /// Its numbers.
    pub metrics: api::metrics::Metrics,
    /// Exporters.
    pub exporters: Vec<api::model::Exporter>,
    /// Its sockets: listener, octets of the buffer, octets that were asked for.
    pub buffers: Vec<(&'static str, u64, u64)>,
    /// Neighbours; `Err`: why they could not be asked for.
    pub peers: Result<Vec<Peer>, String>,
    /// Absorbers.
    pub absorbers: Vec<Absorber>,
    /// What speaks against writing the ledger.
    pub ledger: Option<String>,
    /// Channels with messages that were given up: name, how many, what was said last.
    pub dead: Vec<(String, u64, Option<String>)>,
    /// Its configuration file was changed after it was taken.
    pub edited: Option<PathBuf>,
    /// What the kernel's filters lack, by the enforcer's own word.
    pub enforcer: Option<String>,
}
