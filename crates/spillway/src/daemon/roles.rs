//! Which interfaces face outwards: from the configuration and from the names that exporters tell.

use std::net::IpAddr;

use telemetry::Collector;
use telemetry::interface::{Entry, Roles};

use crate::config::{Config, ExporterSection};

/// Roles of the exporters of one worker.
#[derive(Debug)]
pub(super) struct RoleBook {
    roles: Roles,
    fixed: Vec<(IpAddr, ExporterSection)>,
    patterns: bool,
    /// Revision of the names of each exporter when they were last looked at, by index.
    seen: Vec<u64>,
}

impl RoleBook {
    /// From the configuration.
    pub(super) fn new(config: &Config) -> Self {
        let mut roles = Roles::default();
        let by_role = [
            (&config.interfaces.external, telemetry::interface::Role::External),
            (&config.interfaces.internal, telemetry::interface::Role::Internal),
            (&config.interfaces.customer, telemetry::interface::Role::Customer),
        ];
        for (globs, role) in by_role {
            for glob in globs {
                roles.pattern(glob, role);
            }
        }
        let patterns = by_role.iter().any(|(globs, _)| !globs.is_empty());
        Self { roles, fixed: config.exporters.clone(), patterns, seen: Vec::new() }
    }

    /// The roles as known by now; `None` while nobody said anything.
    pub(super) fn known(&self) -> Option<&Roles> {
        (!self.roles.is_empty()).then_some(&self.roles)
    }

    /// Looks at exporters and names that are new since the last time. Called at ticks.
    pub(super) fn refresh(&mut self, collector: &Collector) {
        if !self.patterns && self.fixed.is_empty() {
            return;
        }
        for view in collector.exporters() {
            let at = usize::try_from(view.index).unwrap_or(usize::MAX);
            let revision = view.names.revision() + 1;
            if self.seen.get(at).is_some_and(|seen| *seen == revision) {
                continue;
            }
            for (interface, name) in view.names.iter() {
                self.roles.name(Entry { exporter: view.index, interface }, &name.text);
            }
            let section = self.fixed.iter().find(|(address, _)| *address == view.address);
            for (index, interface) in section.iter().flat_map(|(_, section)| &section.interfaces) {
                let Ok(number) = index.parse() else { continue };
                let entry = Entry { exporter: view.index, interface: number };
                if let Some(name) = &interface.name {
                    self.roles.name(entry, name);
                }
                if let Some(role) = interface.role {
                    self.roles.set(entry, role.into());
                }
            }
            if self.seen.len() <= at {
                self.seen.resize(at + 1, 0);
            }
            if let Some(seen) = self.seen.get_mut(at) {
                *seen = revision;
            }
        }
    }
}
