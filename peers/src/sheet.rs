//! Pages of figures: each part stands between two comments that name the command which writes it.

use std::path::Path;

use crate::Outcome;

/// Replaces the part of this name, which `command` writes.
pub fn replace(file: &Path, name: &str, command: &str, text: &str) -> Outcome {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let old = std::fs::read_to_string(file).map_err(|e| failed(&e))?;
    let new = with_part(&old, name, command, text)
        .ok_or_else(|| failed(&format!("no part {} in it", begin(name, command))))?;
    std::fs::write(file, new).map_err(|e| failed(&e))
}

fn with_part(old: &str, name: &str, command: &str, text: &str) -> Option<String> {
    let begin = begin(name, command);
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end(name))?;
    Some(format!("{before}{begin}\n{}\n{}{after}", text.trim(), end(name)))
}

fn begin(name: &str, command: &str) -> String {
    format!("<!-- begin {name}, written by `{command}` -->")
}

fn end(name: &str) -> String {
    format!("<!-- end {name} -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_the_name_changes() {
        let page = |part: &str| format!("# A\n{}\n{part}\n{}\nrest", begin("x", "make x"), end("x"));
        assert_eq!(with_part(&page("old"), "x", "make x", "new\n").unwrap(), page("new"));
        assert!(with_part("no marks", "x", "make x", "new").is_none());
    }
}
