//! ICMP and ICMPv6.

use alloc::string::ToString;

use super::{Counts, Family, crowd, patience, single_conversation};
use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub(super) static FAMILY: Family = Family {
    takes: |class| matches!(class, Class::ICMP_ECHO | Class::ICMP_ERROR | Class::ICMP_OTHER),
    suspect,
    excuses: 1.0,
    needs_learning: true,
    judge,
    name: |_| "icmp-flood".to_string(),
    floor_factor: 1.0,
};

/// Errors about packets that the target sent itself are answers; an echo request always asks.
fn suspect(c: &Counts) -> f64 {
    match c.class {
        Class::ICMP_ECHO => c.received,
        _ if c.exact => c.unsolicited,
        _ => c.received - c.all_sent,
    }
}

fn judge(e: &Evidence, terms: &mut Terms) {
    match e.class {
        Class::ICMP_ECHO => {
            patience(e, terms);
            crowd(e, e.icmp_sent, e.received, terms);
            if e.rate > 10.0 * e.floor && !e.young {
                terms.say(4.0, "no monitor asks that often".to_string());
            }
            if e.icmp_sent > 0.5 * e.received {
                terms.say(-3.0, "the target answers".to_string());
            } else if !e.young {
                terms.say(3.0, "the target does not answer".to_string());
            }
        }
        Class::ICMP_ERROR => {
            terms.say(2.0, "errors about packets that others sent in the target's name".to_string())
        }
        _ if e.sent * 2.0 < e.received => {
            terms.say(4.0, "replies and messages that nobody asked for".to_string())
        }
        _ => single_conversation(e, terms),
    }
}
