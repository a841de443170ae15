//! Requests by programs: few sources with very many requests, or many that ask for the same again and again.

use alloc::format;

use super::conduct::{Behaviour, Doings, volume};
use crate::evidence::Terms;

pub(super) static BEHAVIOUR: Behaviour =
    Behaviour { name: "http-flood", count: |c| c.requests, floor: 50.0, gauge: false, judge };

fn judge(d: &Doings, terms: &mut Terms) {
    volume(d, "HTTP requests/s", 3.0, terms);
    let alike = d.same.max(if d.different >= 0.95 { 1.0 } else { 0.0 });
    if d.examples >= 20 && alike >= 0.8 {
        let text = if d.same >= 0.8 {
            format!("{:.0} % of the requests are the same", d.same * 100.0)
        } else {
            format!(
                "{:.0} % of the requests differ: nobody asks for what others ask for",
                d.different * 100.0
            )
        };
        terms.say(1.5, text);
    }
    // A visitor who has the page does not come back for it at once; one alone, who does nothing else, may be a program that is
    // meant to.
    if d.examples >= 20 && alike >= 0.8 && d.sources >= 10 {
        let weight = (12.0 * (d.repeats - 0.2)).clamp(-3.0, 5.0);
        terms.say(
            weight,
            format!("{:.0} % of the connections are by clients that came back", d.repeats * 100.0),
        );
    }
    if d.heavy >= 0.5 {
        terms.say(
            6.0,
            format!(
                "{:.0} % by clients that ask many times a second, longer than a page loads",
                d.heavy * 100.0
            ),
        );
    }
    if d.sources <= 2 && d.per_connection >= 50.0 {
        terms.say(
            -4.0,
            format!("{:.0} requests in a connection: one program that is served", d.per_connection),
        );
    }
}
