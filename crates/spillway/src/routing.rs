//! The BGP speaker's sockets: what the cores of `steer::bgp` ask for is done here; and the desk that takes orders, keeps the
//! book of mitigations and its journal, and tells the speaker.

mod absorbers;
pub(crate) mod auto;
mod clerk;
pub mod desk;
mod express;
pub(crate) mod guards;
pub(crate) mod health;
pub mod learned;
mod link;
pub(crate) mod lookout;
pub mod monitor;
mod near;
pub mod order;
mod plays;
mod probe;
pub mod profile;
pub mod pulse;
pub mod rpki;
pub mod speaker;
mod views;

pub use desk::{Desk, Door};
pub use learned::Learned;
pub use monitor::Monitor;
pub use rpki::Rpki;
pub use speaker::{Neighbor, PeerStatus, Speaker};
