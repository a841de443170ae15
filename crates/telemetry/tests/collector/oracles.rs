//! Second opinions: what other decoders make of the same datagrams.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use flowparser_sflow::SflowParser;
use flowparser_sflow::flow_records::FlowRecord;
use flowparser_sflow::samples::SflowSample;
use netflow_parser::NetflowParser;

use crate::support::{Run, data, load};

/// Captures of these exporters go through both decoders as one exporter each. Left out are those that differ by
/// design: Cisco ASA's events without traffic are flows to the other decoder.
const EXPORTERS: [&str; 23] = [
    "ipfix_test_barracuda_extended",
    "ipfix_test_ixia",
    "ipfix_test_mikrotik",
    "ipfix_test_netscaler",
    "ipfix_test_openbsd",
    "ipfix_test_procera",
    "ipfix_test_vmware",
    "ipfix_test_yaf",
    "netflow5_test_juniper",
    "netflow5_test_microtik",
    "netflow9_cisco_asr1001x",
    "netflow9_test_cisco_1941K9",
    "netflow9_test_cisco_asr9k",
    "netflow9_test_cisco_nbar",
    "netflow9_test_field",
    "netflow9_test_fortigate_fortios_521",
    "netflow9_test_fortigate_fortios_542",
    "netflow9_test_h3c",
    "netflow9_test_macaddr",
    "netflow9_test_paloalto",
    "netflow9_test_softflowd",
    "netflow9_test_ubnt",
    "netflow9_test_valid01",
];

/// Addresses, ports and protocol of a flow.
type Tuple = (Option<IpAddr>, Option<IpAddr>, Option<u16>, Option<u16>, Option<u8>);

/// Everything of one exporter, templates first.
fn files(prefix: &str) -> Option<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data("flows/logstash")?)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix))
        .collect();
    files.sort_by_key(|path| (!path.to_string_lossy().contains("tpl"), path.clone()));
    Some(files)
}

#[test]
fn whatever_netflow_parser_decodes_we_decode_alike() {
    let mut compared = 0;
    for prefix in EXPORTERS {
        let Some(files) = files(prefix) else { return };
        assert!(!files.is_empty(), "{prefix}");
        let mut run = Run::new();
        run.files(&files);
        let mut ours: BTreeMap<Tuple, u32> = BTreeMap::new();
        for told in &run.told {
            let tuple = (told.src, told.dst, told.src_port, told.dst_port, told.protocol);
            *ours.entry(tuple).or_default() += 1;
        }
        let mut parser = NetflowParser::default();
        for datagram in files.iter().flat_map(|file| load(file)) {
            let (flows, _) = parser.parse_bytes_as_netflow_common_flowsets(&datagram.bytes);
            for flow in flows.iter().filter(|flow| flow.src_addr.is_some() && flow.dst_addr.is_some()) {
                let tuple =
                    (flow.src_addr, flow.dst_addr, flow.src_port, flow.dst_port, flow.protocol_number);
                let left = ours.get_mut(&tuple).filter(|left| **left > 0);
                *left.unwrap_or_else(|| panic!("{prefix}: not among ours: {flow:?}")) -= 1;
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn flowparser_sflow_sees_the_same_samples() {
    let Some(root) = data("flows") else { return };
    let mut compared = 0;
    for file in
        ["ndpi/sflow.pcap", "tcpdump/sflow-print-v6.pcap", "tcpdump/sflow_multiple_counter_30_pdus.pcap"]
    {
        let mut run = Run::new();
        let mut theirs = Vec::new();
        let mut counters = 0;
        for datagram in load(&root.join(file)) {
            run.feed_from(datagram.at, datagram.exporter, &datagram.bytes);
            for sample in
                SflowParser::default().parse_bytes(&datagram.bytes).datagrams.iter().flat_map(|d| &d.samples)
            {
                let (rate, records) = match sample {
                    SflowSample::Flow(flow) => (flow.sampling_rate, &flow.records),
                    SflowSample::ExpandedFlow(flow) => (flow.sampling_rate, &flow.records),
                    SflowSample::Counter(_) | SflowSample::ExpandedCounter(_) => {
                        counters += 1;
                        continue;
                    }
                    _ => continue,
                };
                for record in records {
                    if let FlowRecord::RawPacketHeader(raw) = record {
                        theirs.push((Some(rate), Some(u64::from(raw.frame_length))));
                    }
                }
            }
        }
        let ours: Vec<_> = run
            .told
            .iter()
            .filter(|told| told.format == telemetry::Format::Sflow5)
            .map(|told| (told.sampling.rate, told.bytes))
            .collect();
        assert_eq!(ours, theirs, "{file}");
        assert_eq!(run.stats().counter_samples, counters, "{file}");
        compared += theirs.len();
    }
    assert!(compared >= 14, "{compared}");
}

/// What tshark counts, where it is installed.
#[test]
fn tshark_counts_the_same_flows() {
    let Some(root) = data("flows") else { return };
    let tshark = std::process::Command::new("tshark").arg("--version").output();
    if tshark.is_err() {
        eprintln!("skipped: tshark is not installed");
        return;
    }
    for (file, port) in [
        ("netgauze/101-NFv9-CISCO-cust_primitives__traffic-00.pcap", 9991),
        ("netgauze/100-IPFIXv10-CISCO__traffic-00.pcap", 9991),
    ] {
        let mut run = Run::new();
        run.files(&[root.join(file)]);
        // Two passes, so that data before its template is decoded.
        let output = std::process::Command::new("tshark")
            .args(["-2", "-d", &format!("udp.port=={port},cflow"), "-T", "fields", "-e", "cflow.octets"])
            .arg("-r")
            .arg(root.join(file))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut theirs: Vec<u64> =
            text.split(['\n', ',']).filter_map(|value| value.trim().parse().ok()).collect();
        let mut ours: Vec<u64> = run.told.iter().filter_map(|told| told.bytes).collect();
        if theirs.len() < ours.len() {
            // tshark does not keep data for templates that come later.
            ours.retain(|bytes| theirs.contains(bytes));
        }
        theirs.sort_unstable();
        ours.sort_unstable();
        ours.dedup();
        theirs.dedup();
        assert!(!theirs.is_empty(), "{file}");
        assert_eq!(ours, theirs, "{file}");
    }
}
