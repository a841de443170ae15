//! The older text format (version 0.0.4), for those who do not ask for OpenMetrics.

use std::fmt::Write as _;

/// OpenMetrics text in the older form: there a counter's family is called as its samples are, with `_total`, and nothing marks the
/// end.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // Its kind, which decides on its name, stands in the next line.
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let end = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take() {
                let _ = writeln!(out, "# HELP {name}{end} {words}");
            }
            let _ = writeln!(out, "# TYPE {name}{end} {kind}");
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_as_their_samples_are() {
        let text = "# HELP a Things.\n# TYPE a counter\na_total{b=\"c\"} 1\n# HELP d Level.\n# TYPE d gauge\nd 2.0\n# EOF\n";
        let older = "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n# HELP d Level.\n# TYPE d gauge\nd 2.0\n";
        assert_eq!(plain(text), older);
    }
}
