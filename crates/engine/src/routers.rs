//! Rules for routers, where the best ones ask for what FlowSpec cannot say.
//!
//! This machine and absorbers tell a SYN flood from honest SYNs by its TTL or TCP window; a router cannot. For routers the same
//! packets are searched again with what FlowSpec can ask, within the same bound of collateral and with a price of their own.
//! Where nothing within it is found, routers are told nothing, and why.

use detect::signature::{Derived, Request, WORK_MAX};
use rules::compile::flowspec;

use crate::report::RuleReport;

/// The second search gets at least this part of all work.
const WORK_LEAST: u64 = WORK_MAX / 4;

/// What rules ask that FlowSpec cannot say, in the words of the rule language; `None`: nothing.
pub(crate) fn beyond(rules: &[RuleReport]) -> Option<String> {
    let mut asked: Vec<&str> = rules
        .iter()
        .filter_map(|told| rules::parse::rules(&told.text).ok()?.pop())
        .flat_map(|rule| flowspec::beyond(&rule.matches))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    (!asked.is_empty()).then(|| asked.join(", "))
}

/// The same question for routers, after `first` was found for this machine. How stable its answer is is not asked.
pub(crate) fn request<'a>(of: &Request<'a>, first: &Derived) -> Request<'a> {
    Request {
        flowspec: true,
        stability: Some(first.stability),
        work: of.work.saturating_sub(first.work).max(WORK_LEAST),
        ..*of
    }
}

/// What came of it, in words.
pub(crate) fn explain(asked: &str, rules: &[RuleReport], found: &Derived) -> String {
    let rules = match rules.iter().filter(|rule| rule.action == "drop").count() {
        0 => {
            return format!(
                "routers cannot match {asked}, and nothing that they can match tells the attack from honest traffic within the price"
            );
        }
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    let price = found.collateral.as_ref().map_or_else(
        || "unknown".to_owned(),
        |c| {
            format!(
                "{:.2} % of honest packets, {:.2} % of peers (at most {:.2}, {:.2} % with 95 % confidence)",
                c.packets.estimate * 100.0,
                c.peers.estimate * 100.0,
                c.packets.upper95 * 100.0,
                c.peers.upper95 * 100.0
            )
        },
    );
    format!(
        "routers cannot match {asked}: for them {rules} of what they can, which drop {:.1} % of the examples; collateral {price}",
        found.covered * 100.0
    )
}
