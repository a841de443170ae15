//! Ways by which an attack came in, as the configuration knows them.

use intel::dossier::Ingress;
use intel::observe::Entry;

use crate::config::Config;

/// An interface of an exporter, and the network behind it. Whoever lets forged packets out is told of its name alone, where there is
/// one.
pub fn of(config: &Config, entry: Entry) -> Ingress {
    let Some(index) = entry.interface else { return named(entry.exporter.to_string()) };
    let section = config.exporters.iter().find(|(address, _)| *address == entry.exporter);
    let told = section.and_then(|(_, section)| section.interfaces.get(&index.to_string()));
    let name = told.and_then(|told| told.name.clone());
    let way = named(name.unwrap_or_else(|| format!("{} if {index}", entry.exporter)));
    Ingress { asn: told.and_then(|told| told.asn), cone: told.is_some_and(|told| told.cone()), ..way }
}

/// A way of which nothing but its name is known.
pub const fn named(interface: String) -> Ingress {
    Ingress { interface, asn: None, cone: false, packets: 0, forged: 0 }
}
