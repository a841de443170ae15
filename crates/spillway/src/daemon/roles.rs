//! Which interfaces face outwards: from the configuration and from the names that exporters tell.

use std::net::IpAddr;

use telemetry::interface::{Entry, Roles};
use telemetry::record::Observed;
use telemetry::{Collector, Record};

use crate::config::{Config, ExporterSection};

/// Roles of the exporters of one worker.
#[derive(Debug)]
pub(crate) struct RoleBook {
    roles: Roles,
    fixed: Vec<(IpAddr, ExporterSection)>,
    patterns: bool,
    /// Revision of the names of each exporter when they were last looked at, by index.
    seen: Vec<u64>,
}

impl RoleBook {
    /// From the configuration.
    pub(crate) fn new(config: &Config) -> Self {
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

    /// Whether this is the one sighting of its packets that counts.
    #[inline]
    pub(crate) fn counts(&self, record: &Record) -> bool {
        record.observed != Observed::EgressAgain
            && self.known().is_none_or(|roles| roles.judge(record).counts)
    }

    /// The roles as known by now; `None` while nobody said anything.
    #[inline]
    fn known(&self) -> Option<&Roles> {
        (!self.roles.is_empty()).then_some(&self.roles)
    }

    /// Looks at exporters and names that are new since the last time. Called at ticks.
    pub(crate) fn refresh(&mut self, collector: &mut Collector) {
        if !self.patterns && self.fixed.is_empty() {
            return;
        }
        let mut named = Vec::new();
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
                if let Some(name) =
                    interface.name.as_ref().filter(|_| self.seen.get(at).is_none_or(|n| *n == 0))
                {
                    // Its role follows at the next look, when the name is the exporter's.
                    named.push((view.address, number, name.clone()));
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
        for (exporter, interface, name) in named {
            collector.name_interface(exporter, interface, &name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;
    use base::map::Seed;
    use telemetry::interface::Role;

    #[test]
    fn names_and_roles_of_the_file_hold_from_the_second_look_on() {
        let text = r#"
networks = ["198.18.0.0/16"]
[listen]
sflow = "127.0.0.1:0"
[exporters."192.0.2.1".interfaces]
7 = { name = "transit-1" }
8 = { role = "customer" }
[interfaces]
external = ["transit*"]
"#;
        let config = Config::parse(std::path::Path::new("f"), text).unwrap();
        let mut collector = Collector::new(config.telemetry(), Seed::new(1));
        let mut book = RoleBook::new(&config);
        let mut header = vec![0u8; 72];
        header[1] = 5;
        header[3] = 1;
        collector.datagram(Timestamp::from_secs(1), IpAddr::from([192, 0, 2, 1]), &header, &mut |_, _| {});
        book.refresh(&mut collector);
        book.refresh(&mut collector);
        let role = |interface| book.known().unwrap().of(Entry { exporter: 0, interface });
        assert_eq!((role(7), role(8), role(9)), (Role::External, Role::Customer, Role::Unknown));
    }
}
