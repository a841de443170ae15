//! NetGauze's decode of the same captures, field by field.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::support::{Run, data};

/// Data records of a decode in their order, as maps from field to value; options are left out.
fn records(json: &str) -> Vec<BTreeMap<String, Value>> {
    let mut out = Vec::new();
    for line in json.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let message = document.as_object().unwrap().values().next().unwrap();
        for set in message["sets"].as_array().unwrap() {
            let Some(records) = set["Data"]["records"].as_array() else { continue };
            for record in records {
                if !record["scope_fields"].as_array().is_none_or(Vec::is_empty) {
                    continue;
                }
                let mut fields = BTreeMap::new();
                for field in record["fields"].as_array().unwrap() {
                    for (name, value) in field.as_object().unwrap() {
                        fields.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                }
                out.push(fields);
            }
        }
    }
    out
}

fn number(fields: &BTreeMap<String, Value>, name: &str) -> Option<u64> {
    fields.get(name)?.as_u64()
}

fn address(fields: &BTreeMap<String, Value>, four: &str, six: &str) -> Option<IpAddr> {
    let of = |name: &str| fields.get(name)?.as_str()?.parse::<IpAddr>().ok();
    of(four).filter(|address| !address.is_unspecified()).or_else(|| of(six)).or_else(|| of(four))
}

#[test]
fn every_capture_agrees_with_netgauze() {
    let Some(root) = data("flows/netgauze") else { return };
    let mut captures: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "pcap"))
        .collect();
    captures.sort();
    let mut compared = 0;
    for capture in captures {
        let name = capture.file_stem().unwrap().to_string_lossy().into_owned();
        let json = std::fs::read_to_string(root.join(format!("{name}-flow.json"))).unwrap();
        let mut run = Run::new();
        run.files(&[capture]);
        let expected = records(&json);
        // Both decode in the order of arrival, but NetGauze drops what came before its template.
        let mut remaining: Vec<_> = run.told.iter().collect();
        for fields in &expected {
            let packets = number(fields, "packetDeltaCount");
            let bytes = number(fields, "octetDeltaCount");
            let src = address(fields, "sourceIPv4Address", "sourceIPv6Address");
            let dst = address(fields, "destinationIPv4Address", "destinationIPv6Address");
            let found = remaining.iter().position(|told| {
                told.src == src
                    && told.dst == dst
                    && told.packets == packets
                    && told.bytes == bytes
                    && told.src_port.map(u64::from) == number(fields, "sourceTransportPort")
                    && told.dst_port.map(u64::from) == number(fields, "destinationTransportPort")
                    && told.input_if.map(u64::from) == number(fields, "ingressInterface")
                    && told.output_if.map(u64::from) == number(fields, "egressInterface")
            });
            let found = found.unwrap_or_else(|| panic!("{name}: not among ours: {fields:?}\n{remaining:#?}"));
            remaining.remove(found);
            compared += 1;
        }
        assert!(remaining.is_empty(), "{name}: NetGauze does not have {remaining:?}");
    }
    assert!(compared > 100, "{compared}");
}
