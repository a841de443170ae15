//! Answers of reflecting protocols that nobody asked for.

use alloc::format;

use super::{Counts, Family, beyond_dialogue, one_way};
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class.reflector().is_some(),
    suspect: |c: &Counts| beyond_dialogue(c, 4.0),
    excuses: 4.0,
    needs_learning: false,
    judge,
    name: |e| format!("udp-amplification-{}", e.class.reflector().unwrap_or("other")),
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    let protocol = e.class.reflector().unwrap_or("other");
    terms.say(3.0, format!("answers of {protocol} servers without requests"));
}
