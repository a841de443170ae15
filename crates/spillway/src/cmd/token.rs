//! `spillway token`: credentials of programs. Works on the state folder, with the daemon or without it.

use std::io::Write as _;

use access::{Issue, Role, Token};
use base::{Prefix, Span};
use serde_json::{Value, json};

use super::asked::Daemon;
use super::user::{Desk, PAGE, Why, all};
use crate::cli::Context;
use crate::output::{self, Format};

/// Tokens of the API: make one (it is shown once), list, revoke
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  spillway token add alice --label laptop --for 90d
  spillway token add prometheus --role viewer
  curl -H 'Authorization: Bearer spw_…' https://HOST:8646/api/v1/attacks")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Add(Add),
    List(List),
    #[command(visible_alias = "rm")]
    Revoke(Revoke),
}

/// Make a token and show it, this once
#[derive(Debug, clap::Args)]
struct Add {
    /// Whose
    user: String,
    /// A role within the user's: both must allow what is asked
    #[arg(long)]
    role: Option<Role>,
    /// With --role customer: what it sees
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<Prefix>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Until then, like 90d; without it, until it is revoked
    #[arg(long = "for", value_name = "TIME")]
    ttl: Option<Span>,
    #[command(flatten)]
    why: Why,
}

/// Show tokens, without their secret part
#[derive(Debug, clap::Args)]
struct List {
    /// Of this user alone
    user: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

/// End a token
#[derive(Debug, clap::Args)]
struct Revoke {
    /// Its public part
    id: String,
    #[command(flatten)]
    why: Why,
}

/// Does it.
pub fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.command {
        Command::Add(args) => add(args, context),
        Command::List(args) => {
            let desk = Desk::at(&args.daemon)?;
            let id = |token: &Token| token.id.clone();
            show(&all(id, |after| Ok(desk.access.tokens(args.user.as_deref(), after, PAGE)?))?, context)
        }
        Command::Revoke(args) => {
            let desk = Desk::at(&args.why.daemon)?;
            let before = desk.access.token(&args.id, None)?;
            let before = before.map(|token| serde_json::to_string(&token)).transpose()?;
            let token = desk.change("token.revoke", &args.id, &args.why.reason, before, |access| {
                Ok((access.revoke(&args.id, None)?, Value::Null))
            })?;
            show(&[token], context)
        }
    }
}

fn add(args: Add, context: &Context) -> anyhow::Result<()> {
    let desk = Desk::at(&args.why.daemon)?;
    let issue = Issue {
        user: args.user,
        role: args.role,
        prefixes: args.prefixes,
        label: args.label,
        expires_at: args.ttl.map(|ttl| desk.now.plus(ttl)),
    };
    let issued = desk.change("token.add", &issue.user, &args.why.reason, None, |access| {
        let issued = access.issue(&issue, desk.now)?;
        let after =
            json!({"id": issued.token.id, "role": issued.token.role, "prefixes": issued.token.prefixes});
        Ok((issued, after))
    })?;
    let mut out = output::stdout();
    if context.format(Format::Json) == Format::Text {
        writeln!(out, "{}", issued.secret)?;
    } else {
        let mut document = serde_json::to_value(&issued.token)?;
        if let Some(document) = document.as_object_mut() {
            document.insert("token".to_owned(), issued.secret.into());
        }
        output::line(&mut out, &document)?;
    }
    Ok(out.flush()?)
}

fn show(tokens: &[Token], context: &Context) -> anyhow::Result<()> {
    let mut out = output::stdout();
    match context.format(Format::Json) {
        Format::Json => output::document(&mut out, &json!({"items": tokens}))?,
        Format::Jsonl => tokens.iter().try_for_each(|token| output::line(&mut out, token))?,
        Format::Text => {
            for token in tokens {
                let until = token.expires_at.map_or_else(|| "until revoked".to_owned(), |at| at.to_string());
                let role = token.role.map_or("", Role::name);
                writeln!(out, "{} {:<32} {role:<18} {until:<32} {}", token.id, token.user, token.label)?;
            }
        }
    }
    Ok(out.flush()?)
}
