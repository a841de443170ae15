//! The command line: what is asked, and how it ends.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::cmd::Command;
use crate::error;
use crate::interrupt::Interrupt;
use crate::output::rows::Shape;
use crate::output::{self, Format};

/// Sees denial-of-service attacks, derives filters and proves what they do.
#[derive(Debug, Parser)]
#[command(name = "spillway", version, propagate_version = false, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = EXAMPLES)]
pub struct Cli {
    /// How to print: `json` one document, `jsonl` one object a line, `text` for people, `table` and `csv` rows with columns
    /// [default: text on a terminal]
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum)]
    pub output: Option<Asked>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `-o` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Asked {
    /// One document.
    Json,
    /// One object a line.
    Jsonl,
    /// For people.
    Text,
    /// Rows with columns, aligned.
    Table,
    /// Rows with columns, as comma-separated values.
    Csv,
}

impl Asked {
    /// What the command prints, and how its objects are laid out.
    const fn format(self) -> (Format, Option<Shape>) {
        match self {
            Self::Json => (Format::Json, None),
            Self::Jsonl => (Format::Jsonl, None),
            Self::Text => (Format::Text, None),
            Self::Table => (Format::Jsonl, Some(Shape::Table)),
            Self::Csv => (Format::Jsonl, Some(Shape::Csv)),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  spillway replay capture.pcap                   find the attacks in a capture, derive filters
  spillway replay capture.pcap --apply whole     and count what the filters would have dropped
  spillway decode export.pcap -o jsonl           flow records of sFlow, NetFlow and IPFIX
  spillway run -c spillway.toml                  watch live flow export
  spillway simulate syn-flood --target ADDRESS   what would be done about an attack on you
  spillway mode                                  how far it goes; and how to go further
  spillway doctor                                what is wrong, and how to mend it
  spillway top                                   the running daemon, live

Exit codes: 0 done, 1 failed, 2 wrong use.";

/// What every command gets besides its arguments.
#[derive(Debug)]
pub struct Context {
    /// `-o`, where given.
    pub output: Option<Format>,
    /// `-o csv`, for a command whose values are not its objects.
    pub csv: bool,
    /// Set by Ctrl-C and SIGTERM.
    pub interrupt: Interrupt,
}

impl Context {
    /// The asked format; without one, `text` on a terminal and `piped` elsewhere.
    pub fn format(&self, piped: Format) -> Format {
        self.output.unwrap_or_else(|| if output::is_terminal() { Format::Text } else { piped })
    }
}

/// Parses the process's arguments, runs the command, reports its error in one line.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// As [`main`], on these arguments.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(wrong) => return wrong_use(&wrong),
    };
    let csv = cli.output == Some(Asked::Csv);
    let asked = if matches!((&cli.command, cli.output), (Command::Flows(_), Some(Asked::Table))) {
        // A query's text is a table already, with the columns that were asked for.
        Some((Format::Text, None))
    } else if cli.command.has_rows() {
        cli.output.map(Asked::format)
    } else if csv {
        error::complain(
            "this command prints no rows, so there are no comma-separated values; leave -o csv out",
        );
        return ExitCode::from(error::WRONG_USE);
    } else {
        cli.output.map(|asked| match asked.format() {
            (_, Some(_)) => (Format::Text, None),
            plain => plain,
        })
    };
    if let Some(shape) = asked.and_then(|(_, shape)| shape) {
        output::lay_out(shape);
    }
    let context = Context { output: asked.map(|(format, _)| format), csv, interrupt: Interrupt::default() };
    error::report(cli.command.run(&context))
}

/// The clap definition, for completions and man pages.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Help goes out whole; a mistake is one line with its remedy.
fn wrong_use(wrong: &clap::Error) -> ExitCode {
    match wrong.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A closed pipe is the reader's wish.
            let _ = wrong.print();
            ExitCode::from(if wrong.use_stderr() { error::WRONG_USE } else { 0 })
        }
        _ => {
            let text = wrong.render().to_string();
            let usage = text.find("\nUsage:").or_else(|| text.find("\nFor more information"));
            let what = text.get(..usage.unwrap_or(text.len())).unwrap_or(&text);
            let line =
                what.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
            let line = line.trim_start_matches("error: ").replace(" tip: ", "; ");
            error::complain(&format!("{line}; see `spillway --help`"));
            ExitCode::from(error::WRONG_USE)
        }
    }
}
