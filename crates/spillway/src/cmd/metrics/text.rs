//! The text that Prometheus reads (exposition format, version 0.0.4), as far as our own daemon writes it.

/// Numbers of one name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: String,
    /// `counter`, `gauge`, `histogram`, `info`, or `untyped`.
    pub(super) kind: String,
    /// What it means.
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

/// One number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// The family's, or with `_bucket`, `_sum` or `_count`.
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    /// As it was written.
    pub(super) value: String,
}

impl Sample {
    /// `a="b", c="d"`.
    pub(super) fn labels_text(&self) -> String {
        self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// All families, in their order. A line that is none is left out.
pub(super) fn families(text: &str) -> Vec<Family> {
    let mut out: Vec<Family> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            of(&mut out, name).help = help.to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            of(&mut out, name).kind = kind.to_owned();
        } else if !line.starts_with('#')
            && let Some(sample) = sample(line)
        {
            let ends = ["_bucket", "_sum", "_count", "_info"];
            let last = out.last().map(|family| family.name.clone()).unwrap_or_default();
            let part =
                sample.name.strip_prefix(&last).is_some_and(|end| end.is_empty() || ends.contains(&end));
            let name = if part && !last.is_empty() { last } else { sample.name.clone() };
            of(&mut out, &name).samples.push(sample);
        }
    }
    out
}

/// The family of this name: the last one, or a new one.
fn of<'a>(all: &'a mut Vec<Family>, name: &str) -> &'a mut Family {
    if all.last().is_none_or(|last| last.name != name) {
        all.push(Family { name: name.to_owned(), kind: "untyped".to_owned(), ..Family::default() });
    }
    all.last_mut().expect("it was put there")
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at_checked(end)?;
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while let Some((label, value)) = rest.split_once("=\"").filter(|_| !rest.starts_with('}')) {
            let (value, after) = quoted(value)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.split_whitespace().next()?.to_owned();
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What stands before the closing quote, without its backslashes, and what comes after.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, next)) = chars.next() {
        match next {
            '"' => return Some((out, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_their_samples_with_labels_as_they_were_meant() {
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"c \\\"d\\\" {e}\",f=\"\"} 1\na_total 2\n\
                    # HELP h Time.\n# TYPE h histogram\nh_sum 0.5\nh_count 2\nh_bucket{le=\"+Inf\"} 2\n\
                    # TYPE g gauge\ng NaN\nbroken{x=\"\n{}\n";
        let all = families(text);
        let names: Vec<_> =
            all.iter().map(|one| (one.name.as_str(), one.kind.as_str(), one.samples.len())).collect();
        assert_eq!(names, [("a_total", "counter", 2), ("h", "histogram", 3), ("g", "gauge", 1)]);
        assert_eq!(all[0].help, "Things.");
        let labels = [("b".to_owned(), "c \"d\" {e}".to_owned()), ("f".to_owned(), String::new())];
        assert_eq!(
            (all[0].samples[0].labels.as_slice(), all[0].samples[0].value.as_str()),
            (&labels[..], "1")
        );
        assert_eq!(all[1].samples[2].labels_text(), "le=+Inf");
        assert_eq!(all[2].samples[0].value, "NaN");
    }
}
