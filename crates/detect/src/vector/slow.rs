//! Connections held open with few octets (slowloris): the server waits for requests that never end.

use alloc::format;
use alloc::string::ToString;

use super::conduct::{Behaviour, Doings};
use crate::evidence::Terms;

pub(super) static BEHAVIOUR: Behaviour =
    Behaviour { name: "tcp-slow", count: |c| c.held, floor: 20.0, gauge: true, judge };

fn judge(d: &Doings, terms: &mut Terms) {
    let over = d.rate / d.floor.max(3.0 * d.usual);
    let weight = if over < 1.0 { -6.0 } else { 4.0 + 2.0 * libm::log(over).min(3.0) };
    terms.say(
        weight,
        format!("{:.0} connections held open without an answer, {over:.1} times what is harmless or three times what is usual here, by {} clients", d.rate, d.sources),
    );
    let share = d.rate / (d.rate + d.fruitful).max(1e-9);
    if share >= 0.5 {
        terms.say(4.0, format!("more than are served in ten seconds ({:.0})", d.fruitful));
    } else if share < 0.2 {
        terms.say(-6.0, format!("few beside the {:.0} that are served in ten seconds", d.fruitful));
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of clients")]
    let each = d.rate / d.sources.max(1) as f64;
    // A server that hangs keeps honest clients waiting as well: each asks once, nobody is served.
    if d.trickling >= 0.3 {
        terms.say(3.0, format!("{:.0} % go on with a few octets now and then", d.trickling * 100.0));
    } else if each >= 5.0 {
        terms.say(3.0, format!("{each:.0} held by each client"));
    } else if d.fruitful >= 5.0 {
        terms.say(2.0, "others are served meanwhile".to_string());
    } else if d.rate > d.waiting {
        terms.say(1.0, format!("nobody is served, but no more than {:.0} would be waiting", d.waiting));
    } else {
        terms.say(-4.0, "nobody is served: the server may hang".to_string());
    }
}
