//! `spillway metrics`: the numbers of `/metrics` as rows, so that nobody has to search a text.

mod text;

use std::io::Write as _;

use anyhow::bail;
use serde_json::{Map, Value};

use crate::cli::Context;
use crate::client::Reach;
use crate::output::{self, Format, Paint};
use text::{Family, Sample};

/// The numbers that Prometheus gets, as a table: by name, with what each means
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A word picks the numbers whose name, labels or meaning hold it; several words all have to be held. Of a histogram people see how many
and the mean; `-o jsonl` and `-o csv` have its buckets. `spillway doctor` says what is wrong with them in words.

Examples:
  spillway metrics drops                  # of sockets, queues, the kernel
  spillway metrics ingest 192.0.2.1       # of one exporter
  spillway metrics --nonzero
  spillway metrics --list                 # names and meanings alone
  spillway metrics rule_packets -o csv")]
pub struct Args {
    /// Part of a name, of a label or of a meaning
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Leave out what is 0
    #[arg(long)]
    nonzero: bool,
    /// Names, kinds and meanings, without numbers
    #[arg(long, conflicts_with = "nonzero")]
    list: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Columns of a table.
const COLUMNS: [&str; 4] = ["name", "labels", "value", "kind"];

/// Asks and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let api = args.reach.api()?;
    let (status, body) = api.get("/metrics")?;
    match status {
        200 => {}
        401 | 403 => bail!(
            "{}: numbers are not for this role; give a token of a viewer in SPILLWAY_TOKEN or with --token-file",
            api.url()
        ),
        status => bail!("{} answers with status {status}", api.url()),
    }
    let mut families = text::families(&body);
    let words: Vec<String> = args.words.iter().map(|word| word.to_lowercase()).collect();
    for family in &mut families {
        let Family { name, help, samples, .. } = family;
        samples.retain(|sample| {
            let all = format!("{name} {help} {} {}", sample.name, sample.labels_text()).to_lowercase();
            words.iter().all(|word| all.contains(word)) && (!args.nonzero || sample.value != "0")
        });
    }
    families.retain(|family| !family.samples.is_empty());
    if families.is_empty() {
        bail!(
            "no number is called so{}; `spillway metrics --list` shows all",
            if args.nonzero { " and is not 0" } else { "" }
        );
    }
    print(&families, args.list, context)
}

fn print(families: &[Family], list: bool, context: &Context) -> anyhow::Result<()> {
    let rows = || families.iter().flat_map(|family| rows(family, list));
    let mut out = output::stdout_of(if list { &[] } else { &COLUMNS });
    match context.format(Format::Json) {
        Format::Json => {
            output::document(&mut out, &serde_json::json!({"items": rows().collect::<Vec<_>>()}))?
        }
        Format::Jsonl => rows().try_for_each(|row| output::line(&mut out, &row))?,
        Format::Text => {
            let paint = Paint::stdout();
            for family in families {
                writeln!(out, "{}  {}", paint.bold(&family.name), paint.dim(&family.help))?;
                if !list {
                    lines(family).try_for_each(|(what, number)| writeln!(out, "  {number:>16}  {what}"))?;
                }
            }
        }
    }
    Ok(out.flush()?)
}

/// A family as rows: each of its numbers, or the family itself.
fn rows(family: &Family, list: bool) -> Vec<Value> {
    let text = |key: &str, value: &str| (key.to_owned(), Value::from(value));
    if list {
        return vec![Value::from_iter([
            text("name", &family.name),
            text("kind", &family.kind),
            text("help", &family.help),
        ])];
    }
    let row = |sample: &Sample| {
        let labels: Map<String, Value> =
            sample.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let labels = if output::is_laid_out() { sample.labels_text().into() } else { Value::Object(labels) };
        // what JSON has no number for (NaN, +Inf) stays a word
        let value = sample.value.parse::<serde_json::Number>();
        let value = value.map_or_else(|_| Value::from(sample.value.as_str()), Value::Number);
        Value::from_iter([
            text("name", &sample.name),
            ("labels".to_owned(), labels),
            ("value".to_owned(), value),
            text("kind", &family.kind),
        ])
    };
    family.samples.iter().map(row).collect()
}

/// What people see: of a histogram how many and the mean, of anything else each number.
fn lines(family: &Family) -> impl Iterator<Item = (String, String)> {
    let of = |end: &str, sample: &Sample| {
        let name = format!("{}{end}", family.name);
        family.samples.iter().find(|one| one.name == name && one.labels == sample.labels)
    };
    let line = move |sample: &Sample| {
        if family.kind != "histogram" {
            return Some((sample.labels_text(), sample.value.clone()));
        }
        let count = sample.name.strip_suffix("_count").and_then(|_| sample.value.parse::<f64>().ok())?;
        let mean = of("_sum", sample).and_then(|sum| sum.value.parse::<f64>().ok()).filter(|_| count > 0.0);
        let mean = mean.map_or_else(String::new, |sum| format!(" of {:.6} on average", sum / count));
        Some((format!("{}{mean}", sample.labels_text()), sample.value.clone()))
    };
    family.samples.iter().filter_map(line)
}
