//! Results of earlier runs of the same build, so that a run that was stopped goes on where it was.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use peers::Outcome;
use serde::{Deserialize, Serialize};

use crate::plan::Row;

/// One result as a line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Which build gave it.
    build: String,
    key: String,
    row: Row,
}

/// The file and what was in it.
#[derive(Debug)]
pub(crate) struct Archive {
    rows: BTreeMap<(String, String), Row>,
    file: Mutex<File>,
}

impl Archive {
    /// Opens it; lines that cannot be read (the last one of a run that was killed) are left out.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let rows = lines.map(|line| ((line.build, line.key), line.row)).collect();
        let mut file = File::options().create(true).append(true).open(path).map_err(failed)?;
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file).map_err(failed)?;
        }
        Ok(Self { rows, file: Mutex::new(file) })
    }

    /// What this build gave for the key.
    pub(crate) fn get(&self, build: &str, key: &str) -> Option<&Row> {
        self.rows.get(&(build.to_owned(), key.to_owned()))
    }

    /// Keeps a result for the next run.
    pub(crate) fn put(&self, build: &str, key: &str, row: &Row) {
        let line = Line { build: build.to_owned(), key: key.to_owned(), row: row.clone() };
        if let Ok(text) = serde_json::to_string(&line) {
            let mut file = self.file.lock().expect("no holder panics");
            // a full disk costs the resumption, not the run
            let _ = writeln!(file, "{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Cost;

    #[test]
    fn what_was_kept_is_found_by_the_same_build_even_behind_a_torn_line() {
        let path = std::env::temp_dir().join(format!("evaluation-archive-{}.jsonl", std::process::id()));
        let row = Row::Load(Cost { records: 7, cpu: 0.5, resident: 1.0 });
        Archive::open(&path).unwrap().put("one", "load", &row);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"build\":\"one\",\"key\":\"torn");
        std::fs::write(&path, text).unwrap();
        Archive::open(&path).unwrap().put("one", "other", &row);
        let archive = Archive::open(&path).unwrap();
        let kept = |build, key| matches!(archive.get(build, key), Some(Row::Load(cost)) if cost.records == 7);
        assert!(kept("one", "load") && kept("one", "other") && !kept("two", "load") && !kept("one", "torn"));
        let _ = std::fs::remove_file(&path);
    }
}
