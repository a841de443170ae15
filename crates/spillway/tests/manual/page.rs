//! What stands in a page: its fences, the commands in them, and commands that its sentences mention.

/// A fence of a page.
pub(super) struct Fence {
    pub(super) line: usize,
    pub(super) info: String,
    pub(super) text: Vec<String>,
    /// What `runs:` asked for above it.
    pub(super) needs: String,
}

pub(super) fn fences(text: &str) -> Vec<Fence> {
    let mut out: Vec<Fence> = Vec::new();
    let (mut open, mut needs) = (false, String::new());
    for (number, line) in text.lines().enumerate() {
        if let Some(said) = line.strip_prefix("<!-- runs:") {
            needs = said.trim_end_matches("-->").trim().to_owned();
        } else if let Some(info) = line.trim_start().strip_prefix("```") {
            open = !open;
            if open {
                let info = info.trim().to_owned();
                out.push(Fence { line: number + 1, info, text: Vec::new(), needs: needs.clone() });
            }
        } else if open {
            out.last_mut().unwrap().text.push(line.to_owned());
        }
    }
    assert!(!open, "a fence does not end");
    out
}

/// Commands of a console, each with what it says; a line that ends with `\`, and one that begins with `> `, go on.
pub(super) fn commands(fence: &Fence) -> Vec<(usize, String, Vec<String>)> {
    let mut out: Vec<(usize, String, Vec<String>)> = Vec::new();
    let mut more = false;
    for (at, line) in fence.text.iter().enumerate() {
        let number = fence.line + at + 1;
        let (_, command, said) = match line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")) {
            Some(command) if !more && (line.starts_with('$') || fence.info != "console") => {
                out.push((number, command.to_owned(), Vec::new()));
                more = command.ends_with('\\');
                continue;
            }
            _ => out.last_mut().unwrap_or_else(|| panic!("line {number}: a console begins with `$ `")),
        };
        if let Some(line) = line.strip_prefix("> ").filter(|_| said.is_empty()) {
            command.push('\n');
            command.push_str(line);
        } else if more {
            more = line.ends_with('\\');
            command.push('\n');
            command.push_str(line);
        } else {
            said.push(line.clone());
        }
    }
    out
}

/// Whether the pieces of a line stand in this order somewhere in a line.
pub(super) fn says(lines: &str, wanted: &str) -> bool {
    lines.lines().any(|line| {
        let mut rest = line;
        wanted.split('…').map(str::trim).filter(|piece| !piece.is_empty()).all(|piece| {
            match rest.find(piece) {
                Some(at) => {
                    rest = &rest[at + piece.len()..];
                    true
                }
                None => false,
            }
        })
    })
}

/// The words of each call of spillway in a command line, as a shell would give them.
pub(super) fn calls(command: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::<String>::new(), String::new());
    let (mut quote, mut any) = (None, false);
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, '\\') => drop(chars.next()),
            (None, '#') if word.is_empty() => while chars.next_if(|c| *c != '\n').is_some() {},
            (None, '|' | ';' | '&' | '(' | ')' | '\n') => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                all.push(std::mem::take(&mut words));
                any = false;
            }
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (None, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    all.push(words);
    all.into_iter()
        .filter_map(|words| {
            let at = words.iter().position(|word| word == "spillway")?;
            let rest = &words[at..];
            let end = rest
                .iter()
                .position(|word| word.starts_with(['>', '<']) || word == "2>")
                .unwrap_or(rest.len());
            Some(rest[..end].to_vec())
        })
        .collect()
}

/// Whether our own parser takes it.
pub(super) fn parses(command: &str) -> Result<(), String> {
    for words in calls(command) {
        spillway::cli::definition().try_get_matches_from(&words).map(drop).or_else(|wrong| {
            let fine = matches!(
                wrong.kind(),
                clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
            );
            if fine { Ok(()) } else { Err(format!("{words:?}: {wrong}")) }
        })?;
    }
    Ok(())
}

/// Lines outside of fences.
pub(super) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut open = false;
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            open = !open;
        } else if !open {
            out.push((number + 1, line));
        }
    }
    out
}

/// The subcommands and the options of a mention exist; it need not be complete.
pub(super) fn is_a_command(code: &str) -> Result<(), String> {
    let mut root = spillway::cli::definition();
    root.build();
    let mut at = &root;
    for word in code.split_whitespace().skip(1) {
        if let Some(long) = word.strip_prefix("--") {
            let known =
                at.get_arguments().any(|argument| argument.get_long() == Some(long)) || long == "help";
            if !known {
                return Err(format!("`{}` has no --{long}", at.get_name()));
            }
        } else if let Some(below) = at.find_subcommand(word) {
            at = below;
        } else if at.has_subcommands()
            && at.get_positionals().count() == 0
            && word.chars().all(|c| c.is_ascii_lowercase())
        {
            // several at once: `spillway target list|show`
            if !word.split('|').all(|one| at.find_subcommand(one).is_some()) {
                return Err(format!("`{}` has no `{word}`", at.get_name()));
            }
        }
    }
    Ok(())
}
