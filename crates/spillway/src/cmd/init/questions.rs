//! The few questions that nothing on the machine answers.

use std::io::{BufRead, Write};

use anyhow::{Context as _, bail};
use base::Prefix;

use super::around::Around;

/// Answers that are no answers, until it gives up.
const TRIES: usize = 3;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Place {
    /// Packets that arrive on this machine
    Server,
    /// Flow export that routers send here
    Routers,
}

/// How far it may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Watch and tell
    Observe,
    /// Also derive filters, for a person to apply
    Suggest,
    /// Also put them in force
    Enforce,
}

impl From<Mode> for engine::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Observe => Self::Observe,
            Mode::Suggest => Self::Suggest,
            Mode::Enforce => Self::Enforce,
        }
    }
}

/// Asks, or takes the default where nobody is there to answer.
pub(super) struct Ask<I, O> {
    pub(super) input: I,
    pub(super) output: O,
    pub(super) asks: bool,
}

impl<I: BufRead, O: Write> Ask<I, O> {
    pub(super) fn place(&mut self, around: &Around) -> anyhow::Result<Place> {
        let out = around
            .interfaces
            .first()
            .map_or_else(|| "no default route".to_owned(), |name| format!("by {name}"));
        let question = format!(
            "What shall be looked at: packets of this [s]erver ({out}), or flow export of [r]outers?"
        );
        self.ask(&question, "r", |answer| match answer {
            "s" | "server" => Ok(Place::Server),
            "r" | "routers" => Ok(Place::Routers),
            _ => Err("answer s or r".to_owned()),
        })
    }

    pub(super) fn networks(&mut self, found: &[Prefix]) -> anyhow::Result<Vec<Prefix>> {
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        let read = |answer: &str| {
            let all: Result<Vec<Prefix>, _> =
                answer.split([',', ' ']).filter(|word| !word.is_empty()).map(str::parse).collect();
            all.map(base::prefix::aggregate).map_err(|wrong| wrong.to_string())
        };
        self.ask("Which networks are yours? Nothing else is ever called a victim.", &shown.join(", "), read)
    }

    pub(super) fn mode(&mut self) -> anyhow::Result<Mode> {
        self.ask("How far may it go: [o]bserve, [s]uggest filters, [e]nforce them?", "o", |answer| {
            match answer {
                "o" | "observe" => Ok(Mode::Observe),
                "s" | "suggest" => Ok(Mode::Suggest),
                "e" | "enforce" => Ok(Mode::Enforce),
                _ => Err("answer o, s or e".to_owned()),
            }
        })
    }

    pub(super) fn webhook(&mut self) -> anyhow::Result<Option<String>> {
        self.ask(
            "Which webhook shall hear of attacks? (http:// or https://, nothing for none)",
            "",
            |answer| match answer {
                "" => Ok(None),
                url if (url.starts_with("https://") || url.starts_with("http://"))
                    && !url.contains(['"', '\\', '$']) =>
                {
                    Ok(Some(url.to_owned()))
                }
                _ => Err("write an address that begins with https://, or nothing".to_owned()),
            },
        )
    }

    fn ask<T>(
        &mut self,
        question: &str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        if !self.asks {
            return read(default).map_err(anyhow::Error::msg);
        }
        for _ in 0..TRIES {
            let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
            write!(self.output, "{question}{shown} ")?;
            self.output.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line).context("no answer")? == 0 {
                bail!("no answer; nothing is written. `spillway init --yes` asks nothing");
            }
            let answer = line.trim();
            match read(if answer.is_empty() { default } else { answer }) {
                Ok(read) => return Ok(read),
                Err(why) => writeln!(self.output, "{why}")?,
            }
        }
        bail!("no answer that can be used; nothing is written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_mistakes_are_asked_again_and_nobody_is_waited_for() {
        let found = ["192.0.2.0/24".parse().unwrap()];
        let said = "x\ns\n203.0.113.0/24, 2001:db8::/32\n\nnowhere\nhttps://h.example/x\n";
        let mut ask = Ask { input: said.as_bytes(), output: Vec::new(), asks: true };
        assert_eq!(ask.place(&Around::default()).unwrap(), Place::Server);
        let networks: Vec<String> = ask.networks(&found).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["203.0.113.0/24", "2001:db8::/32"]);
        assert_eq!(ask.mode().unwrap(), Mode::Observe);
        assert_eq!(ask.webhook().unwrap().as_deref(), Some("https://h.example/x"));
        assert!(ask.mode().unwrap_err().to_string().contains("--yes"));
        assert!(String::from_utf8(ask.output).unwrap().contains("answer s or r"));
        let mut silent = Ask { input: &b""[..], output: Vec::new(), asks: false };
        assert_eq!(silent.place(&Around::default()).unwrap(), Place::Routers);
        assert_eq!(silent.networks(&found).unwrap(), found);
        assert_eq!((silent.webhook().unwrap(), silent.output.len()), (None, 0));
    }
}
