//! `decode` against the counts of the recorded files, which were made with another decoder.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Scratch, data, json_lines, pcap, spillway, stderr, udp};

/// Where the other decoder counts differently, and why: (file, key, our count).
const DIFFERENCES: [(&str, &str, u64); 8] = [
    // A header that claims more records than its datagram holds: 30 are there.
    ("netflow5_test_invalid01.dat", "flows", 30),
    ("netflow5_test_invalid02.dat", "flows", 30),
    // One id is defined twice; biflows are two lines.
    ("ipfix_test_yaf_tpls_option_tpl.dat", "templates", 12),
    ("ipfix_test_yaf", "templates", 13),
    ("ipfix_test_yaf", "flows", 4),
    ("netflow9_test_cisco_asa_2", "flows", 30),
    // Of the 8510 there are templates only, and the list counts it apart.
    ("netflow9_test_cisco_wlc", "templates", 2),
    ("netflow9_test_cisco_wlc", "options_templates", 3),
];

#[test]
fn the_recorded_exports_have_the_counts_of_the_manifest() {
    let Some(data) = data() else { return };
    let manifest = std::fs::read_to_string(data.join("flows/MANIFEST.txt")).unwrap();
    let mut checked = 0;
    for line in manifest.lines().filter(|line| line.contains(": ver=")) {
        let (name, rest) = line.split_once(": ver=").unwrap();
        let device = name.strip_prefix("DEV ").map(|n| n.split_once('[').unwrap().0);
        let files = device.map_or_else(|| single(&data, name), |device| of_device(&data, device));
        // The nProbe DPI file is a device of its own.
        let files: Vec<PathBuf> = files
            .into_iter()
            .filter(|f| device.is_none() || !f.ends_with("netflow9_test_nprobe_dpi.dat"))
            .collect();
        let args: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
        let output = spillway(["decode", "-o", "jsonl"].into_iter().chain(args));
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        let lines = json_lines(&output);
        let summary = lines.last().unwrap();
        assert_eq!(summary["flows"], lines.len() - 1, "{name}");
        let sum = |keys: &[&str]| keys.iter().map(|key| count(rest, key)).sum::<u64>();
        let waiting =
            summary["buffered_bytes"].as_u64().unwrap() + summary["undecodable_bytes"].as_u64().unwrap();
        for (key, ours, theirs) in [
            ("flows", summary["flows"].as_u64().unwrap(), sum(&["records", "v5rec", "s:flow", "s:exp_flow"])),
            ("templates", summary["templates"].as_u64().unwrap(), sum(&["templates"])),
            ("options_templates", summary["options_templates"].as_u64().unwrap(), sum(&["opt_templates"])),
            ("options_records", summary["options_records"].as_u64().unwrap(), sum(&["opt_records"])),
            ("waiting", waiting, sum(&["bytes_no_template"])),
        ] {
            let known = DIFFERENCES.iter().find(|(n, k, _)| *n == device.unwrap_or(name) && *k == key);
            assert_eq!(ours, known.map_or(theirs, |(_, _, n)| *n), "{name}: {key}");
        }
        checked += 1;
    }
    assert!(checked > 80, "{checked} lines");
}

/// The number behind `'key': ` in the braces of counts.
fn count(line: &str, key: &str) -> u64 {
    let Some((_, rest)) = line.split_once(&format!("'{key}': ")) else { return 0 };
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn single(data: &Path, name: &str) -> Vec<PathBuf> {
    let dirs = ["logstash", "netgauze", "ndpi", "tcpdump"];
    dirs.iter().map(|dir| data.join("flows").join(dir).join(name)).filter(|f| f.is_file()).collect()
}

/// Templates first, as the list says.
fn of_device(data: &Path, device: &str) -> Vec<PathBuf> {
    let name = |f: &PathBuf| f.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<PathBuf> = std::fs::read_dir(data.join("flows/logstash"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|f| name(f).starts_with(&format!("{device}_")))
        .filter(|f| device != "ipfix_test_barracuda" || !name(f).contains("extended"))
        .collect();
    files.sort_by_key(|f| (!name(f).contains("tpl"), name(f)));
    files
}

#[test]
fn a_line_has_the_keys_of_the_interface() {
    let scratch = Scratch::new("decode-keys");
    let mut v5 = vec![0, 5, 0, 1, 0, 0, 0x10, 0, 0x65, 0x53, 0xf1, 0];
    v5.resize(22, 0);
    v5.extend([0x40, 100]);
    v5.extend([192, 0, 2, 1, 198, 51, 100, 7, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 3, 0, 0, 0, 180]);
    v5.extend([0, 0, 0x0f, 0, 0, 0, 0x10, 0, 0, 53, 0x30, 0x39, 0, 0, 17, 0]);
    v5.resize(72, 0);
    // DNS beside it is not export.
    let dns = b"\x00\x05\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
    let file = scratch.file("export.pcap", &pcap(101, &[udp(dns), udp(&v5)]));
    let flow = serde_json::json!({
        "record": "flow", "format": "netflow5", "exporter": "192.0.2.1", "domain": 0,
        "src": "192.0.2.1", "dst": "198.51.100.7", "src_port": 53, "dst_port": 12345,
        "ip_protocol": 17, "tcp_flags": 0, "packets": 3, "bytes": 180,
        "sampling_rate": 100, "sampling_source": "header",
        "start": "2023-11-14T22:13:19.744000000Z", "end": "2023-11-14T22:13:20.000000000Z",
        "input_if": 3, "output_if": 4,
    });
    let summary = serde_json::json!({
        "record": "summary", "datagrams": 1, "flows": 1, "templates": 0, "options_templates": 0,
        "options_records": 0, "buffered_bytes": 0, "undecodable_bytes": 0, "faults": {},
    });
    assert_eq!(json_lines(&spillway(["decode", &file, "-o", "jsonl"])), [flow.clone(), summary.clone()]);

    let document: Value = serde_json::from_slice(&spillway(["decode", &file, "-o", "json"]).stdout).unwrap();
    assert_eq!(document, serde_json::json!({"records": [flow.clone()], "summary": summary}));

    let raw = scratch.file("export.dat", &v5);
    let lines = json_lines(&spillway(["decode", &raw, "-o", "jsonl"]));
    assert_eq!(lines[0]["exporter"], "file");
    assert_eq!(lines[0]["start"], flow["start"]);

    let text = String::from_utf8(spillway(["decode", &file, "-o", "text"]).stdout).unwrap();
    assert!(text.contains("192.0.2.1:53") && text.contains("1:100"), "{text}");
    assert!(
        text.ends_with("1 flows in 1 datagrams; 0 templates, 0 options templates, 0 options records\n"),
        "{text}"
    );
}
