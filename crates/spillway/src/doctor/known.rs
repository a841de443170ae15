//! Files of `[intel]`: which hold, and how old they are.

use api::Finding;
use api::metrics::{FileNumbers, Intel, ListNumbers};
use base::{Span, Timestamp};

use super::facts::Facts;
use super::{ok, warning};

/// What a list says of addresses is doubtful after so long: they move on to others.
const OLD: Span = Span::from_secs(30 * 86_400);
/// … what a database says of countries and networks; makers of the common ones publish twice a week or once a month.
const OLD_PLACES: Span = Span::from_secs(90 * 86_400);
/// … and what a table dump says of who is where: routes move each day.
const OLD_ROUTES: Span = Span::from_secs(7 * 86_400);
const UNUSED: &str = "its file cannot be used";
const MEND: &str = "the daemon's log has the place and the reason, as has `spillway check`; mend the file, then `spillway control reload`";

/// Each file and each list of `[intel]`.
pub(super) fn known(facts: &Facts) -> Vec<Finding> {
    let running = facts.running.as_ref().and_then(|running| running.metrics.intel.as_ref());
    running.map_or_else(Vec::new, |Intel { files, lists, .. }| {
        let files = files.iter().map(|file| of_file(file, facts.now));
        files.chain(lists.iter().map(|list| of_list(list, facts.now))).collect()
    })
}

fn of_file(file: &FileNumbers, now: Timestamp) -> Finding {
    let age = now.since(Timestamp::from_secs(file.modified));
    let days = age.secs() / 86_400;
    let (what, old) = match file.kind {
        "mmdb" => ("database", Some(OLD_PLACES)),
        "mrt" => ("table dump", Some(OLD_ROUTES)),
        // Of one's own.
        _ => ("table of places", None),
    };
    let found = if file.refused {
        let holds =
            if file.modified > 0 { "what it had before holds on" } else { "what it would tell is unknown" };
        warning("intel-file", format!("{UNUSED}; {holds}"))
            .why("networks and countries of sources, and who is forged by routes, are judged without it")
            .cure(MEND)
    } else if old.is_some_and(|old| age > old) {
        warning("intel-file", format!("the {what} is {days} days old"))
            .why("addresses and routes move on, and honest sources may be taken for forged ones, or for others'")
            .cure("fetch it anew, then `spillway control reload`; look at the job that does")
    } else {
        ok("intel-file", format!("{what}, {days} days old"))
    };
    found.about(file.path.clone())
}

fn of_list(list: &ListNumbers, now: Timestamp) -> Finding {
    let ListNumbers { entries, modified, refused, .. } = list;
    let age = now.since(Timestamp::from_secs(*modified));
    let days = age.secs() / 86_400;
    let found = if *refused {
        let holds = if *modified > 0 { "what it had before holds on" } else { "it says nothing of anybody" };
        warning("list", format!("{UNUSED}; {holds}"))
            .why("who came on it or left it since is judged without it")
            .cure(MEND)
    } else if age > OLD {
        warning("list", format!("its file is {days} days old; entries: {entries}"))
            .why("addresses move on, and a report may name who never did anything")
            .cure("fetch it anew, then `spillway control reload`; look at the job that does")
    } else {
        ok("list", format!("{}, entries: {entries}, {days} days old", list.kind))
    };
    found.about(list.name.clone())
}
