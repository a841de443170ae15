//! TCP flag combinations that no stack sends.

use alloc::string::ToString;

use super::{Counts, Family};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::TCP_ODD,
    suspect: |c: &Counts| c.received,
    excuses: 0.0,
    needs_learning: false,
    judge,
    name: |_| "tcp-odd-flags-flood".to_string(),
    floor_factor: 1.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    terms.say(5.0, "flag combinations that no stack sends".to_string());
    let spread = e.shape.samples >= 10 && e.shape.dst_ports * 2 >= e.shape.samples;
    if e.sources <= 3 && e.shape.sources <= 3 && spread && e.rate < 50.0 * e.floor {
        terms.say(-8.0, "many ports tried once from few sources: a scan".to_string());
    }
}
