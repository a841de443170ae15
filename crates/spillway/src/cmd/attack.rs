//! `spillway attack list|show|explain|watch|note|notes|report|close`: attacks that the running daemon knows, those of the past among them.

mod note;
mod report;
mod watch;

use std::io::Write as _;

use anyhow::Context as _;
use api::Explanation;
use engine::report::Attack;
use serde_json::Value;

use super::asked::Why;
use super::policy;
use crate::card;
use crate::cli::Context;
use crate::client::Reach;
use crate::output::{self, Format, Paint};
use crate::policy::Order;

/// Attacks that the running daemon knows: list them, look at one, have one explained, call one over
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway attack list --state active
  spillway attack list --target 198.51.100.0/24 -o csv
  spillway attack show 0123456789abcdef
  spillway attack explain 0123456789abcdef       # why, what was done and refused, what comes next
  spillway attack watch -o jsonl                 # each as it opens, changes and ends
  spillway attack note 0123456789abcdef 'the customer knows'
  spillway attack report 0123456789abcdef --format html > report.html
  spillway attack close 0123456789abcdef --reason 'a load test of our own'")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(One),
    Explain(Explain),
    Watch(watch::Args),
    Note(note::Args),
    /// What people wrote to an attack, newest first
    Notes(One),
    Report(report::Args),
    Close(Close),
}

/// Attacks, the newest first
#[derive(Debug, clap::Args)]
struct List {
    /// Only those that are `active`, or that are `over`
    #[arg(long, value_name = "STATE", value_parser = ["active", "over"])]
    state: Option<String>,
    /// Only those that touch this prefix
    #[arg(long, value_name = "PREFIX")]
    target: Option<base::Prefix>,
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    reach: Reach,
}

/// All that is known of one attack
#[derive(Debug, clap::Args)]
struct One {
    /// Its id
    id: String,
    #[command(flatten)]
    reach: Reach,
}

/// Why it is called an attack, what was done and refused and why, and what comes next
#[derive(Debug, clap::Args)]
struct Explain {
    /// Its id
    id: String,
    #[command(flatten)]
    reach: Reach,
}

/// Call an attack over: what was done about it by itself is withdrawn
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Its rules go, and what was announced for it ends, in the order that such things always end in. What goes on like it is no new attack
for `[detection] quiet`, unless it comes to twice its peak; after that it is found anew, under another id. What is no attack at all
wants a mode, a profile, or an allowed source (`spillway target`, `spillway allow`).")]
struct Close {
    /// Its id
    id: String,
    #[command(flatten)]
    why: Why,
}

/// Attacks of one answer.
const PAGE: u32 = 200;
/// Columns of a table.
const COLUMNS: [&str; 10] = [
    "id",
    "state",
    "severity",
    "direction",
    "target",
    "vectors",
    "peak_pps",
    "peak_bps",
    "started_at",
    "ended_at",
];

/// Asks and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::List(args) => list(&args, context),
        Command::Show(One { id, reach }) => {
            let attack = reach.api()?.json(&path(&id, ""))?;
            show(&[attack], context, &[])
        }
        Command::Explain(Explain { id, reach }) => {
            let document = reach.api()?.json(&path(&id, "/explanation"))?;
            let explained: Explanation = serde_json::from_value(document)
                .context("the daemon's answer cannot be read; is it another version?")?;
            explain(&explained, context)
        }
        Command::Watch(args) => watch::run(&args, context),
        Command::Note(args) => note::run(args, context),
        Command::Notes(One { id, reach }) => note::list(&reach.api()?.json(&path(&id, "/notes"))?, context),
        Command::Report(args) => report::run(&args),
        Command::Close(Close { id, why }) => {
            let order = Order::Close { attack: id, reason: why.reason.clone() };
            policy::change(&why, order, context, policy::decision)
        }
    }
}

/// An id is hexadecimal; whatever else is given cannot leave its place in the path.
pub(super) fn path(id: &str, more: &str) -> String {
    let plain: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("/api/v1/attacks/{}{more}", if plain.is_empty() { "-" } else { &plain })
}

fn list(args: &List, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let mut all: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    loop {
        let wanted = u32::try_from(limit - all.len()).unwrap_or(PAGE).min(PAGE);
        let mut ask = format!("/api/v1/attacks?limit={wanted}");
        ask.extend(args.state.iter().map(|state| format!("&state={state}")));
        // The API takes a prefix as it is written, with its slash.
        ask.extend(
            args.target.iter().map(|target| format!("&target={}", target.to_string().replace('/', "%2F"))),
        );
        ask.extend(after.iter().map(|after| format!("&after={after}")));
        let mut page = api.json(&ask)?;
        if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
            all.append(items);
        }
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() || all.len() >= limit {
            break;
        }
    }
    show(&all, context, &COLUMNS)
}

fn show(attacks: &[Value], context: &Context, columns: &[&str]) -> anyhow::Result<()> {
    let mut out = output::stdout_of(columns);
    match (context.format(Format::Json), attacks) {
        (Format::Json, [one]) if columns.is_empty() => output::document(&mut out, one)?,
        (Format::Json, all) => output::document(&mut out, &serde_json::json!({"items": all, "next": null}))?,
        (Format::Jsonl, all) => all.iter().map(row).try_for_each(|one| output::line(&mut out, &one))?,
        (Format::Text, []) => writeln!(out, "{}", Paint::stdout().green("no attack"))?,
        (Format::Text, all) => {
            for one in all {
                let attack: Attack = serde_json::from_value(one.clone())
                    .context("the daemon's answer cannot be read; is it another version?")?;
                let paint = Paint::stdout();
                if columns.is_empty() {
                    writeln!(out, "{}", card::attack(&attack, paint))?;
                } else {
                    out.write_all(card::line_of(&attack, paint).as_bytes())?;
                }
            }
        }
    }
    Ok(out.flush()?)
}

/// One object a line as it is; laid out in columns, vectors are their names.
fn row(attack: &Value) -> Value {
    let mut row = attack.clone();
    if output::is_laid_out()
        && let Some(vectors) = row.get_mut("vectors")
    {
        let names = vectors.as_array().into_iter().flatten().filter_map(|vector| vector.get("name").cloned());
        *vectors = names.collect();
    }
    row
}

fn explain(it: &Explanation, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, it)?,
        Format::Jsonl => output::line(&mut out, it)?,
        Format::Text => out.write_all(card::explanation(it, Paint::stdout()).as_bytes())?,
    }
    Ok(out.flush()?)
}
