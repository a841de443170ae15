//! `spillway rule preview`: what a rule would have hit, in the last hour or in a capture.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use base::Span;
use serde_json::Value;

use super::asked::{self, Daemon, Shown};
use crate::capture::Capture;
use crate::cli::Context;
use crate::cmd::check::complain;
use crate::config::Config;
use crate::daemon::control;
use crate::output::{self, Format, Paint};
use crate::policy::desk::bare_rule;

/// See what a rule would have hit: of attacks, of others, and whom most
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --capture the daemon is asked for the flow samples that it keeps; what a rule asks beyond them is named, and then the
figures are upper bounds. With --capture no daemon is needed, and the answer is exact.

Examples:
  spillway rule preview 'dst 198.51.100.7/32 proto udp src-port 123 -> drop'
  spillway rule preview 'dst 2001:db8::/48 proto udp -> drop' --last 10m -o json
  spillway rule preview 'dst 198.51.100.7/32 proto udp length >=468 -> drop' --capture attack.pcap")]
pub(super) struct Args {
    /// In the rule language, with or without an id
    #[arg(value_name = "RULE")]
    rule: String,
    /// By the samples of so long, up to now [default: 1h]
    #[arg(long, value_name = "TIME", conflicts_with = "capture")]
    last: Option<Span>,
    /// By a capture (pcap, pcapng)
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// By either of them: a time like 1h, or a capture
    #[arg(long, value_name = "TIME|FILE", conflicts_with_all = ["last", "capture"])]
    against: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// What was found.
pub(super) struct Found(pub(super) Value);

impl Shown for Found {
    fn document(&self) -> serde_json::Result<Value> {
        Ok(self.0.clone())
    }

    fn lines(&self) -> serde_json::Result<Vec<Value>> {
        Ok(self.0.get("rules").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    fn text(&self, out: &mut impl Write) -> std::io::Result<()> {
        text(&self.0, out)
    }
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let rule = bare_rule(&args.rule).map_err(anyhow::Error::msg)?;
    let (last, capture) = match args.against.as_deref().map(|against| (against.parse().ok(), against)) {
        None => (args.last, args.capture),
        Some((None, file)) => (None, Some(PathBuf::from(file))),
        Some((last, _)) => (last, None),
    };
    let found = match &capture {
        Some(path) => {
            let found =
                crate::preview::of_capture(&[rule], Capture::open(path)?).map_err(anyhow::Error::msg)?;
            let document = serde_json::to_value(&found)?;
            let shown = asked::show(&mut output::stdout(), context.format(Format::Json), &Found(document));
            shown?;
            // Everything before the damage is counted, and told as such.
            return match found.partial {
                Some(why) => bail!("{why}"),
                None => Ok(()),
            };
        }
        None => {
            let config = match Config::load(&args.daemon.config) {
                Ok(config) => config,
                Err(problems) => return complain(&problems),
            };
            control::preview(&config.state_dir, rule.to_string(), last.map(Span::secs))?
        }
    };
    asked::show(&mut output::stdout(), context.format(Format::Json), &Found(found))
}

/// For people.
pub(super) fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let number = |of: &Value, at: &str| of.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    let word = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    let amount = |packets: u64, bytes: u64| {
        format!("{} packets, {} octets", crate::progress::grouped(packets), crate::progress::grouped(bytes))
    };
    writeln!(out, "{}", paint.dim(format!("from {} to {}", word(document, "from"), word(document, "to"))))?;
    for rule in document.get("rules").and_then(Value::as_array).into_iter().flatten() {
        writeln!(out, "{}", word(rule, "text"))?;
        if rule.get("matched_packets").is_some() {
            let all = amount(number(document, "/packets"), number(document, "/bytes"));
            let hit = amount(number(rule, "/matched_packets"), number(rule, "/matched_bytes"));
            writeln!(out, "  matches {hit}, of {all}")?;
        } else {
            let of = |key: &str| {
                amount(number(rule, &format!("/{key}/packets")), number(rule, &format!("/{key}/bytes")))
            };
            writeln!(out, "  of attacks  {}", of("attacks"))?;
            writeln!(out, "  of others   {}", of("others"))?;
        }
        for host in rule.get("hosts").and_then(Value::as_array).into_iter().flatten() {
            let hit = amount(number(host, "/packets"), number(host, "/bytes"));
            writeln!(out, "    {:<39} {hit}", word(host, "target"))?;
        }
        let unknown: Vec<&str> = rule
            .get("unknown")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !unknown.is_empty() {
            writeln!(out, "  at most: samples do not know {}", unknown.join(", "))?;
        }
        if let Some(why) = rule.get("partial").and_then(Value::as_str) {
            writeln!(out, "  not all was looked at: {why}")?;
        }
    }
    Ok(())
}
