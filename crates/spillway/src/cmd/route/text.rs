//! Answers about routes, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::output::Paint;
use crate::routing::order::{Answer, Mitigation, Past, Peer};

/// One document, without the name of the kind of answer.
pub(super) fn plain(answer: &Answer) -> serde_json::Result<Value> {
    Ok(match answer {
        Answer::Peers(peers) => json!({ "peers": peers }),
        Answer::List { frozen, mitigations } => json!({ "frozen": frozen, "mitigations": mitigations }),
        Answer::One(one) => serde_json::to_value(one)?,
        Answer::History(lines) => json!({ "history": lines }),
        Answer::Done(count) => json!({ "ok": true, "mitigations": count }),
    })
}

/// One object a line.
pub(super) fn lines(answer: &Answer) -> serde_json::Result<Vec<Value>> {
    match answer {
        Answer::Peers(peers) => peers.iter().map(serde_json::to_value).collect(),
        Answer::List { mitigations, .. } => mitigations.iter().map(serde_json::to_value).collect(),
        Answer::History(lines) => lines.iter().map(serde_json::to_value).collect(),
        Answer::One(_) | Answer::Done(_) => Ok(vec![plain(answer)?]),
    }
}

pub(super) fn print(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let paint = Paint::stdout();
    match answer {
        Answer::Peers(peers) => peers.iter().try_for_each(|one| peer(out, paint, one)),
        Answer::List { frozen, mitigations } => {
            if *frozen {
                writeln!(out, "{}", paint.red("frozen: nothing is announced until `spillway route resume`"))?;
            }
            if mitigations.is_empty() {
                writeln!(out, "nothing is proposed and nothing holds")?;
            }
            mitigations.iter().try_for_each(|one| mitigation(out, paint, one))
        }
        Answer::One(one) => mitigation(out, paint, one),
        Answer::History(lines) => lines.iter().try_for_each(|line| past(out, paint, line)),
        Answer::Done(count) => writeln!(out, "done ({count} concerned)"),
    }
}

fn peer(out: &mut impl Write, paint: Paint, peer: &Peer) -> io::Result<()> {
    let state = match peer.state.as_str() {
        "established" => paint.green("established"),
        other => paint.yellow(other),
    };
    writeln!(
        out,
        "{} {} AS{} {state} · {} ({}; profile {})",
        paint.bold(&peer.name),
        peer.address,
        peer.asn,
        peer.carries.join(", "),
        peer.families.join(", "),
        peer.profile
    )?;
    write!(out, "  routes: {} wanted, {} held", peer.wanted, peer.held)?;
    if peer.unproven > 0 {
        write!(out, ", {} too new to be sure", peer.unproven)?;
    }
    if peer.quarantined > 0 {
        let text = format!("{} in quarantine", peer.quarantined);
        write!(out, ", {}", paint.red(text))?;
    }
    writeln!(out)?;
    match &peer.last_down {
        Some(why) => writeln!(out, "  {}", paint.dim(format!("went down last: {why}"))),
        None => Ok(()),
    }
}

fn mitigation(out: &mut impl Write, paint: Paint, one: &Mitigation) -> io::Result<()> {
    let id = one.id.map_or_else(|| "preview:".to_owned(), |id| format!("{id}:"));
    let state = match one.state.as_str() {
        "active" => paint.green("active"),
        other => paint.yellow(other),
    };
    writeln!(out, "{} {} {} {state}", paint.bold(id), one.class, paint.bold(&one.what))?;
    writeln!(out, "  {}", one.effect)?;
    for at in &one.peers {
        let reason = at.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        writeln!(out, "  at {}: {}{reason}", at.peer, at.state)?;
    }
    let until = if one.state == "proposed" { "forgotten at" } else { "until" };
    writeln!(out, "  {until} {}; asked by {} at {}: {}", one.until, one.actor, one.asked_at, one.reason)?;
    if let (Some(until), Some(id)) = (&one.confirm_by, one.id) {
        writeln!(
            out,
            "  {}",
            paint.yellow(format!("ends at {until} unless confirmed: `spillway route confirm {id}`"))
        )?;
    }
    if one.state == "proposed" || one.id.is_none() {
        let agreed =
            if one.approved_by.is_empty() { "nobody yet".to_owned() } else { one.approved_by.join(", ") };
        let remedy = one.id.map_or_else(String::new, |id| format!("; `spillway route approve {id}`"));
        writeln!(out, "  needs {} to agree, agreed: {agreed}{remedy}", one.approvals_needed)?;
    }
    Ok(())
}

fn past(out: &mut impl Write, paint: Paint, line: &Past) -> io::Result<()> {
    let id = line.mitigation.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let what = if line.what.is_empty() { String::new() } else { format!(" {}", line.what) };
    writeln!(
        out,
        "{} {id} {}{what}; {}: {}",
        paint.dim(&line.at),
        paint.bold(&line.event),
        line.actor,
        line.reason
    )
}
