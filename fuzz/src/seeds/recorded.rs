//! Recorded datagrams, where the test data is.

use std::path::{Path, PathBuf};

/// Where the test data is: `SPILLWAY_TEST_DATA`, or beside the workspace.
pub fn folder() -> PathBuf {
    std::env::var_os("SPILLWAY_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
}

/// Raw datagrams of `flows/logstash`, templates before data, at most `most` octets each. Empty without test data.
pub fn datagrams(name_begins: &str, most: usize) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("flows/logstash"))
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
        .unwrap_or_default();
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(name_begins) && name.ends_with(".dat")
    });
    files.sort_by_key(|file| (!file.to_string_lossy().contains("tpl"), file.clone()));
    files.iter().filter_map(|file| std::fs::read(file).ok()).filter(|bytes| bytes.len() <= most).collect()
}
