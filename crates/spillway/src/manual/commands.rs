//! The command line, from the definition that parses it.

use clap::{Arg, Command};

use super::one_line;

const HEAD: &str = "# Command line\n\n\
    Every command of this version. `spillway COMMAND --help` and `spillway man COMMAND` say the same.\n\n\
    Everywhere: `-o json` prints one document, `-o jsonl` one object a line, `-o text` (default on a terminal) is for people; \
    `-o table` and `-o csv` make rows where a command prints objects. Errors go to standard error, one line, with the place and the remedy.\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong use, 3 (of `config diff`) different. `spillway doctor` ends with 1 when it found an error, \
    with `--strict` also on warnings.\n";

/// The page.
pub(super) fn page() -> String {
    let mut root = crate::cli::definition();
    root.build();
    let mut out = HEAD.to_owned();
    root.get_subcommands().for_each(|command| of(command, "spillway", 2, &mut out));
    out
}

fn of(command: &Command, above: &str, depth: usize, out: &mut String) {
    if command.is_hide_set() {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    out.push_str(&format!("\n{} `{name}`\n\n", "#".repeat(depth)));
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        for paragraph in about.to_string().split("\n\n") {
            out.push_str(&format!("{}\n\n", one_line(paragraph)));
        }
    }
    let arguments: Vec<&Arg> = command.get_arguments().filter(|argument| is_its_own(argument)).collect();
    for argument in &arguments {
        out.push_str(&format!("* `{}`: {}", called(argument), one_line(&help(argument))));
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| argument.get_action().takes_values())
            .map(|word| match word.get_help() {
                Some(help) => format!("`{}` ({})", word.get_name(), one_line(&help.to_string())),
                None => format!("`{}`", word.get_name()),
            })
            .collect();
        if !words.is_empty() {
            out.push_str(&format!("; {}", words.join(", ")));
        }
        let defaults: Vec<_> =
            argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        if !defaults.is_empty() && argument.get_action().takes_values() {
            out.push_str(&format!("; default `{}`", defaults.join(" ")));
        }
        out.push('\n');
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        out.push_str(&format!("\n```text\n{after}\n```\n"));
    }
    command.get_subcommands().for_each(|below| of(below, &name, (depth + 1).min(4), out));
}

fn is_its_own(argument: &Arg) -> bool {
    !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version" | "output")
}

fn called(argument: &Arg) -> String {
    let names = argument.get_value_names().into_iter().flatten();
    let value = names.map(|name| format!(" <{name}>")).collect::<String>();
    let value = if argument.get_action().takes_values() { value } else { String::new() };
    match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}{value}"),
        (None, Some(long)) => format!("--{long}{value}"),
        (Some(short), None) => format!("-{short}{value}"),
        (None, None) => value.trim().to_owned(),
    }
}

fn help(argument: &Arg) -> String {
    argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default()
}
