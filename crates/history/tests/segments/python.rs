//! DuckDB and pandas open segments as they are.

use std::path::Path;
use std::process::Command;

use base::Span;
use history::{Sample, merge};

use super::facts::{Folder, START, record, sample};

#[test]
fn duckdb_and_pandas_open_segments_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        let what = "skipped: needs .venv; `scripts/setup python` makes it";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
        eprintln!("{what}");
        return;
    }
    let folder = Folder::new();
    let samples: Vec<Sample<'_>> = (0..40_000).map(|number| sample(17, number, 7_200)).collect();
    drop(record(&folder, &samples, 3));
    // One hour merged, and some as they were spilled.
    merge(&folder.0, START.plus(Span::from_secs(100_000)), u64::MAX, &mut || false).unwrap();
    assert_eq!(folder.segments().len(), 4);
    let bytes: u64 = samples.iter().map(|sample| sample.bytes).sum();
    let target = samples[0].target.to_string();
    let of_target = samples.iter().filter(|sample| sample.target == samples[0].target).count();
    let without_asn = samples.iter().filter(|sample| sample.asn.is_none()).count();
    let first = samples.iter().map(|sample| sample.at.nanos()).min().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/segments/open.py");
    let expected = [samples.len().to_string(), bytes.to_string(), target, of_target.to_string()];
    let out = Command::new(python)
        .args(["-W", "ignore"])
        .arg(script)
        .arg(&folder.0)
        .args(expected)
        .args([without_asn.to_string(), first.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("duckdb") && said.contains("pandas"), "{said}");
}
