//! Allowed sources, and what is never dropped, bind what goes to routers: no rule that would hit them is announced, and one that
//! does since somebody was allowed is withdrawn.

use steer::book::{Actor, What};

use super::Clerk;

impl Clerk {
    /// Whether it leaves alone what is spared. Where all traffic of a prefix moves or ends, it is said instead whom that hits.
    ///
    /// # Errors
    /// It would hit somebody; where it can be cut around them, as which rules.
    pub(super) fn spares(&self, what: &What) -> Result<(), String> {
        let What::Flowspec(rule) = what else { return Ok(()) };
        let pieces = self
            .policy
            .now()
            .sendable(rule)
            .map_err(|why| format!("rule `{}` is not announced: {why}", rule.id))?;
        match pieces.as_slice() {
            [one] if *one == **rule => Ok(()),
            pieces => {
                let spared = self.policy.now().spared(rule);
                let words: Vec<&str> = spared.iter().take(3).map(|one| one.words.as_str()).collect();
                let instead: Vec<String> = pieces.iter().map(ToString::to_string).collect();
                Err(format!(
                    "rule `{}` is not announced: it would hit {}; what is left of it: {}",
                    rule.id,
                    words.join(", "),
                    instead.join("; ")
                ))
            }
        }
    }

    /// Withdraws rules that hit somebody who was allowed since they began.
    pub(super) fn end_what_is_not_sparing(&mut self) {
        let hits = self.book.all().filter_map(|one| Some((one.id, self.spares(&one.wish.what).err()?)));
        for (id, why) in hits.collect::<Vec<_>>() {
            tracing::warn!(mitigation = id, why, "withdrawn");
            if let Some(one) = self.book.get(id) {
                self.auto.let_go(&one.wish.what);
            }
            let _ = self.book.withdraw(id, &Actor::Engine, &why);
        }
    }

    /// Whom a route hits, to be added to what it does.
    pub(super) fn whom_it_hits(&self, what: &What) -> String {
        let (What::Blackhole(prefix) | What::Diversion(prefix)) = what else { return String::new() };
        let hit = self.policy.now().hit_by_route(prefix);
        hit.map_or_else(String::new, |hit| format!("; {hit}"))
    }
}
