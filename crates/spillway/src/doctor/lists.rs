//! Lists of others: which hold, and how old they are.

use api::Finding;
use api::metrics::ListNumbers;
use base::{Span, Timestamp};

use super::facts::Facts;
use super::{ok, warning};

/// What a list says of addresses is doubtful after so long: they move on to others.
const OLD: Span = Span::from_secs(30 * 86_400);

/// Each list of `[intel]`.
pub(super) fn lists(facts: &Facts) -> Vec<Finding> {
    let running = facts.running.as_ref().and_then(|running| running.metrics.intel.as_ref());
    running.map_or_else(Vec::new, |numbers| numbers.lists.iter().map(|list| said(list, facts.now)).collect())
}

fn said(list: &ListNumbers, now: Timestamp) -> Finding {
    let ListNumbers { entries, modified, refused, .. } = list;
    let age = now.since(Timestamp::from_secs(*modified));
    let days = age.secs() / 86_400;
    let found = if *refused {
        let holds = if *modified > 0 { "what it had before holds on" } else { "it says nothing of anybody" };
        warning("list", format!("its file cannot be used; {holds}"))
            .why("who came on it or left it since is judged without it")
            .cure(
                "the daemon's log has the line and the reason; mend the file, then `spillway control reload`",
            )
    } else if age > OLD {
        warning("list", format!("its file is {days} days old; entries: {entries}"))
            .why("addresses move on, and a report may name who never did anything")
            .cure("fetch it anew, then `spillway control reload`; look at the job that does")
    } else {
        ok("list", format!("{}, entries: {entries}, {days} days old", list.kind))
    };
    found.about(list.name.clone())
}
