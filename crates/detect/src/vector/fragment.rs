//! Fragments without the packets they belong to.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Counts, Family, beyond_dialogue, one_way};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| matches!(class, Class::UDP_FRAGMENT | Class::IP_FRAGMENT),
    suspect: |c: &Counts| beyond_dialogue(c, 20.0),
    excuses: 20.0,
    needs_learning: false,
    judge,
    name,
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    if let Some(protocol) = e.completes.and_then(Class::reflector) {
        terms.say(3.0, format!("unasked answers of {protocol} servers come with them"));
    }
    if e.shape.tiny_fragments >= 0.5 {
        let share = e.shape.tiny_fragments * 100.0;
        terms.say(6.0, format!("{share:.0} % are fragments shorter than any stack makes"));
    }
}

fn name(e: &Evidence) -> String {
    if e.class == Class::UDP_FRAGMENT { "udp-fragment-flood" } else { "ip-fragment-flood" }.to_string()
}
