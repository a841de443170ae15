//! The ways in which traffic is told of.

use std::net::IpAddr;

use base::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use sim::exporter::{Format, Settings};

/// How routers tell what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Feed {
    /// Packet samples, sent every 100 ms.
    Sflow,
    /// Flows of 100 ms.
    Prompt,
    /// IPFIX from a cache of 60 s active, 15 s inactive.
    Cache60,
    /// IPFIX from a cache of 10 s.
    Cache10,
}

impl Feed {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sflow => "sFlow",
            Self::Prompt => "NetFlow v9, sent at once",
            Self::Cache60 => "IPFIX, cache 60/15 s",
            Self::Cache10 => "IPFIX, cache 10/10 s",
        }
    }

    /// How long it may hold back what has passed.
    pub(crate) const fn holds(self) -> Span {
        match self {
            Self::Sflow | Self::Prompt => Span::from_millis(100),
            Self::Cache60 => Span::from_secs(60),
            Self::Cache10 => Span::from_secs(10),
        }
    }

    /// So many routers that tell by it, each with an address of its own.
    pub(crate) fn routers(self, count: u16, sampling: u32, start: Timestamp, seed: u64) -> Vec<Settings> {
        let boot = start.minus(Span::from_secs(86_400));
        let settings = match self {
            Self::Sflow => Settings::new(Format::Sflow, sampling, boot),
            Self::Prompt => Settings::new(Format::NetFlow9, sampling, boot).prompt(),
            Self::Cache60 => Settings::new(Format::Ipfix, sampling, boot),
            Self::Cache10 => {
                Settings::new(Format::Ipfix, sampling, boot).cache(Span::from_secs(10), Span::from_secs(10))
            }
        };
        let router = |n: u16| Settings {
            address: address(n),
            domain: n.into(),
            seed: seed.wrapping_add(n.into()),
            ..settings.clone()
        };
        (0..count).map(router).collect()
    }
}

/// A router's address, on a loopback where its datagrams are sent for real.
pub(crate) fn address(router: u16) -> IpAddr {
    let [a, b] = router.saturating_add(1).to_be_bytes();
    IpAddr::from([127, 0, a, b])
}
