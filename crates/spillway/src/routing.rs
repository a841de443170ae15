//! The BGP speaker's sockets: what the cores of `steer::bgp` ask for is done here.

mod link;
pub mod speaker;

pub use speaker::{Neighbor, PeerStatus, Speaker};
