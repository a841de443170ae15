//! Answers about routes, for people and for programs.

mod absorbers;
mod plan;

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cmd::asked::Shown;
use crate::output::Paint;
use crate::routing::order::{Answer, Drilled, Mitigation, Origin, Past, Peer, Status};

impl Shown for Answer {
    fn document(&self) -> serde_json::Result<Value> {
        Ok(match self {
            Self::Peers(peers) => json!({ "peers": peers }),
            Self::Absorbers(all) => json!({ "absorbers": all }),
            Self::List { frozen, mitigations } => json!({ "frozen": frozen, "mitigations": mitigations }),
            Self::Plan(planned) => planned.clone(),
            Self::Playbook(all) => json!({ "playbook": all }),
            Self::Status(status) => serde_json::to_value(status)?,
            Self::Origin(origin) => serde_json::to_value(origin)?,
            Self::Drill(progress) => serde_json::to_value(progress)?,
            Self::Drills(all) => json!({ "drills": all }),
            Self::One(one) => serde_json::to_value(one)?,
            Self::History(lines) => json!({ "history": lines }),
            Self::Done(count) => json!({ "ok": true, "mitigations": count }),
            Self::TakenBack(exception) => json!({ "ok": true, "mitigations": 1, "exception": exception }),
        })
    }

