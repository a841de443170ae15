//! The lab: attackers, honest clients, reflectors, a router and a protected server in network namespaces of this machine,
//! real tools in each, and scenarios that are played and measured.
//!
//! It knows no way out: the namespaces have no interface but the pairs between them, and a route to nowhere. What attackers
//! send is bounded in rate and number. Whatever ends a play, nothing is left that the next one does not clean up.

mod attack;
mod crowd;
mod enforce;
mod first;
mod honest;
mod inside;
mod link;
mod namespace;
mod network;
mod play;
mod process;
mod reflector;
mod report;
pub mod reroute;
mod sampler;
mod scenario;
mod server;
mod tools;

pub use honest::{Request, dial};
pub use inside::{Thread, inside};
pub use network::{Network, Site, exclusive, remove, running_as_root, visitor};
pub use play::{By, News, Options, TAG, play};
pub use reflector::Kind;
pub use report::{Found, Phase, Played, RuleCount};
pub use sampler::packet_socket;
pub use scenario::{Place, SCENARIOS, Scenario};
pub use tools::{Missing, apt_line, missing};
