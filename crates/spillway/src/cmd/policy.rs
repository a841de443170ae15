//! What `target`, `allow`, `exception` and `rule` have in common: one order to the daemon, one document back.

use std::io::Write;

use serde_json::{Value, json};

use super::asked::{self, Daemon, Shown, Why};
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::output::{self, Format};
use crate::policy::Order;

/// An answer of the desk.
struct Answer {
    document: Value,
    text: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
}

impl Shown for Answer {
    fn document(&self) -> serde_json::Result<Value> {
        Ok(self.document.clone())
    }

    fn lines(&self) -> serde_json::Result<Vec<Value>> {
        if let Some(items) = self.document.get("items").and_then(Value::as_array) {
            return Ok(items.clone());
        }
        // a policy is a row for each of its values
        let Some(values) = self.document.get("values").and_then(Value::as_object) else {
            return Ok(vec![self.document.clone()]);
        };
        let row = |(name, value): (&String, &Value)| {
            json!({
                "prefix": self.document.get("prefix"), "name": name, "value": value.get("value"), "from": origin(value),
                "until": value.pointer("/from/until"),
            })
        };
        Ok(values.iter().map(row).collect())
    }

    fn text(&self, out: &mut impl Write) -> std::io::Result<()> {
        (self.text)(&self.document, out)
    }
}

/// Asks, and shows what comes back.
pub(super) fn ask(
    daemon: &Daemon,
    person: Option<String>,
    order: Order,
    context: &Context,
    text: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let config = match Config::load(&daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let document = control::decided(&config.state_dir, order, asked::person(person))?;
    asked::show(&mut output::stdout(), context.format(Format::Json), &Answer { document, text })
}

/// Shows a document that is known already.
pub(super) fn show(
    document: Value,
    context: &Context,
    text: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    asked::show(&mut output::stdout(), context.format(Format::Json), &Answer { document, text })
}

/// A rule, a key a line.
pub(super) fn rule(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", word(document, "text"))?;
    for key in ["rule", "kind", "attack", "target", "owner", "at", "until", "confirm_by", "reason"] {
        if document.get(key).is_some_and(|value| !value.is_null()) {
            writeln!(out, "{key:<12} {}", word(document, key))?;
        }
    }
    Ok(())
}

/// Likewise, in a person's name.
pub(super) fn change(
    why: &Why,
    order: Order,
    context: &Context,
    text: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    ask(&why.daemon, why.person.clone(), order, context, text)
}

/// A value of a document as people read it.
pub(super) fn word(document: &Value, key: &str) -> String {
    match document.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        Some(other) => other.to_string(),
    }
}

/// Where a value comes from.
pub(super) fn origin(value: &Value) -> String {
    let from = value.get("from").unwrap_or(&Value::Null);
    let name = from.get("name").and_then(Value::as_str);
    std::iter::once(word(from, "kind").as_str()).chain(name).collect::<Vec<_>>().join(" ")
}

/// The items of a list.
pub(super) fn items<'a>(document: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    document.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// What was decided, in a line each.
pub(super) fn decision(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    for id in items(document, "ended") {
        writeln!(out, "entry {id} has ended")?;
    }
    for exception in items(document, "exceptions") {
        decision(exception, out)?;
    }
    if document.get("kind").is_none() {
        for note in items(document, "notes") {
            writeln!(out, "  note: {}", note.as_str().unwrap_or_default())?;
        }
        return Ok(());
    }
    let word = |key| word(document, key);
    let what = match word("kind").as_str() {
        "mode" => format!("{} is at {}", word("prefix"), word("mode")),
        "general" => format!("all goes at {}, but for what has a mode of its own", word("mode")),
        "panic" => "nothing acts for anybody".to_owned(),
        "allow" => format!("{} passes to {} up to {}", word("source"), word("destination"), word("ceiling")),
        "exception" => format!("of {} is not set again: {}", word("target"), word("rule")),
        "note" => {
            writeln!(out, "{} {} on attack {}: {}", word("at"), word("actor"), word("attack"), word("text"))?;
            return Ok(());
        }
        "close" => format!("attack {} on {} is over", word("attack"), word("target")),
        _ => word("text"),
    };
    let until = match word("until").as_str() {
        "-" => String::new(),
        until => format!("; until {until}"),
    };
    writeln!(out, "{} {} ({}): {what}{until}", word("kind"), word("id"), word("owner"))?;
    for note in items(document, "notes") {
        writeln!(out, "  note: {}", note.as_str().unwrap_or_default())?;
    }
    if let Some(why) = document.get("no_preview").and_then(Value::as_str) {
        writeln!(out, "  what it would have hit is not known: {why}")?;
    }
    if let Some(preview) = document.get("preview").filter(|preview| preview.is_object()) {
        super::preview::text(preview, out)?;
    }
    Ok(())
}

/// A list of decisions.
pub(super) fn decisions(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    for one in items(document, "items") {
        writeln!(out, "{:>5}  {}", word(one, "id"), line(one))?;
    }
    Ok(())
}

fn line(one: &Value) -> String {
    let word = |key| word(one, key);
    let what = match word("kind").as_str() {
        "allow" => format!(
            "{} -> {} proto {} port {} up to {}",
            word("source"),
            word("destination"),
            word("protocol"),
            word("port"),
            word("ceiling")
        ),
        "exception" => format!("{} {}", word("target"), word("rule")),
        "derived" => format!("{} {} (attack {})", word("rule"), word("text"), word("attack")),
        _ => format!("{} {}", word("rule"), word("text")),
    };
    format!("{what}; {} until {}: {}", word("owner"), word("until"), word("reason"))
}
