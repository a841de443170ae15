//! The numbers that make a capture's analysis and a daemon's watch differ, side by side.

use serde::{Deserialize, Serialize};

/// Where the records come from, and so what counts as harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// An analyst's capture: no harm floor, at least 20 packets and 100 packets/s in a burst.
    Capture,
    /// A network under watch.
    Daemon,
}

/// The daemon's harm floor, per host and class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Floor {
    /// 2,500 packets/s or 20 Mbit/s.
    #[default]
    Default,
    /// 250 packets/s or 2 Mbit/s, for small sites and slow attacks.
    Low,
}

impl Profile {
    /// As `explain` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Daemon => "daemon",
        }
    }

    /// Packets a second of one class towards one host, below which nothing is an attack.
    pub const fn floor_pps(self, floor: Floor) -> f64 {
        match (self, floor) {
            (Self::Capture, _) => 100.0,
            (Self::Daemon, Floor::Default) => 2_500.0,
            (Self::Daemon, Floor::Low) => 250.0,
        }
    }

    /// Packets seen at least, whatever the rate.
    pub const fn packets_min(self) -> u64 {
        20
    }

    /// Whether every packet is seen, so that sources can be counted one by one and pairs of hosts remembered.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Capture)
    }
}
