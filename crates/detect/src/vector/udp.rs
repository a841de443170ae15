//! UDP floods to any port.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Counts, Family, beyond_dialogue, one_way};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::UDP_OTHER,
    suspect: |c: &Counts| beyond_dialogue(c, 20.0),
    excuses: 20.0,
    needs_learning: true,
    judge,
    name,
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    if e.shape.samples >= 20 && e.shape.dst_ports * 2 >= e.shape.samples && e.shape.dst_ports >= 20 {
        terms.say(2.0, format!("{} destination ports in {} packets", e.shape.dst_ports, e.shape.samples));
    }
}

/// Many senders with one source port are servers of a protocol that we have no name for.
fn name(e: &Evidence) -> String {
    let (share, port) = e.shape.src_port_top;
    let servers = share >= 0.8
        && e.shape.samples >= 10
        && e.sources.max(e.shape.sources) >= 10
        && port != e.shape.dst_port_top.1;
    if servers { "udp-amplification-other" } else { "udp-flood" }.to_string()
}
