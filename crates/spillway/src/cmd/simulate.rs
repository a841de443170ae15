//! `spillway simulate`: an attack that is only imagined, against the real configuration.

use std::io::Write;

use base::units::PacketRate;
use base::{Prefix, Span};
use serde_json::Value;

use super::asked::Daemon;
use super::check::complain;
use super::policy::{items, word};
use crate::cli::Context;
use crate::config::Config;
use crate::daemon::control;
use crate::error::usage;
use crate::output::{self, Format, Paint};
use crate::policy::Order;
use crate::simulate::{self, Said, Wish};

/// Imagine an attack on an address of yours: when it would be seen, what would filter it, and what Spillway would then do
///
/// Makes the packets of the attack beside ordinary traffic to the target and to your networks, lets a router tell of them, and takes
/// that through detection, filters, policy and ladder of your configuration. It is a calculation in this process: nothing is sent,
/// nothing acts, and a running daemon is asked for its mode alone. What the daemon has learned of your traffic is not in it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway simulate syn-flood --target 203.0.113.10
  spillway simulate ntp --target 2001:db8::10 --pps 2Mpps -o json
  spillway simulate udp-flood --target 203.0.113.0/28 --for 1m      # carpet bombing
  spillway simulate help                                            # an unknown name lists all")]
pub struct Args {
    /// Which attack, like `syn-flood`, `udp-flood`, `dns` or `tcp-ack-flood`
    #[arg(value_name = "CLASS", value_parser = vector)]
    class: String,
    /// Whom it hits: an address or a small network of yours
    #[arg(long, value_name = "ADDRESS")]
    target: Prefix,
    /// How large
    #[arg(long, value_name = "RATE", default_value = "100kpps")]
    pps: Rate,
    /// Honest traffic to the target meanwhile
    #[arg(long, value_name = "RATE", default_value = "2kpps")]
    honest: Rate,
    /// How long it goes on
    #[arg(long = "for", value_name = "TIME", default_value = "30s")]
    lasts: Span,
    /// Of how many packets a router tells one
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sampling: u32,
    /// Other packets of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    daemon: Daemon,
}

/// Imagines and prints.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let vector = args.class;
    let (Rate(pps), Rate(honest)) = (args.pps, args.honest);
    let seconds = args.lasts.as_secs_f64();
    if !(1.0..=600.0).contains(&seconds) {
        return Err(usage("--for is 1 second to 10 minutes"));
    }
    let config = match Config::load(&args.daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let (target, lasts, sampling, seed) = (args.target, args.lasts, args.sampling, args.seed);
    let wish = Wish { vector, target, pps, honest, lasts, sampling, seed };
    let document = simulate::run(&config, &wish, said(&config, target))?;
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &document)?,
        Format::Jsonl => output::line(&mut out, &document)?,
        Format::Text => text(&document, &mut out)?,
    }
    Ok(out.flush()?)
}

/// The interface's name of what was typed.
fn vector(text: &str) -> Result<String, String> {
    simulate::resolve(text).map_err(|wrong| wrong.to_string())
}

/// What a running daemon says of the target's mode: people may have said another one there.
fn said(config: &Config, target: Prefix) -> Option<Said> {
    let shown = control::decided(&config.state_dir, Order::Show { prefix: target }, None).ok()?;
    serde_json::from_value(shown.pointer("/values/mode/value")?.clone()).ok().map(Said)
}

