//! The same datagrams for everybody: sim's load generator.

use serde_json::Value;

use crate::run::{Outcome, command, output, root};

/// Formats with the pace of 5,000 datagrams a second: what FastNetMon keeps up with on a machine under load.
pub(crate) const FORMATS: &[(&str, u32)] =
    &[("sflow", 39_000), ("v5", 145_000), ("v9", 120_000), ("ipfix", 93_000)];

/// One load.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Load {
    pub(crate) format: &'static str,
    /// Records a second, and of them so many.
    pub(crate) rate: u32,
    pub(crate) records: u64,
    pub(crate) hosts: u32,
    /// Part of the hosts that speak IPv6.
    pub(crate) share_v6: f64,
}

impl Load {
    /// 65,536 hosts, one in ten with IPv6.
    pub(crate) const fn new(format: &'static str, rate: u32, records: u64) -> Self {
        Self { format, rate, records, hosts: 65_536, share_v6: 0.1 }
    }
}

/// Heavier ones: every host is touched, four times the pace, and a million hosts, for whom only IPv6 has room.
pub(crate) const HEAVY: [Load; 4] = [
    Load::new("v9", 120_000, 2_000_000),
    Load::new("sflow", 156_000, 2_000_000),
    Load::new("v9", 480_000, 4_000_000),
    Load { hosts: 1_000_000, share_v6: 1.0, ..Load::new("v9", 480_000, 8_000_000) },
];

/// What was sent.
pub(crate) struct Sent {
    pub(crate) records: u64,
    pub(crate) datagrams: u64,
    /// Target and vectors of each attack in it.
    pub(crate) attacks: Vec<(String, Vec<String>)>,
}

/// Sends it to this port.
pub(crate) fn send(load: &Load, port: u16) -> Outcome<Sent> {
    let (to, records, rate) = (format!("127.0.0.1:{port}"), load.records.to_string(), load.rate.to_string());
    let (hosts, share_v6) = (load.hosts.to_string(), load.share_v6.to_string());
    let program = root().join("target/release/examples/export");
    let args = [
        "--to",
        &to,
        "--format",
        load.format,
        "--records",
        &records,
        "--rate",
        &rate,
        "--sampling",
        "1000",
        "--exporters",
        "4",
        "--seed",
        "1",
        "--hosts",
        &hosts,
        "--share-v6",
        &share_v6,
    ];
    let text = output(&mut command(&program.to_string_lossy(), &args))?;
    let report: Value = serde_json::from_str(text.trim()).map_err(|e| format!("the load's report: {e}"))?;
    let number =
        |key: &str| report.get(key).and_then(Value::as_u64).ok_or_else(|| format!("no {key} in {report}"));
    let attacks = report.get("attacks").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(Sent {
        records: number("records")?,
        datagrams: number("datagrams")?,
        attacks: attacks
            .iter()
            .map(|attack| (words(attack, "target").concat(), words(attack, "vectors")))
            .collect(),
    })
}

/// A text or a list of texts (or of objects with a name).
pub(crate) fn words(object: &Value, key: &str) -> Vec<String> {
    let text =
        |value: &Value| value.as_str().or_else(|| value.get("name")?.as_str()).unwrap_or_default().to_owned();
    match object.get(key) {
        Some(Value::Array(list)) => list.iter().map(text).collect(),
        Some(one) => vec![text(one)],
        None => Vec::new(),
    }
}
