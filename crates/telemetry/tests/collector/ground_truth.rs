//! Sampling as `data/README.md` knows it to be true.

use telemetry::record::RateSource;

use crate::support::{Run, data};

fn run(files: &[&str]) -> Option<Run> {
    let root = data("flows")?;
    let mut run = Run::new();
    run.files(&files.iter().map(|file| root.join(file)).collect::<Vec<_>>());
    Some(run)
}

fn all(files: &[&str], rate: Option<u32>, source: RateSource) {
    let Some(run) = run(files) else { return };
    assert!(!run.told.is_empty(), "{files:?}");
    for told in &run.told {
        assert_eq!((told.sampling.rate, told.sampling.source), (rate, source), "{files:?}");
    }
}

#[test]
fn netflow5_juniper_mx80_is_1_in_1000_by_its_header() {
    all(&["logstash/netflow5_test_juniper_mx80.dat"], Some(1000), RateSource::Header);
}

#[test]
fn netflow5_header_0_is_unsampled() {
    all(&["logstash/netflow5.dat"], Some(1), RateSource::Header);
    all(&["logstash/netflow5_test_microtik.dat"], Some(1), RateSource::Header);
}

#[test]
fn ipfix_juniper_mx240_announces_1_in_1000_in_options() {
    let files = [
        "logstash/ipfix_test_juniper_mx240_junos151r6s3_opttpl512.dat",
        "logstash/ipfix_test_juniper_mx240_junos151r6s3_data512.dat",
    ];
    let Some(mut run) = run(&files) else { return };
    assert_eq!(run.stats().options_records, 1);
    // A flow of the same domain, made by hand, is sampled so.
    let options = std::fs::read(data("flows").unwrap().join(files[1])).unwrap();
    let domain = u32::from_be_bytes(options[12..16].try_into().unwrap());
    run.feed(&crate::support::ipfix(domain, &[(2, vec![1, 0, 0, 1, 0, 2, 0, 4]), (256, vec![0, 0, 0, 9])]));
    let told = run.told[0];
    assert_eq!((told.sampling.rate, told.sampling.source), (Some(1000), RateSource::Domain));
}

#[test]
fn netflow9_fortigate_521_is_1_in_1_by_options() {
    let files = [
        "logstash/netflow9_test_fortigate_fortios_521_tpl.dat",
        "logstash/netflow9_test_fortigate_fortios_521_data256.dat",
        "logstash/netflow9_test_fortigate_fortios_521_data257.dat",
    ];
    all(&files, Some(1), RateSource::Domain);
}

#[test]
fn netflow9_h3c_says_0_in_each_record_which_is_unsampled() {
    let files = ["logstash/netflow9_test_h3c_tpl3281.dat", "logstash/netflow9_test_h3c_data3281.dat"];
    all(&files, Some(1), RateSource::Record);
}

#[test]
fn ipfix_305_and_306_give_1_in_1() {
    all(&["logstash/ipfix.dat"], Some(1), RateSource::Domain);
}

#[test]
fn ipfix_cisco_305_is_1_but_309_of_310_says_256() {
    let file = "netgauze/104-IPFIXv10-IPv6-CISCO-sampling_option__traffic-00.pcap";
    all(&[file], Some(256), RateSource::Sampler);
}

#[test]
fn sflow_samples_carry_1_in_2048() {
    all(&["ndpi/sflow.pcap"], Some(2048), RateSource::Sample);
}
