//! Answers about names, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};
use steer::dnsdiversion::message;

use crate::cmd::asked::Shown;
use crate::dns::order::{Answer, Line, Name};
use crate::output::Paint;

impl Shown for Answer {
    fn document(&self) -> serde_json::Result<Value> {
        Ok(match self {
            Self::Names(names) => json!({ "names": names }),
            Self::One(one) => serde_json::to_value(one)?,
            Self::History(lines) => json!({ "history": lines }),
        })
    }

    fn lines(&self) -> serde_json::Result<Vec<Value>> {
        match self {
            Self::Names(names) => names.iter().map(serde_json::to_value).collect(),
            Self::History(lines) => lines.iter().map(serde_json::to_value).collect(),
            Self::One(_) => Ok(vec![self.document()?]),
        }
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let paint = Paint::stdout();
        match self {
            Self::Names(names) => names.iter().try_for_each(|one| name(out, paint, one)),
            Self::One(one) => name(out, paint, one),
            Self::History(lines) => lines.iter().try_for_each(|line| past(out, paint, line)),
        }
    }
}

fn name(out: &mut impl Write, paint: Paint, name: &Name) -> io::Result<()> {
    let state = match name.state.as_str() {
        "idle" => paint.green("idle"),
        other => paint.yellow(other),
    };
    writeln!(out, "{} {state} · zone {} at {}", paint.bold(&name.name), name.zone, name.server)?;
    if let Some(at) = &name.seen_at {
        writeln!(out, "  {} {}", message::text(&name.addresses), paint.dim(format!("(seen {at})")))?;
    }
    match &name.diversion {
        Some(one) => {
            writeln!(out, "  diversion {} until {}, by {}: {}", one.id, one.until, one.actor, one.reason)?;
            writeln!(out, "  to {}", message::text(&name.to))?;
            writeln!(out, "  comes back: {}", message::text(&one.was))?;
            if let Some(at) = &one.moved_by {
                writeln!(out, "  resolvers that respect TTLs have let go of the old addresses by {at}")?;
            }
        }
        None => writeln!(out, "  would go to {}", message::text(&name.to))?,
    }
    if let Some(trouble) = &name.trouble {
        writeln!(out, "  {}", paint.red(trouble))?;
    }
    for advice in &name.advice {
        writeln!(out, "  {advice}")?;
    }
    let Some(last) = &name.last else { return Ok(()) };
    let text = format!("diversion {} ended {}: {}", last.id, last.at, last.explanation);
    writeln!(out, "  {}", paint.dim(text))?;
    match &last.back_by {
        Some(at) => writeln!(out, "  resolvers that respect TTLs have let go of the absorber by {at}"),
        None => Ok(()),
    }
}

fn past(out: &mut impl Write, paint: Paint, line: &Line) -> io::Result<()> {
    let id = line.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let Line { at, event, actor, reason, what, .. } = line;
    writeln!(out, "{} {id} {} by {actor}: {what} ({reason})", paint.dim(at), paint.bold(event))
}
