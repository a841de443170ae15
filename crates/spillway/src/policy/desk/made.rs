//! Rules that people make, confirm and take back.

use std::sync::{Arc, PoisonError};

use ::rules::lease::LEASE_MAX;
use ::rules::parse::KEYS;
use ::rules::{Action, Rule};
use base::{Prefix, Span, Timestamp};
use serde_json::{Value, json};

use super::super::book::{Entry, Held, What};
use super::super::order;
use super::super::view::View;
use super::super::{administrators, show};
use super::{DECISIONS_MAX, Desk, TAKEN_BACK, is_exception, ours, room, until};

/// Rules that people made, at once.
const RULES_MAX: usize = 256;
/// A wide rule reverts after so long unless a person confirms it.
const CONFIRM: Span = Span::from_secs(300);

impl Desk {
    pub(super) fn make(&self, view: &View, who: &str, made: order::Made) -> Result<Value, String> {
        let mut rule = parsed(&made.rule)?;
        if !matches!(rule.action, Action::Pass | Action::Drop | Action::RatePackets(_) | Action::RateBits(_))
        {
            return Err(format!(
                "a rule made here passes, drops or limits; put `{}` into the file of `dataplane.rules`",
                rule.action.as_str()
            ));
        }
        let Some(dst) = rule.matches.dst else {
            return Err(
                "a rule made here needs a destination: write `dst PREFIX`, inside `networks`".to_owned()
            );
        };
        ours(view, &dst)?;
        if !view.layers.filters && !view.layers.is_absorbed(&dst) {
            return Err("this machine has no filters, and no absorber has this prefix: name `dataplane.interfaces`, or use `spillway route announce` for routers".to_owned());
        }
        let near = |never: &&Prefix| never.covers(&dst) || dst.covers(never);
        if let Some(never) = view.layers.never.iter().find(near) {
            return Err(format!("{dst} touches {never}, which is on the never-list (`rules.never`)"));
        }
        let of_source = |never: &&Prefix| rule.matches.src.is_some_and(|src| never.covers(&src));
        if let Some(never) = view.layers.never.iter().find(of_source) {
            return Err(format!(
                "its source is inside {never}, which is on the never-list (`rules.never`): it would hit nothing"
            ));
        }
        administrators::spares(
            &rule,
            &administrators::ways(view.layers.api, made.from, made.ssh.as_deref()),
        )?;
        let most = RULES_MAX.min(view.layers.rules_max);
        room(view, most, |what| matches!(what, What::Rule { .. }))?;
        let hold = made.hold.map(Span::from_secs).or(rule.lease).unwrap_or(Span::from_secs(900));
        if hold == Span::ZERO || hold > LEASE_MAX {
            return Err(format!(
                "a rule holds for more than 0 and at most {LEASE_MAX}; make it again when its end is near"
            ));
        }
        let cuts = rule.action != Action::Pass;
        let is_wide = cuts && (!dst.is_host() || rule.matches.protocol.is_none());
        let confirm_by = is_wide.then(|| view.now.plus(CONFIRM)).filter(|by| *by < view.now.plus(hold));
        rule.lease = None;
        // behind the never-list, which passes before all others
        rule.precedence = rule.precedence.max(1);
        "m".clone_into(&mut rule.id);
        let notes = notes(view, &rule, confirm_by);
        let what = What::Rule { rule: rule.to_string(), confirm_by };
        let entry = Entry {
            owner: who.to_owned(),
            reason: made.reason,
            at: view.now,
            until: Some(view.now.plus(hold)),
            what,
        };
        let mut answer = if made.dry_run {
            let mut would = show::held(&Held::new(0, entry));
            if let Some(would) = would.as_object_mut() {
                would.insert("id".to_owned(), Value::Null);
                would.insert("rule".to_owned(), Value::Null);
            }
            would
        } else {
            self.add(&[], entry)?
        };
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("notes".to_owned(), notes.into());
        }
        Ok(answer)
    }

    pub(super) fn confirm(&self, view: &View, id: &str) -> Result<Value, String> {
        let held = made(view, id).ok_or_else(|| missing(id))?;
        let mut entry = held.entry.clone();
        let What::Rule { confirm_by, .. } = &mut entry.what else { return Err(missing(id)) };
        if confirm_by.take().is_none() {
            return Err(format!("rule {id} waits for nobody: it holds to its end"));
        }
        self.change(held.id, entry)
    }

    /// It holds for so long from now. One that waits for a person goes on waiting.
    pub(super) fn extend(&self, view: &View, id: &str, hold: u64) -> Result<Value, String> {
        let held = made(view, id).ok_or_else(|| missing(id))?;
        let hold = Span::from_secs(hold);
        if hold == Span::ZERO || hold > LEASE_MAX {
            return Err(format!("a rule goes on for more than 0 and at most {LEASE_MAX} from now"));
        }
        let until = Some(view.now.plus(hold));
        self.change(held.id, Entry { until, ..held.entry.clone() })
    }

    pub(super) fn take_back(
        &self,
        view: &View,
        who: &str,
        id: &str,
        hold: Option<u64>,
        reason: String,
    ) -> Result<Value, String> {
        if let Some(held) = made(view, id) {
            self.end(&[held.id])?;
            return Ok(json!({"ended": [held.id], "rule": id, "exceptions": []}));
        }
        let live = Arc::clone(&self.0.live.read().unwrap_or_else(PoisonError::into_inner));
        let until = Some(until(view.now, hold)?.unwrap_or_else(|| view.now.plus(TAKEN_BACK)));
        let mut exceptions = Vec::new();
        for rule in live.iter().filter(|rule| rule.id == id) {
            room(view, DECISIONS_MAX, is_exception)?;
            let what =
                What::TakenBack { attack: rule.attack.clone(), target: rule.target, rule: rule.text.clone() };
            let entry = Entry { owner: who.to_owned(), reason: reason.clone(), at: view.now, until, what };
            exceptions.push(self.add(&[], entry)?);
        }
        if exceptions.is_empty() {
            return Err(missing(id));
        }
        Ok(json!({"ended": [], "rule": id, "exceptions": exceptions}))
    }
}