    fn lines(&self) -> serde_json::Result<Vec<Value>> {
        match self {
            Self::Peers(peers) => peers.iter().map(serde_json::to_value).collect(),
            Self::Absorbers(all) => all.iter().map(serde_json::to_value).collect(),
            Self::List { mitigations, .. } => mitigations.iter().map(serde_json::to_value).collect(),
            Self::History(lines) => lines.iter().map(serde_json::to_value).collect(),
            Self::Drills(all) => all.iter().map(serde_json::to_value).collect(),
            Self::Playbook(all) => all.iter().map(serde_json::to_value).collect(),
            Self::Plan(_)
            | Self::Drill(_)
            | Self::Status(_)
            | Self::Origin(_)
            | Self::One(_)
            | Self::Done(_)
            | Self::TakenBack(_) => Ok(vec![self.document()?]),
        }
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let paint = Paint::stdout();
        match self {
            Self::Peers(peers) => peers.iter().try_for_each(|one| peer(out, paint, one)),
            Self::Absorbers(all) => absorbers::show(out, paint, all),
            Self::List { frozen, mitigations } => {
                if *frozen {
                    writeln!(
                        out,
                        "{}",
                        paint.red("frozen: nothing is announced until `spillway route resume`")
                    )?;
                }
                if mitigations.is_empty() {
                    writeln!(out, "nothing is proposed and nothing holds")?;
                }
                mitigations.iter().try_for_each(|one| mitigation(out, paint, one))
            }
            Self::Plan(planned) => plan::show(out, paint, planned),
            Self::Playbook(all) => plan::playbook(out, paint, all),
            Self::Status(told) => status(out, paint, told),
            Self::Origin(found) => origin(out, paint, found),
            Self::Drill(progress) => progress.lines.iter().try_for_each(|line| writeln!(out, "{line}")),
            Self::Drills(all) if all.is_empty() => writeln!(out, "no drill was run yet: `spillway drill`"),
            Self::Drills(all) => all.iter().try_for_each(|one| drilled(out, paint, one)),
            Self::One(one) => mitigation(out, paint, one),
            Self::History(lines) => lines.iter().try_for_each(|line| past(out, paint, line)),
            Self::Done(count) => writeln!(out, "done ({count} concerned)"),
            Self::TakenBack(exception) => {
                let word = |key: &str| exception.get(key).map(Value::to_string).unwrap_or_default();
                writeln!(
                    out,
                    "done; it is not announced again by itself until {} (exception {}: `spillway exception end {}` ends that)",
                    word("until").trim_matches('"'),
                    word("id"),
                    word("id")
                )
            }
        }
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
    if let Some(seconds) = peer.silent_secs {
        let text = format!("silent for {seconds} s, kept: its own word or its end will tell");
        writeln!(out, "  {}", paint.yellow(text))?;
    }
    write!(out, "  routes: {} wanted, {} held", peer.wanted, peer.held)?;
    if peer.unproven > 0 {
        write!(out, ", {} too new to be sure", peer.unproven)?;
    }
    if peer.quarantined > 0 {
        let text = format!("{} in quarantine", peer.quarantined);
        write!(out, ", {}", paint.red(text))?;
    }
    writeln!(out)?;
    peer.drills.iter().try_for_each(|one| {
        write!(out, "  drilled ")?;
        drilled(out, paint, one)
    })?;
    match &peer.last_down {
        Some(why) => writeln!(out, "  {}", paint.dim(format!("went down last: {why}"))),
        None => Ok(()),
    }
}

/// A line of a drill's result.
pub(in crate::cmd) fn drilled(out: &mut impl Write, paint: Paint, one: &Drilled) -> io::Result<()> {
    write!(out, "{} {} of {} at {}: ", paint.dim(&one.at), one.class, paint.bold(&one.prefix), one.peer)?;
    match &one.wrong {
        Some(why) => writeln!(out, "{}: {why}", paint.red("failed")),
        None => {
            let seen = match one.result.as_str() {
                "passed" => paint.green("passed: probes showed its effect and its end"),
                "taken" => paint.yellow("taken and let go by a router; its effect was not seen"),
                _ => paint.yellow("sent and withdrawn; its effect was not seen"),
            };
            writeln!(out, "{seen}")
        }
    }
}

fn status(out: &mut impl Write, paint: Paint, status: &Status) -> io::Result<()> {
    if status.caches.is_empty() {
        writeln!(out, "RPKI: not asked; name caches in [routing.rpki]")?;
    }
    for cache in &status.caches {
        let told = match cache.payloads {
            Some(count) => paint.green(format!("{count} payloads")),
            None => paint.yellow("tells nothing that holds now: see that it runs"),
        };
        let faults = if cache.faults == 0 { String::new() } else { format!(", {} faults", cache.faults) };
        writeln!(out, "RPKI cache {}: {told}{faults}", paint.bold(&cache.address))?;
    }
    match &status.bmp {
        Some(address) => {
            write!(out, "BMP at {}: {} routers connected", paint.bold(address), status.routers)?;
            writeln!(out, ", {} faults, {} turned away", status.faults, status.turned_away)?;
        }
        None => writeln!(out, "BMP: not listened for; set `bmp` in [listen]")?,
    }
    let whole = match (status.whole_ipv4, status.whole_ipv6) {
        (true, true) => "whole tables of IPv4 and IPv6",
        (true, false) => "a whole table of IPv4, not of IPv6",
        (false, true) => "a whole table of IPv6, not of IPv4",
        (false, false) => "no whole table: what is unrouted is not known",
    };
    writeln!(
        out,
        "learned: {} prefixes ({whole}); {} left out, {} updates damaged",
        status.prefixes, status.left_out, status.damaged
    )
}

fn origin(out: &mut impl Write, paint: Paint, origin: &Origin) -> io::Result<()> {
    let address = paint.bold(&origin.address);
    match (&origin.prefix, origin.routed) {
        (Some(prefix), _) if origin.origins.is_empty() => {
            writeln!(out, "{address}: {prefix}, routed; its origin is hidden by an AS set")
        }
        (Some(prefix), _) => {
            let origins: Vec<String> = origin.origins.iter().map(|asn| format!("AS{asn}")).collect();
            writeln!(out, "{address}: {prefix}, routed, from {}", origins.join(" and "))
        }
        (None, Some(false)) => writeln!(out, "{address}: unrouted, by a whole table"),
        (None, _) => writeln!(
            out,
            "{address}: nothing is known; a peer with `learn = true` or a router at `listen.bmp` that has the route would tell"
        ),
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
    if let Some(doing) = &one.outcome {
        writeln!(out, "  the service since: {}; {}", doing.is, doing.reason)?;
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
