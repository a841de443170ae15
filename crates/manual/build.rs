//! Lists the chapters of `manual/src/SUMMARY.md`: those that are written down become part of the binary, the others are made by it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let book = variable("CARGO_MANIFEST_DIR").join("../../manual");
    let src = book.join("src");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/made.rs");
    // with all that is in it, and what will be
    println!("cargo::rerun-if-changed={}", book.display());
    let summary = fs::read_to_string(src.join("SUMMARY.md"))?;
    let mut list = String::from("static WRITTEN: &[(&str, &str)] = &[\n");
    for path in summary.lines().filter_map(chapter) {
        let file = src.join(path);
        // made pages may lie there, too, where somebody wrote the book into its own folder
        if !MADE.contains(&path) && file.is_file() {
            writeln!(list, "({path:?}, include_str!({:?})),", file.canonicalize()?)
                .map_err(io::Error::other)?;
        }
    }
    list.push_str("];\n");
    for (name, file) in [("SUMMARY", src.join("SUMMARY.md")), ("BOOK", book.join("book.toml"))] {
        let line = format!("static {name}: &str = include_str!({:?});", file.canonicalize()?);
        writeln!(list, "{line}").map_err(io::Error::other)?;
    }
    fs::write(variable("OUT_DIR").join("written.rs"), list)
}

include!("src/made.rs");

/// The file of a line of the table of contents.
fn chapter(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("](")?;
    rest.split_once(')').map(|(path, _)| path).filter(|path| path.ends_with(".md"))
}
