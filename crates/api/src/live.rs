//! What the daemon knows at this moment.

use std::sync::Arc;

use base::Timestamp;
use serde_json::value::RawValue;

use crate::course::Course;
use crate::intelligence::Intelligence;
use crate::map::{Origins, Site};
use crate::metrics::Metrics;
use crate::model::Exporter;
use crate::packets::Packets;
use crate::sources::Sources;
use crate::traffic::Second;

/// Whoever can be asked. Every call must return at once, for it is made while a client waits, unless it says otherwise.
pub trait Source: Send + Sync + 'static {
    /// Attacks and exporters as of the last tick.
    fn live(&self) -> Arc<Live>;
    /// All numbers, as of now.
    fn metrics(&self) -> Metrics;
    /// How it is, in short: what many ask for every few seconds must not cost what [`Self::metrics`] does.
    fn brief(&self) -> Brief;
    /// `Err` says in a sentence what is still missing before traffic is watched.
    fn ready(&self) -> Result<(), String>;
    /// What is amiss all the same, a sentence each.
    fn notes(&self) -> Vec<String>;
    /// What stands over every page of the dashboard; `None`: nothing.
    fn banner(&self) -> Option<String> {
        None
    }
    /// The last seconds, the oldest first; at most [`crate::SECONDS_MAX`].
    fn traffic(&self) -> Vec<Second> {
        Vec::new()
    }
    /// Where the sources of an attack that goes on are; `None`: nobody follows them.
    fn origins(&self, _attack: &str) -> Option<Arc<Origins>> {
        None
    }
    /// Where own networks are, as far as that is known; not many.
    fn sites(&self) -> Vec<Site> {
        Vec::new()
    }
    /// What is known of the sources of an attack, live or past; `None`: nothing.
    fn sources(&self, _attack: &str) -> Option<Arc<Sources>> {
        None
    }
    /// Some packets of an attack; `None`: none are at hand. It may read files: it is asked beside the server's own thread.
    fn packets(&self, _attack: &str) -> Option<Arc<Packets>> {
        None
    }
    /// How an attack ran, by vector; `None`: it is not kept.
    fn course(&self, _attack: &str) -> Option<Course> {
        None
    }
    /// What attacks have in common. This one may take a while: it is asked beside the server's own thread.
    fn intelligence(&self) -> Intelligence {
        Intelligence::default()
    }
}

/// How the daemon is, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// The build.
    pub version: String,
    /// Attacks that go on.
    pub attacks_active: u64,
    /// Rules whose lease runs.
    pub rules: u64,
    /// Whether the last configuration was taken.
    pub reload_ok: bool,
}

/// Attacks and exporters as of one tick.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Attacks that are active, or whose end is not in the store yet.
    pub attacks: Vec<LiveAttack>,
    /// Rules whose lease runs, as documents.
    pub rules: Vec<Box<RawValue>>,
    /// Everyone who sent us flow export, by address.
    pub exporters: Vec<Exporter>,
}

/// An attack that the core still holds.
#[derive(Clone, Debug)]
pub struct LiveAttack {
    /// Its id.
    pub id: String,
    /// Its start, by which lists are ordered.
    pub started_at: Timestamp,
    /// Whether it is over.
    pub over: bool,
    /// The document.
    pub document: Box<RawValue>,
}
