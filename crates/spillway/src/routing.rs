//! The BGP speaker's sockets: what the cores of `steer::bgp` ask for is done here.

pub mod learned;
mod link;
pub mod monitor;
pub mod rpki;
pub mod speaker;

pub use learned::Learned;
pub use monitor::Monitor;
pub use rpki::Rpki;
pub use speaker::{Neighbor, PeerStatus, Speaker};
