//! The configuration file: sections as structs, checked before anything starts.
//!
//! [`Config::load`] reads a file and gives either a whole configuration or all that is wrong with it, each with its place
//! and its remedy. A key that is not known is an error that names the nearest one; a number that needs a unit is an error
//! that shows the right form.

mod absorber;
mod challenge;
mod check;
mod dataplane;
pub mod diff;
mod dns;
mod effective;
mod evidence;
mod groups;
mod history;
mod intel;
mod notify;
mod place;
mod privacy;
mod reference;
mod routing;
mod schema;
mod sections;
mod starter;
pub(crate) mod target;
mod values;
mod veil;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use absorber::{ABSORBER, Absorbing};
pub(crate) use check::runnable;
pub use dataplane::{Dataplane, Engine};
pub use dns::{Algorithm, DnsZone};
pub use effective::{Key, effective};
pub use evidence::Evidence;
pub use history::{Addresses, History};
pub use intel::{Intel, ListFile, ListName};
pub use place::Problem;
pub use privacy::{Named, Privacy};
pub use routing::{
    Absorber, Charge, Control, Controls, Customer, Drill, Examination, Hop, Ladder, Link, Probe, Router,
    Routing, Rpki, Said, Secret, Url,
};
pub use schema::schema;
pub use sections::{
    Anonymous, Api, Compat, Detection, ExporterSection, Floor, Interface, InterfaceRoles, Ledger, Listen,
    Log, LogFormat, LogLevel, NotifyExec, RuleSettings, TlsFiles,
};
pub use starter::{Start, starter, starter_of};
pub use values::Role;
pub(crate) use veil::{HIDDEN, veiled, veiled_for_others};

use base::Prefix;
use engine::Mode;

/// Where the file is looked for when the command line names none.
pub const DEFAULT_PATH: &str = "/etc/spillway/spillway.toml";

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// Its text.
    pub written: Written,
    /// The operator's own networks.
    pub networks: Vec<Prefix>,
    /// Customers and their networks.
    pub customers: Vec<(String, Vec<Prefix>)>,
    /// What customers say of themselves.
    pub(crate) customer_terms: Vec<target::CustomerTerms>,
    /// Prefixes with wishes of their own, the longest first.
    pub(crate) targets: Vec<target::Target>,
    /// Sources that are never filtered on the way to a prefix.
    pub(crate) allow: Vec<crate::policy::allow::Allowed>,
    /// Hosts with limits of their own.
    pub groups: Vec<engine::settings::Group>,
    /// Folder of everything that outlives the process.
    pub state_dir: PathBuf,
    /// How far to go.
    pub mode: Mode,
    /// As whom the daemon runs once it has started; `None`: as whoever started it.
    pub user: Option<String>,
    /// Whose habits the notification follows.
    pub compat: Option<Compat>,
    /// Compat mode also tells of attacks on prefixes.
    pub compat_prefixes: bool,
    /// Where flow export arrives.
    pub listen: Listen,
    /// Where questions are answered.
    pub api: Api,
    /// What the operator says of exporters.
    pub exporters: Vec<(std::net::IpAddr, ExporterSection)>,
    /// Roles of interfaces by name.
    pub interfaces: InterfaceRoles,
    /// Program that is told of attacks.
    pub notify: Option<NotifyExec>,
    /// Channels by which attacks are told.
    pub channels: Vec<::notify::Settings>,
    /// When something counts as an attack.
    pub detection: Detection,
    /// What rules may do.
    pub rules: RuleSettings,
    /// Filters on interfaces of this machine.
    pub dataplane: Dataplane,
    /// Routers that are spoken with; `None`: none.
    pub routing: Option<Routing>,
    /// Zones whose names may be diverted.
    pub dns: Vec<DnsZone>,
    /// The log of decisions and disclosures.
    pub ledger: Ledger,
    /// Flow samples that can be asked about later.
    pub history: History,
    /// Who speaks in reports, and who stamps evidence.
    pub evidence: Evidence,
    /// Files that tell where addresses are, and what others say of them.
    pub intel: Intel,
    /// How long what is kept of others.
    pub privacy: Privacy,
    /// How the log looks.
    pub log: Log,
}

/// A text that may hold secrets: it is not shown by accident.
#[derive(Clone)]
pub struct Written(pub Arc<str>);

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(text)")
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let text =
            std::fs::read(path).map_err(|cause| vec![Problem::unreadable(path, &cause, "spillway init")])?;
        let text = String::from_utf8(text).map_err(|wrong| {
            let valid = wrong.utf8_error().valid_up_to();
            let front = String::from_utf8_lossy(wrong.as_bytes().get(..valid).unwrap_or(&[])).into_owned();
            vec![Problem::at(path, &front, valid, "is not UTF-8 text here".to_owned())]
        })?;
        Self::parse(path, &text)
    }

    /// Checks a text as if it stood in `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let file: sections::File =
            toml::from_str(text).map_err(|wrong| vec![Problem::of_toml(path, text, &wrong)])?;
        check::checked(path, text, file)
    }

    /// What the daemon's engine needs of it.
    pub fn engine(&self) -> engine::Settings {
        self.engine_as(engine::Profile::Daemon)
    }

    /// What an engine of this profile needs of it.
    pub fn engine_as(&self, profile: engine::Profile) -> engine::Settings {
        engine::Settings {
            networks: self.networks.clone(),
            floor: self.detection.floor.into(),
            mode: self.mode,
            install_delay: self.rules.install_delay,
            lease: self.rules.lease,
            spare: self.rules.never.clone(),
            budget: self.detection.budget,
            quiet: self.detection.quiet,
            groups: self.groups.clone(),
            customers: self.customers.clone(),
            tuning: self.tuning(),
            ..engine::Settings::of(profile)
        }
    }

    /// Thresholds of prefixes that have their own.
    fn tuning(&self) -> engine::settings::Tunings {
        let all = crate::policy::layers::Layers::of(self).tuning();
        engine::settings::Tunings::new(all.into_iter().map(|(prefix, floor, multiple)| {
            (prefix, engine::settings::Tuning { floor_pps: floor, multiple })
        }))
    }

    /// Where the ledger is.
    pub fn ledger_place(&self) -> crate::ledger::Place {
        crate::ledger::Place::new(&self.state_dir, self.ledger.origin.clone(), self.ledger.remember.clone())
    }

    /// What the collector needs of it.
    pub fn telemetry(&self) -> telemetry::collector::Settings {
        let exporters = self.exporters.iter().map(|(address, section)| (*address, section.telemetry()));
        let speeds = self
            .exporters
            .iter()
            .flat_map(|(address, section)| section.speeds().map(|(index, bits)| ((*address, index), bits)));
        telemetry::collector::Settings {
            exporters: exporters.collect(),
            speeds: speeds.collect(),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests;
