//! SYN floods: connections begun and never carried on.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Counts, Family, patience};
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
    // Stacks that mean it announce what they can do.
    if e.shape.with_options >= 0.8 {
        patience(e, terms);
    }
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

/// Acknowledgements for one packet with payload at most: what a client of a large download sends.
const ACKS_MAX: f64 = 20.0;

/// Judged by what the connections do not explain. Connections that are opened and then left show an acknowledgement without
/// payload, or an end, for each SYN; where others are carried on meanwhile, their packets do not make a flood of SYNs one of
/// connections.
fn name(e: &Evidence) -> String {
    let syns = e.received.max(1.0);
    let acks = e.established - e.data;
    let bare = acks - ACKS_MAX * e.data;
    match () {
        () if e.established < 0.5 * syns || (bare < 0.5 * syns && e.ends < 0.5 * syns) => "tcp-syn-flood",
        () if e.data >= 0.3 * syns && e.shape.dst_port_top.1 == 443 => "tls-handshake-flood",
        () => "tcp-connection-flood",
    }
    .to_string()
}