fn text(document: &Value, out: &mut impl Write) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let number = |at: &str| document.pointer(at).and_then(Value::as_f64);
    let rate = |at: &str| PacketRate(number(at).unwrap_or_default()).to_string();
    let percent =
        |at: &str| number(at).map_or_else(|| "?".to_owned(), |share| format!("{:.1} %", share * 100.0));
    writeln!(
        out,
        "{} on {}: {} for {} s, beside {} of honest traffic; a router tells 1 of {} packets",
        word(document, "vector"),
        word(document, "target"),
        rate("/pps"),
        word(document, "seconds"),
        rate("/honest_pps"),
        word(document, "sampling")
    )?;
    writeln!(out, "{}\n", paint.dim("imagined: nothing is sent, and nothing acts"))?;
    let Some(after) = number("/detected_after_seconds") else {
        writeln!(out, "{}", paint.red("not detected"))?;
        let floor = number("/policy/values/floor_pps/value").unwrap_or_default();
        writeln!(
            out,
            "  below {floor} packets/s of one kind nothing is an attack on it (`spillway target show {}`),",
            word(document, "target")
        )?;
        writeln!(
            out,
            "  and flow export tells little of what is made of few packets, or behaves like customers: try a higher --pps or a lower --sampling"
        )?;
        return Ok(());
    };
    let names: Vec<String> = document
        .pointer("/attack/vectors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|vector| {
            let share = vector.get("share").and_then(Value::as_f64).unwrap_or_default();
            format!("{} ({:.0} %)", word(vector, "name"), share * 100.0)
        })
        .collect();
    writeln!(
        out,
        "{} {after:.2} s after its first packet, as {}",
        paint.green("detected"),
        names.join(", ")
    )?;
    writeln!(out, "\nrules")?;
    for rule in items(document, "rules") {
        writeln!(out, "  {}", word(rule, "text"))?;
        let of = |key: &str| rule.get("collateral").and_then(|price| price.get(key)).and_then(Value::as_f64);
        match (of("packets"), of("packets_upper95")) {
            (Some(share), Some(most)) => writeln!(
                out,
                "    by its samples it hits {:.1} % of honest packets, at most {:.1} %",
                share * 100.0,
                most * 100.0
            )?,
            _ => writeln!(out, "    what honest traffic it hits is not known")?,
        }
        let why = rule.get("why").and_then(Value::as_str).map(|why| format!(": {why}")).unwrap_or_default();
        let now = match word(rule, "now").as_str() {
            "acts" => "in this machine's kernel it acts",
            "counted" => "in this machine's kernel it is counted",
            _ => "in this machine's kernel it does nothing",
        };
        writeln!(out, "    {now}{why}")?;
    }
    if items(document, "rules").next().is_none() {
        writeln!(out, "  none: nothing describes the attack without hitting honest traffic")?;
    }
    if let Some(first) = number("/effect/acts_after_seconds") {
        writeln!(
            out,
            "\nacting from {first:.2} s on, they drop {} of the attack and {} of honest traffic to the target",
            percent("/effect/attack/dropped_once_acting"),
            percent("/effect/honest/dropped_once_acting")
        )?;
    }
    let mode = document.pointer("/policy/values/mode").unwrap_or(&Value::Null);
    writeln!(
        out,
        "\nwhat Spillway does: mode {} ({}), profile {}: {}",
        word(mode, "value"),
        if word(document, "mode_by") == "daemon" {
            "of the running daemon"
        } else {
            "of the file; no daemon answers"
        },
        document.pointer("/policy/values/profile").map(|profile| word(profile, "value")).unwrap_or_default(),
        document.get("policy").map(|policy| word(policy, "acts")).unwrap_or_default()
    )?;
    if let Some(routers) = document.get("routers").filter(|routers| routers.is_object()) {
        writeln!(
            out,
            "  at routers, were all of them up: {} ({}): {}",
            word(routers, "step"),
            word(routers, "mode"),
            word(routers, "reason")
        )?;
        for one in items(routers, "rejected") {
            writeln!(out, "    not {}: {}", word(one, "step"), word(one, "reason"))?;
        }
    }
    if items(document, "why_not_more").next().is_some() {
        writeln!(out, "\nwhy not more")?;
    }
    for why in items(document, "why_not_more") {
        writeln!(out, "  {}", why.as_str().unwrap_or_default())?;
    }
    if let Some(next) = document.get("next").and_then(Value::as_str) {
        writeln!(out, "\nto let Spillway go further: {next}")?;
    }
    Ok(())
}

/// Packets per second, as people write them.
#[derive(Clone, Copy, Debug)]
struct Rate(f64);

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rate: PacketRate = text.parse().map_err(|wrong| format!("{wrong}"))?;
        let PacketRate(rate) = rate;
        if (1.0..=1e9).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err("a rate is 1 pps to 1 Gpps, like 100kpps".to_owned())
        }
    }
}
