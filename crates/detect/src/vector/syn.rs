//! SYN floods: connections begun and never carried on.

use alloc::format;
use alloc::string::ToString;

use super::{Counts, Family};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) const FAMILY: Family = Family {
    takes: |class| class == Class::TCP_SYN,
    // An honest connection sends at least two more packets than its SYN.
    suspect: |c: &Counts| c.received - 0.5 * c.established,
    judge,
    name: |_| "tcp-syn-flood".to_string(),
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    let carried_on = e.established / e.received.max(1.0);
    if carried_on < 0.5 {
        terms.say(5.0, format!("{:.0} packets in open connections to {:.0} SYNs", e.established, e.received));
    } else if carried_on > 2.0 {
        terms.say(-5.0, format!("the connections are carried on: {carried_on:.1} packets to a SYN"));
    }
    // A scanner asks each port once or twice from few addresses; a flood does not mind repeating itself.
    let spread = e.shape.samples >= 10 && e.shape.dst_ports * 2 >= e.shape.samples;
    if e.sources <= 3 && e.shape.sources <= 3 && spread && e.rate < 50.0 * e.floor {
        terms.say(
            -8.0,
            format!("{} ports tried from {} sources: a scan", e.shape.dst_ports, e.sources.max(1)),
        );
    }
}
