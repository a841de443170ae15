//! ACK, data, RST and FIN packets outside any connection.

use alloc::string::{String, ToString};

use super::{Counts, Family, one_way};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| matches!(class, Class::TCP_ACK | Class::TCP_DATA | Class::TCP_RST_FIN),
    suspect: |c: &Counts| {
        // Segmentation and delayed acknowledgements: up to this many packets one way for one the other way.
        if c.exact { c.unsolicited } else { c.received - 4.0 * c.tcp_sent }
    },
    excuses: 4.0,
    needs_learning: true,
    judge,
    name,
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
}

/// Payload from web ports that nobody asked for is a middlebox's block page (Bock et al., USENIX Security 2021).
fn name(e: &Evidence) -> String {
    let (share, port) = e.shape.src_port_top;
    let web = share >= 0.8 && matches!(port, 80 | 443 | 8080);
    match e.class {
        Class::TCP_DATA if web && e.sources.max(e.shape.sources) >= 5 => "tcp-middlebox-reflection",
        Class::TCP_RST_FIN => "tcp-rst-fin-flood",
        _ => "tcp-ack-flood",
    }
    .to_string()
}
