//! `spillway roles`: the matrix.

use std::io::Write as _;

use access::{Role, matrix};
use serde_json::json;

use crate::cli::Context;
use crate::output::{self, Format};

/// Show what each role may do: one table, which the API checks every request against
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints it.
pub fn run(_: Args, context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let lines = matrix().map(|(permission, _)| {
        let may: Vec<&str> =
            Role::ALL.into_iter().filter(|role| role.may(permission)).map(Role::name).collect();
        json!({"permission": permission.name(), "roles": may})
    });
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"items": lines.collect::<Vec<_>>()}))?,
        Format::Jsonl => lines.into_iter().try_for_each(|line| output::line(&mut out, &line))?,
        Format::Text => {
            write!(out, "{:<20}", "")?;
            Role::ALL.iter().try_for_each(|role| write!(out, "{:>18}", role.name()))?;
            writeln!(out)?;
            for (permission, allowed) in matrix() {
                write!(out, "{:<20}", permission.name())?;
                allowed.iter().try_for_each(|yes| write!(out, "{:>18}", if *yes { "yes" } else { "-" }))?;
                writeln!(out)?;
            }
        }
    }
    Ok(out.flush()?)
}
