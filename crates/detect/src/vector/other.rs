//! GRE and all other protocols.

use alloc::string::ToString;

use super::{Counts, Family, beyond_dialogue, one_way};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| matches!(class, Class::GRE | Class::OTHER),
    suspect: |c: &Counts| beyond_dialogue(c, 20.0),
    excuses: 20.0,
    needs_learning: true,
    judge,
    name: |e| if e.class == Class::GRE { "gre-flood" } else { "other-protocol-flood" }.to_string(),
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    if e.shape.sources >= 20 {
        terms.say(2.0, "a tunnel has one far end, this has many".to_string());
    }
}
