//! SYN-ACKs that nobody asked for: servers answering forged SYNs.

use alloc::format;
use alloc::string::ToString;

use super::{Counts, Family, single_conversation};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::TCP_SYNACK,
    suspect: |c: &Counts| if c.exact { c.unsolicited } else { c.received - 1.5 * c.syns_sent },
    excuses: 1.5,
    needs_learning: false,
    judge,
    name: |_| "tcp-synack-reflection".to_string(),
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    terms.say(5.0, format!("{:.0} SYN-ACKs to {:.0} SYNs sent", e.received, e.syns));
    single_conversation(e, terms);
}
