//! The rerouting lab: an Internet of ten namespaces, two edge routers with BIRD, two absorbers behind narrow links, and three
//! victims of different value. An attack is diverted, filtered, and what is clean is given back.

mod absorber;
mod brain;
mod edge;
mod kills;
mod map;
mod peace;
mod routes;
mod stage;
mod story;
mod victims;
mod watch;

pub use kills::{Killed, Ordeal, killed};
pub(super) use map::{NAMES, interfaces};
pub use stage::Passed;
pub use story::{Fate, Load, News, Rerouted, by_hand, by_itself};

/// As it is typed.
pub const NAME: &str = "reroute";
/// What happens.
pub const ABOUT: &str =
    "floods on three victims behind two routers: led to absorbers, filtered, given back; one is given up";
/// What each absorber's link carries.
const CAPACITY: &str = "20 Mbps";
/// Likewise, for `tc`.
const CAPACITY_TC: &str = "20mbit";
/// And each customers' link.
const LINK_TC: &str = "8mbit";
