//! What is typed while the story goes on: a line each.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::mpsc::{Receiver, channel};

use super::repertoire::REPERTOIRE;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// An act's number or name.
    Start(String),
    /// Another link to log in.
    Link,
    /// What can be typed.
    Help,
    /// The end.
    Quit,
}

/// Lines of standard input; nothing comes where nobody may type.
pub(super) fn listen() -> Receiver<Typed> {
    let (send, typed) = channel();
    // Who reads a terminal from the background is stopped.
    if std::io::stdin().is_terminal() && !in_foreground() {
        return typed;
    }
    // It ends with the process, or with the input.
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(meant) = meant(&line)
                && send.send(meant).is_err()
            {
                break;
            }
        }
    };
    let _ = std::thread::Builder::new().name("keys".into()).spawn(read);
    typed
}

fn meant(line: &str) -> Option<Typed> {
    Some(match line.trim() {
        "" => return None,
        "?" | "h" | "help" => Typed::Help,
        "l" | "link" => Typed::Link,
        "q" | "quit" => Typed::Quit,
        text => {
            let number = text.parse::<usize>().ok().and_then(|number| REPERTOIRE.get(number.checked_sub(1)?));
            Typed::Start(number.map_or(text, |act| act.name).to_owned())
        }
    })
}

/// Whether the terminal's keys are for us: `proc(5)`, fields 5 and 8 of stat.
fn in_foreground() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // behind the name, which may hold anything
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(2).is_some_and(|group| fields.get(5) == Some(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_go_by_number_and_by_name() {
        let start = |name: &str| Some(Typed::Start(name.to_owned()));
        assert_eq!(meant("2"), start("syn-flood"));
        assert_eq!(meant(" flash-crowd "), start("flash-crowd"));
        assert_eq!((meant("99"), meant("0")), (start("99"), start("0")));
        assert_eq!(
            (meant("q"), meant("?"), meant("l"), meant(" ")),
            (Some(Typed::Quit), Some(Typed::Help), Some(Typed::Link), None)
        );
    }
}
