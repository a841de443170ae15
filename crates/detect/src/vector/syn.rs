//! SYN floods: connections begun and never carried on.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Counts, Family};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::TCP_SYN,
    // An honest connection sends at least two more packets than its SYN: an acknowledgement and a request.
    suspect: |c: &Counts| c.received - 0.5 * c.established,
    excuses: 0.5,
    needs_learning: false,
    judge,
    name,
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
    let each = e.received / libm::fmax(hosts(e), 1.0);
    if e.hosts >= 16 && e.sources <= 3 && each <= 4.0 {
        terms.say(
            -8.0,
            format!("{} hosts asked {each:.1} times each from {} sources: a scan", e.hosts, e.sources),
        );
    }
    if e.sources <= 3 && e.shape.sources <= 3 && spread && e.rate < 50.0 * e.floor {
        terms.say(
            -8.0,
            format!("{} ports tried from {} sources: a scan", e.shape.dst_ports, e.sources.max(1)),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of hosts")]
fn hosts(e: &Evidence) -> f64 {
    e.hosts as f64
}

/// Connections that are opened, and then nothing or no more than a greeting comes, are another flood.
fn name(e: &Evidence) -> String {
    let carried_on = e.established / e.received.max(1.0);
    let data = e.data / e.received.max(1.0);
    match () {
        () if carried_on < 0.5 => "tcp-syn-flood",
        () if data < 0.3 => "tcp-connection-flood",
        () if e.shape.dst_port_top.1 == 443 => "tls-handshake-flood",
        () => "tcp-connection-flood",
    }
    .to_string()
}
