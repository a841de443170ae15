//! An attack on one screen, for a person in a hurry.

use std::fmt::Write as _;

use base::Timestamp;
use base::units::{BitRate, ByteCount, PacketRate};
use engine::report::{Attack, Collateral, Direction, Nature, RuleReport, Severity, State, Vector};

use crate::output::Paint;
use crate::progress::grouped;

/// Width of the bar of a share.
const BAR: usize = 20;
/// Busiest sources shown.
const SOURCES_SHOWN: usize = 5;
/// Target prefixes shown.
const TARGETS_SHOWN: usize = 6;

/// The card as text, ending with a new line.
pub fn attack(a: &Attack, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, a, paint);
    times(&mut out, a, paint);
    size(&mut out, a, paint);
    targets(&mut out, a, paint);
    for (i, vector) in a.vectors.iter().enumerate() {
        row(&mut out, if i == 0 { "vectors" } else { "" }, &vector_text(vector, paint), paint);
    }
    sources(&mut out, a, paint);
    rules(&mut out, a, paint);
    why(&mut out, a, paint);
    out
}

/// The head of the card and the reasons alone.
pub fn reasons(a: &Attack, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, a, paint);
    times(&mut out, a, paint);
    why(&mut out, a, paint);
    out
}

/// An attack in one line, for lists.
pub fn line_of(a: &Attack, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, a, paint);
    let (pps, bps) = (PacketRate(float(a.peak_pps)), BitRate(float(a.peak_bps)));
    let end = a.ended_at.map_or_else(String::new, |end| format!(" to {}", moment(end)));
    line(&mut out, &paint.dim(format!("  from {}{end}, peak {pps}, {bps}", moment(a.started_at))));
    out
}

/// An attack in plain words: why, what was done, what was not, what comes next.
pub fn explanation(it: &api::Explanation, paint: Paint) -> String {
    let mut out = String::new();
    line(&mut out, &paint.bold(&it.summary));
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            line(&mut out, "");
            line(&mut out, &paint.cyan(title));
            for text in lines {
                let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                line(&mut out, &format!("  {plain}"));
            }
        }
    };
    part("Why it is called so", it.why.clone());
    let vector = |one: &api::explanation::Vector| {
        format!("{:5.1} %  {}: {}", one.share * 100.0, one.name, one.meaning)
    };
    part("What it is made of", it.vectors.iter().map(vector).collect());
    let mut rules = Vec::new();
    for rule in &it.rules {
        rules.push(rule.text.clone());
        let dropped =
            rule.dropped_packets.map_or_else(String::new, |n| format!("; it dropped {} packets", grouped(n)));
        rules.push(format!("    {}{dropped}", rule.stands));
        rules.push(format!("    {}", rule.price));
    }
    part("Filters", rules);
    part(
        "What happened",
        it.steps.iter().map(|one| format!("{}  {} ({})", one.at, one.what, one.by)).collect(),
    );
    part("What was not done", it.refused.iter().map(|one| format!("{}: {}", one.what, one.reason)).collect());
    part("What comes next", it.next.clone());
    out
}

fn why(out: &mut String, a: &Attack, paint: Paint) {
    for (i, reason) in a.explain.iter().enumerate() {
        row(out, if i == 0 { "why" } else { "" }, reason, paint);
    }
}

fn head(out: &mut String, a: &Attack, paint: Paint) {
    let (mark, title) = match a.severity {
        Severity::Attack => (paint.red("●"), paint.red("ATTACK")),
        Severity::Suspicious => (paint.yellow("○"), paint.yellow("SUSPICIOUS")),
    };
    let way = match a.direction {
        Direction::In => "on",
        Direction::Out => "from here on",
    };
    let what = a.vectors.first().map_or("unclassified", |v| v.name.as_str());
    let more = if a.vectors.len() > 1 { format!(" and {} more", a.vectors.len() - 1) } else { String::new() };
    let state = match a.state {
        State::Active => "still active",
        State::Over => "over",
    };
    line(
        out,
        &format!(
            "{mark} {title} {way} {}  {}{more}  {}",
            paint.bold(a.target),
            paint.bold(what),
            paint.dim(format!("{state}, id {}", a.id)),
        ),
    );
}

