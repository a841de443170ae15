//! Markdown as lines: what is a heading, what is code, what is text.

/// One line of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Of this depth, from 1.
    Heading(usize, String),
    /// Inside a fence.
    Code(String),
    /// Anything else, without marks that only a browser needs.
    Text(String),
}

/// The lines of a page; comments are left out.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut out = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if code {
            out.push(Line::Code(line.to_owned()));
        } else if line.starts_with("<!--") {
            // for whoever runs the commands
        } else if let Some(heading) = line.strip_prefix('#') {
            let deeper = heading.chars().take_while(|c| *c == '#').count();
            out.push(Line::Heading(deeper + 1, plain(heading.trim_start_matches('#').trim())));
        } else {
            out.push(Line::Text(plain(line)));
        }
    }
    out
}

/// Without emphasis; of links what they are called, and where they lead if that is elsewhere.
pub(crate) fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        match link.split_once("](").and_then(|(name, after)| Some((name, after.split_once(')')?))) {
            Some((name, (target, after))) if !name.contains(']') => {
                out.push_str(name);
                if target.contains("://") {
                    out.push_str(&format!(" ({target})"));
                }
                rest = after;
            }
            _ => {
                out.push('[');
                rest = link;
            }
        }
    }
    out.push_str(rest);
    out.replace("**", "").replace("\\|", "|").replace("&lt;", "<")
}

/// Anchors, each once in a page, as mdBook names them.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// The anchor of a heading.
    pub(crate) fn of(&mut self, heading: &str) -> String {
        let mut name = String::new();
        for c in heading.trim().chars() {
            if c.is_alphanumeric() || matches!(c, '_' | '-') {
                name.extend(c.to_lowercase());
            } else if c.is_whitespace() {
                name.push('-');
            }
        }
        let times = self.0.iter().filter(|other| **other == name).count();
        self.0.push(name.clone());
        if times == 0 { name } else { format!("{name}-{times}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_and_links_lose_their_targets() {
        let text = "# A `b`\n<!-- runs: daemon -->\nsee [c](d.md#e) and [f](https://g.example/) **now** [1, 2]\n```console\n# $ x\n```\n";
        assert_eq!(
            lines(text),
            [
                Line::Heading(1, "A `b`".to_owned()),
                Line::Text("see c and f (https://g.example/) now [1, 2]".to_owned()),
                Line::Code("# $ x".to_owned()),
            ]
        );
        let mut names = Names::default();
        assert_eq!(names.of("No flows arrive"), "no-flows-arrive");
        assert_eq!(names.of("No flows arrive"), "no-flows-arrive-1");
        assert_eq!(names.of("`[listen]`"), "listen");
    }
}
