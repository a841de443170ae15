//! `spillway target group`: prefixes that belong together, and what holds for all of them.

use std::io::Write;

use engine::settings::{Limit, Limits};
use serde_json::{Map, Value, json};

use crate::cli::Context;
use crate::cmd::asked::Daemon;
use crate::cmd::check::complain;
use crate::cmd::policy::{self, items, word};
use crate::config::Config;

/// Prefixes that belong together: customers, and groups of hosts with limits of their own
///
/// As the configuration has them ([customers.NAME], [groups.NAME]). What follows for one address says `spillway target show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this one [default: all]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// Shows them.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let config = match Config::load(&args.daemon.config) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    let mut all = customers(&config);
    all.extend(config.groups.iter().map(|group| {
        json!({
            "name": group.name, "kind": "group", "networks": group.networks, "profile": null, "mode": null, "value": null,
            "limits": limits(&group.incoming, &group.outgoing),
        })
    }));
    if let Some(name) = &args.name {
        all.retain(|one| one.get("name").and_then(Value::as_str) == Some(name));
        if all.is_empty() {
            anyhow::bail!("there is no customer or group {name}; `spillway target group` lists them");
        }
    }
    policy::show(json!({"items": all}), context, text)
}

fn customers(config: &Config) -> Vec<Value> {
    let ladder = config.routing.as_ref().and_then(|routing| routing.ladder.as_ref());
    let each = |terms: &crate::config::target::CustomerTerms| {
        let valued = ladder.and_then(|ladder| ladder.customers.iter().find(|one| one.name == terms.name));
        json!({
            "name": terms.name, "kind": "customer", "networks": terms.networks, "profile": terms.profile,
            "mode": terms.wishes.mode, "value": valued.map_or(1.0, |one| one.value), "limits": null,
        })
    };
    config.customer_terms.iter().map(each).collect()
}

/// What is limited, by direction and kind; rates a second.
fn limits(incoming: &Limits, outgoing: &Limits) -> Value {
    let mut out = Map::new();
    for (direction, all) in [("incoming", incoming), ("outgoing", outgoing)] {
        let whole = Limit { pps: all.pps, bps: all.bps };
        let kinds = [
            ("", &whole),
            ("tcp_", &all.tcp),
            ("udp_", &all.udp),
            ("icmp_", &all.icmp),
            ("syn_", &all.syn),
            ("fragment_", &all.fragment),
        ];
        for (kind, limit) in kinds {
            for (unit, rate) in [("pps", limit.pps), ("bps", limit.bps)] {
                if let Some(rate) = rate {
                    out.insert(format!("{direction}_{kind}{unit}"), json!(rate));
                }
            }
        }
    }
    Value::Object(out)
}

fn text(document: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{:<16} {:<9} {:<12} {:<8} {:<6} networks", "name", "kind", "profile", "mode", "value")?;
    for one in items(document, "items") {
        let word = |key| word(one, key);
        writeln!(
            out,
            "{:<16} {:<9} {:<12} {:<8} {:<6} {}",
            word("name"),
            word("kind"),
            word("profile"),
            word("mode"),
            word("value"),
            word("networks")
        )?;
        for (limit, rate) in one.get("limits").and_then(Value::as_object).into_iter().flatten() {
            writeln!(out, "  at most {limit} {rate}")?;
        }
    }
    Ok(())
}
