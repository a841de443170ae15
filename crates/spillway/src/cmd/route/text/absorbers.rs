//! Absorbers, for people.

use std::io::{self, Write};

use base::units::{BitRate, PacketRate};
use steer::absorb::word::Load;

use crate::output::Paint;
use crate::routing::order::Absorber;

pub(super) fn show(out: &mut impl Write, paint: Paint, all: &[Absorber]) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(
            out,
            "no absorber is spoken with; set `control` and `fingerprint` in [routing.absorbers.NAME]"
        );
    }
    all.iter().try_for_each(|one| absorber(out, paint, one))
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn absorber(out: &mut impl Write, paint: Paint, one: &Absorber) -> io::Result<()> {
    let state = match one.state.as_str() {
        "up" => paint.green("up"),
        "distrusted" => paint.red("distrusted"),
        other => paint.yellow(other),
    };
    let kind = one.kind.as_deref().unwrap_or("kind unknown");
    writeln!(
        out,
        "{} {} {state} · {kind} · {}",
        paint.bold(&one.name),
        one.control,
        paint.dim(if one.fingerprint.is_empty() {
            one.says.as_deref().unwrap_or_default()
        } else {
            &one.fingerprint
        })
    )?;
    if let Some(why) = &one.reason {
        writeln!(out, "  {}", paint.yellow(why))?;
    }
    if let (Some(capacity), Some(free)) = (one.capacity, one.free) {
        let rules = (one.rules.unwrap_or(0), one.rules_free.unwrap_or(0));
        writeln!(
            out,
            "  {} free of {}; {} rules in force, {} free; {} prefixes free",
            rate(free),
            rate(capacity),
            rules.0,
            rules.1,
            one.prefixes_free.unwrap_or(0)
        )?;
    }
    if kind == "upstream" {
        upstream(out, one)?;
    }
    for prefix in &one.prefixes {
        let returns = prefix
            .returns
            .as_deref()
            .map_or_else(|| "not declared there".to_owned(), |back| format!("returns: {back}"));
        write!(out, "  {} {} ({returns})", paint.bold(&prefix.prefix), prefix.state)?;
        if let (Some(received), Some(dropped), Some(returned)) =
            (prefix.received, prefix.dropped, prefix.returned)
        {
            write!(
                out,
                ": {} received, {} dropped, {} returned",
                rate(received),
                rate(dropped),
                rate(returned)
            )?;
        }
        if let Some(lost) = prefix.lost.filter(|lost| !lost.is_none()) {
            write!(out, ", {} lost", PacketRate(lost.pps() as f64))?;
        }
        if let Some(why) = &prefix.trouble {
            write!(out, "; {}", paint.red(why))?;
        }
        match &prefix.reason {
            Some(why) => writeln!(out, "; {}", paint.yellow(why))?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// What an upstream takes, and what is not known of it.
fn upstream(out: &mut impl Write, one: &Absorber) -> io::Result<()> {
    let (most, free) = (one.prefixes_max.unwrap_or(0), one.prefixes_free.unwrap_or(0));
    let links =
        if one.links.is_empty() { String::new() } else { format!("; behind {}", one.links.join(", ")) };
    writeln!(out, "  discards; {free} of {most} routes free{links}")?;
    one.note.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

/// Both rates; a limit that nobody set is not shown.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn rate(load: Load) -> String {
    let bits = BitRate(load.bps as f64).to_string();
    if load.pps >= u64::MAX / 2 { bits } else { format!("{bits} and {}", PacketRate(load.pps as f64)) }
}