fn missing(id: &str) -> String {
    format!("there is no rule {id}; `spillway rule list` lists them")
}

/// A rule that a person made, by its id.
fn made<'a>(view: &'a View, id: &str) -> Option<&'a Held> {
    let number = id.strip_prefix('m')?.parse().ok()?;
    let held = view.book.get(number)?;
    (held.holds(view.now) && matches!(held.entry.what, What::Rule { .. })).then_some(held)
}

/// One rule, with or without an id in front.
///
/// # Errors
/// It is none, or several.
pub(crate) fn parsed(text: &str) -> Result<Rule, String> {
    let begun = text.split_whitespace().next().unwrap_or_default();
    let bare = begun.starts_with('@') || begun == "->" || KEYS.contains(&begun);
    let read = if bare { ::rules::parse::rules(&format!("m {text}")) } else { ::rules::parse::rules(text) };
    let rules =
        read.map_err(|wrong| wrong.first().map_or_else(String::new, |one| format!("the rule, {one}")))?;
    let count = rules.len();
    let [rule] =
        <[Rule; 1]>::try_from(rules).map_err(|_| format!("one rule at a time is made, not {count}"))?;
    Ok(rule)
}

/// What a person should know of a rule.
fn notes(view: &View, rule: &Rule, confirm_by: Option<Timestamp>) -> Vec<String> {
    let mut notes = Vec::new();
    if !view.layers.filters {
        notes.push(
            "this machine has no filters: it holds at absorbers, while its destination is led there"
                .to_owned(),
        );
    }
    if let Some(by) = confirm_by {
        notes.push(format!(
            "it is wide: it reverts at {by} unless `spillway rule confirm` says that all is well"
        ));
    }
    if rule.action == Action::Pass {
        return notes;
    }
    let Some(dst) = rule.matches.dst else { return notes };
    for values in view.reached(&dst) {
        let spared = values
            .never_drop
            .value
            .iter()
            .find(|shape| ::rules::overlap::shares(&shape.matches, &rule.matches));
        if let Some(shape) = spared {
            notes.push(format!("it hits what is never to be dropped of {}: {}", values.prefix, shape.text));
        }
        let ordinary = values
            .ordinary
            .value
            .iter()
            .find(|shape| ::rules::overlap::shares(&shape.matches, &rule.matches));
        if let Some(shape) = ordinary {
            notes.push(format!("it hits what is ordinary for {}: {}", values.prefix, shape.text));
        }
    }
    notes
}