fn times(out: &mut String, a: &Attack, paint: Paint) {
    let mut text = format!("from {}", moment(a.started_at));
    if let Some(end) = a.ended_at {
        let _ = write!(text, " to {} ({:.1} s)", moment(end), end.since(a.started_at).as_secs_f64());
    }
    let delay = a.detected_at.since(a.started_at).as_secs_f64();
    let _ = write!(text, ", detected after {delay:.2} s");
    row(out, "when", &text, paint);
}

fn size(out: &mut String, a: &Attack, paint: Paint) {
    let (pps, bps) = (PacketRate(float(a.peak_pps)), BitRate(float(a.peak_bps)));
    let text = format!("peak {pps}, {bps}; {} packets, {} in all", grouped(a.packets), ByteCount(a.bytes));
    row(out, "size", &text, paint);
}

fn targets(out: &mut String, a: &Attack, paint: Paint) {
    if a.targets.len() < 2 {
        return;
    }
    let mut text: String =
        a.targets.iter().take(TARGETS_SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if a.targets.len() > TARGETS_SHOWN {
        let _ = write!(text, " and {} more", a.targets.len() - TARGETS_SHOWN);
    }
    row(out, "targets", &text, paint);
}

fn vector_text(v: &Vector, paint: Paint) -> String {
    let mut text = format!("{} {:5.1} %  {}", bar(v.share, paint), v.share * 100.0, v.name);
    if let Some(port) = v.src_port {
        let _ = write!(text, ", from port {port}");
    }
    if let Some(port) = v.dst_port {
        let _ = write!(text, ", to port {port}");
    }
    text
}

fn sources(out: &mut String, a: &Attack, paint: Paint) {
    let s = &a.sources;
    let nature = match s.nature {
        Nature::Spoofed => "forged addresses",
        Nature::Reflectors => "reflectors: real servers that were used",
        Nature::Real => "real hosts",
        Nature::Mixed => "a mix of real and forged",
        Nature::Unknown => "of unknown nature",
    };
    let sure = if s.nature == Nature::Unknown {
        String::new()
    } else {
        format!(" ({:.0} % sure)", s.confidence * 100.0)
    };
    row(out, "sources", &format!("{} addresses, {nature}{sure}", grouped(s.count)), paint);
    let shown = s.top.iter().take(SOURCES_SHOWN).filter(|t| t.share >= 0.005);
    if let Some(day) = &a.pseudonymous {
        row(
            out,
            "",
            &paint.dim(format!("addresses of others here are pseudonyms, under the key of {day}")),
            paint,
        );
    }
    for top in shown {
        let text = format!("{} {:5.1} %  {}", bar(top.share, paint), top.share * 100.0, top.address);
        row(out, "", &text, paint);
    }
}

fn rules(out: &mut String, a: &Attack, paint: Paint) {
    for (i, rule) in a.rules.iter().enumerate() {
        row(out, if i == 0 { "rules" } else { "" }, &paint.cyan(&rule.text), paint);
        row(out, "", &paint.dim(price(rule)), paint);
    }
}

fn price(rule: &RuleReport) -> String {
    let until = format!("until {}", moment(rule.expires_at));
    match rule.collateral {
        None if rule.action == "challenge" => {
            format!("asks who connects to answer, and drops only who does not; {until}")
        }
        None => format!("collateral unknown: no honest traffic was seen; {until}"),
        Some(Collateral { packets, packets_upper95, peers, peers_upper95, .. }) => format!(
            "expected to hit {} of honest packets (at most {}), {} of honest peers (at most {}); {until}",
            percent(packets),
            percent(packets_upper95),
            percent(peers),
            percent(peers_upper95),
        ),
    }
}

/// `0.25 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// `2021-04-28 10:30:21.099`.
pub fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {}", clock.get(..12).unwrap_or(clock))
}

fn bar(share: f64, paint: Paint) -> String {
    let cell = |i: usize| share * float(BAR as u64) >= float(i as u64) + 0.5;
    let full = (0..BAR).take_while(|i| cell(*i)).count();
    format!("{}{}", paint.red("█".repeat(full)), paint.dim("░".repeat(BAR - full)))
}

fn row(out: &mut String, name: &str, text: &str, paint: Paint) {
    line(out, &format!("  {} {text}", paint.dim(format!("{name:<8}"))));
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
const fn float(n: u64) -> f64 {
    n as f64
}
