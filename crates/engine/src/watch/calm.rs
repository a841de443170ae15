//! When an attack is quiet though its targets get packets of its classes: because they always do.

use base::prefix::{bits_of, narrow, wide};

use super::Watch;
use crate::incident::Incident;
use crate::report::Direction;
use crate::settings::{Profile, Settings};
use crate::target::{Target, TargetKey};
use crate::tick::{Tick, hosts, received};

/// From this part of the threshold on a test says that there is more than there should be.
const RISEN: f64 = 0.5;

impl Watch {
    /// Whether all that the targets of an incoming attack got of it in a tick is what they may get: by the tests that found it.
    /// A server's clients go on to connect when a flood of SYNs has ended.
    pub(crate) fn is_calm(&self, settings: &Settings, incident: &Incident, tick: &Tick) -> bool {
        let direction = incident.key.direction;
        // A recording holds all there is. What is known by its senders, or by a fixed limit, ends with them.
        let by_rate = !incident.is_by_sender() && incident.vectors.iter().all(|vector| !vector.by_culprit);
        if settings.profile != Profile::Daemon || direction != Direction::In || !by_rate {
            return false;
        }
        let most = RISEN * self.threshold(settings);
        let calm = |target: &Target| {
            let mut of_it = target.streams.iter().filter(|stream| incident.vector(stream.class).is_some());
            target.totals.as_ref().is_none_or(|totals| totals.is_quiet())
                && of_it.all(|stream| !stream.is_above(most))
        };
        incident.areas.iter().all(|area| {
            let key = TargetKey { addr: wide(area.addr()), bits: area.bits(), direction };
            self.target(&key).is_none_or(calm)
                && tick.cells(direction, hosts(area)).iter().all(|(cell, _)| {
                    let key = TargetKey { addr: cell.host, bits: bits_of(narrow(cell.host)), direction };
                    let counts = cell.side == received(direction) && incident.vector(cell.class).is_some();
                    !counts || self.target(&key).is_none_or(calm)
                })
        })
    }
}
