//! BENCH.md: each bench has its part between two comments.

use std::path::Path;

use crate::run::Outcome;

/// Replaces the part of this name.
pub(crate) fn replace(file: &Path, name: &str, text: &str) -> Outcome {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let old = std::fs::read_to_string(file).map_err(|e| failed(&e))?;
    let new = with_part(&old, name, text).ok_or_else(|| failed(&format!("no part {} in it", begin(name))))?;
    std::fs::write(file, new).map_err(|e| failed(&e))
}

fn with_part(old: &str, name: &str, text: &str) -> Option<String> {
    let (before, rest) = old.split_once(&begin(name))?;
    let (_, after) = rest.split_once(&end(name))?;
    Some(format!("{before}{}\n{}\n{}{after}", begin(name), text.trim(), end(name)))
}

fn begin(name: &str) -> String {
    format!("<!-- begin {name}, written by `cargo xtask bench {name} --write` -->")
}

fn end(name: &str) -> String {
    format!("<!-- end {name} -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_the_name_changes() {
        let page = |part: &str| format!("# A\n{}\n{part}\n{}\nrest", begin("x"), end("x"));
        assert_eq!(with_part(&page("old"), "x", "new\n").unwrap(), page("new"));
        assert!(with_part("no marks", "x", "new").is_none());
    }
}
