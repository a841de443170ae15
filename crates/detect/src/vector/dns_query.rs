//! Floods of queries to a name server.

use alloc::string::ToString;

use super::{Counts, Family, crowd, one_way, patience};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| class == Class::DNS_QUERY,
    suspect: |c: &Counts| c.received,
    excuses: 0.0,
    needs_learning: true,
    judge,
    name: |_| "dns-query-flood".to_string(),
    // A name server answers to everybody, so volume says little below this.
    floor_factor: 10.0,
};

fn judge(e: &Evidence, terms: &mut Terms) {
    one_way(e, terms);
    patience(e, terms);
    crowd(e, e.sent, e.received, terms);
    if e.sent > 0.5 * e.received {
        terms.say(-4.0, "the server keeps up".to_string());
    }
}
