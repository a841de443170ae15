//! What checks look at.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Timestamp;

use crate::config::Config;
use crate::routing::order::{Absorber, Peer};

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// As it was checked.
    pub(crate) config: Config,
    /// When the facts were gathered.
    pub(crate) now: Timestamp,
    /// This machine.
    pub(crate) host: Host,
    /// What the daemon knows; `None`: it does not run, or does not answer.
    pub(crate) running: Option<Running>,
    /// Why a daemon that seems to be there could not be asked.
    pub(crate) unheard: Option<String>,
}

/// This machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// `net.core.rmem_max`, octets.
    pub(crate) rmem_max: Option<u64>,
    /// Whether something keeps the clock right, and microseconds by which it may be off at most.
    pub(crate) clock: Option<(bool, u64)>,
    /// Free and all octets of the disk of the state folder.
    pub(crate) disk: Option<(u64, u64)>,
    /// The state folder.
    pub(crate) state: State,
    /// Ports that somebody else has, where the daemon does not run.
    pub(crate) taken: Vec<Taken>,
    /// Interfaces that shall be filtered.
    pub(crate) interfaces: Vec<Interface>,
    /// Effective capabilities of the daemon, or of whoever asks where it does not run.
    pub(crate) capabilities: Option<u64>,
}

/// The state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// It is there.
    pub(crate) exists: bool,
    /// Its owner and mode.
    pub(crate) owner: Option<(u32, u32)>,
    /// As whom the daemon runs, or would run.
    pub(crate) user: Option<u32>,
    /// It is on a disk that cannot be written to.
    pub(crate) read_only: bool,
}

/// An address that is configured, and is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Key in the configuration.
    pub(crate) key: String,
    /// Where.
    pub(crate) address: SocketAddr,
    /// Process and name of who has it, as far as that may be seen.
    pub(crate) by: Option<(u32, String)>,
}

/// An interface that shall be filtered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name.
    pub(crate) name: String,
    /// It is there.
    pub(crate) exists: bool,
    /// `native`, `generic` or `offloaded`; `None`: nothing is attached.
    pub(crate) xdp: Option<&'static str>,
    /// Its card joins packets.
    pub(crate) lro: bool,
}

/// What the daemon knows.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// Since when it watches under this configuration.
    pub(crate) since: Timestamp,
    /// Its numbers.
    pub(crate) metrics: api::metrics::Metrics,
    /// Exporters.
    pub(crate) exporters: Vec<api::model::Exporter>,
    /// Its sockets: listener, octets of the buffer, octets that were asked for.
    pub(crate) buffers: Vec<(&'static str, u64, u64)>,
    /// Neighbours; `Err`: why they could not be asked for.
    pub(crate) peers: Result<Vec<Peer>, String>,
    /// Absorbers.
    pub(crate) absorbers: Vec<Absorber>,
    /// What speaks against writing the ledger.
    pub(crate) ledger: Option<String>,
    /// Channels with messages that were given up: name, how many, what was said last.
    pub(crate) dead: Vec<(String, u64, Option<String>)>,
    /// Its configuration file was changed after it was taken.
    pub(crate) edited: Option<PathBuf>,
    /// What the kernel's filters lack, by the enforcer's own word.
    pub(crate) enforcer: Option<String>,
}
