//! UDP port 443.

use alloc::string::ToString;

use super::{Counts, Family, beyond_dialogue, crowd, one_way, patience};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::QUIC,
    suspect: |c: &Counts| beyond_dialogue(c, 20.0),
    excuses: 20.0,
    needs_learning: true,
    judge,
    name: |e| {
        let (share, port) = e.shape.src_port_top;
        // From port 443 it is servers that answer forged Initials, as DTLS servers did before them.
        if share >= 0.8 && port == 443 { "udp-amplification-other" } else { "quic-flood" }.to_string()
    },
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    patience(e, terms);
    crowd(e, e.sent, e.unsolicited, terms);
}
