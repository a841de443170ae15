//! Lists `web/dist` for `src/web.rs`: what is there becomes part of the binary, and nothing has to be there.
//!
//! The folder itself is always there (it holds a file that keeps the rest out of git), so that Cargo can watch it.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let dist = variable("CARGO_MANIFEST_DIR").join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
    }
    let out = variable("OUT_DIR");
    let mut found = Vec::new();
    for folder in [dist.clone(), dist.join("assets")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            found.push(entry?.path());
        }
    }
    found.sort();
    let mut list = String::from("static FILES: &[File] = &[\n");
    for path in &found {
        let kind = match path.extension().and_then(|name| name.to_str()) {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            _ => continue,
        };
        let mut hash = DefaultHasher::new();
        hash.write(&fs::read(path)?);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let tag = format!("\"{:016x}\"", hash.finish());
        let plain = taken(path, &out)?;
        let coded = |with: &str| match beside(path, with) {
            Some(path) => Ok::<_, io::Error>(format!("Some(include_bytes!({:?}))", taken(&path, &out)?)),
            None => Ok("None".to_owned()),
        };
        let (gzip, brotli) = (coded("gz")?, coded("br")?);
        let line = format!(
            "File {{ name: {name:?}, kind: {kind:?}, tag: {tag:?}, plain: include_bytes!({plain:?}), gzip: {gzip}, brotli: {brotli} }},"
        );
        writeln!(list, "{line}").map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    fs::write(out.join("web.rs"), list)
}

/// A copy, so that the compiler finds it however soon the folder is built anew.
fn taken(path: &Path, out: &Path) -> io::Result<PathBuf> {
    let copy = out.join(path.file_name().unwrap_or_default());
    fs::copy(path, &copy)?;
    Ok(copy)
}

/// The same file in another coding, where it is there.
fn beside(path: &Path, with: &str) -> Option<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(with);
    let path = PathBuf::from(name);
    path.is_file().then_some(path)
}
