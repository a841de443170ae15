//! `${file:PATH}` and `${env:NAME}` inside a text: what must not stand in the configuration itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Octets of a file that is referred to.
const FILE_MAX: u64 = 64 << 10;
/// The bit of a mode that lets everybody read.
const BY_ALL: u32 = 0o004;

/// The text with what its references stand for; or what is wrong with one of them, and the remedy.
pub(super) fn resolved(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, after)) = reference.split_once('}') else {
            return Err("a reference begins with ${ and does not end; add the }".to_owned());
        };
        out.push_str(&one(inside)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether a text has references.
pub(super) fn refers(text: &str) -> bool {
    text.contains("${")
}

/// Whether everybody on the machine may read this file.
pub(super) fn open_to_all(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & BY_ALL != 0)
}

fn one(inside: &str) -> Result<String, String> {
    match inside.split_once(':') {
        Some(("file", path)) => file(Path::new(path)),
        Some(("env", name)) => std::env::var(name).map_err(|cause| {
            format!("${{env:{name}}}: {cause}; set the variable where the daemon is started")
        }),
        _ => Err(format!("${{{inside}}} is not known; write ${{file:/path}} or ${{env:NAME}}")),
    }
}

fn file(path: &Path) -> Result<String, String> {
    let name = path.display();
    if !path.is_absolute() {
        return Err(format!("{name} is not an absolute path; write it from /"));
    }
    let unusable = |cause: std::io::Error| format!("{name} cannot be read: {cause}");
    let meta = std::fs::metadata(path).map_err(unusable)?;
    if meta.permissions().mode() & BY_ALL != 0 {
        let mode = meta.permissions().mode() & 0o777;
        return Err(format!(
            "{name} is readable by everybody (mode {mode:04o}), so it holds no secret; `chmod 640 {name}`"
        ));
    }
    if !meta.is_file() || meta.len() > FILE_MAX {
        return Err(format!("{name} is no file of at most 64 KiB"));
    }
    let text = std::fs::read_to_string(path).map_err(unusable)?;
    // The end of its line is no part of it.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_open_files_refused() {
        let path = std::env::temp_dir().join(format!("spillway-reference-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").unwrap();
        let text = format!("a-${{file:{}}}-b", path.display());
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(resolved(&text).unwrap_err().contains("readable by everybody (mode 0644)"));
        mode(0o640);
        assert_eq!(resolved(&text).unwrap(), "a-s3cret-b");
        std::fs::remove_file(&path).unwrap();
        assert!(resolved(&text).unwrap_err().contains("cannot be read"));
        assert!(!resolved("${env:PATH}").unwrap().is_empty());
        assert_eq!(resolved("plain $5 {x}").unwrap(), "plain $5 {x}");
        for (wrong, says) in [
            ("${env:SPILLWAY_NO_SUCH}", "set the variable"),
            ("${vault:x}", "write ${file:/path} or ${env:NAME}"),
            ("${file:rel}", "write it from /"),
            ("${env:PATH", "add the }"),
        ] {
            assert!(resolved(wrong).unwrap_err().contains(says), "{wrong}");
        }
    }
}
