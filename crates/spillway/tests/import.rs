//! Configurations of other programs: what is carried over, what is told, and which mistakes have which line.

use std::path::Path;
use std::process::Output;

use base::Span;
use spillway::config::{Compat, Config};

use crate::support::{Scratch, spillway, stderr};

/// A folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new(name);
    for (file, text) in files {
        scratch.file(file, text.as_bytes());
    }
    scratch
}

fn import(dir: &Path, to: &Path) -> Output {
    let output =
        spillway(["import", "fastnetmon", dir.to_str().unwrap(), "-c", to.to_str().unwrap(), "--force"]);
    assert_eq!(output.status.code() == Some(0), to.is_file(), "{}", stderr(&output));
    output
}

/// Written as by an editor on Windows, with comments, a key that stands twice and space in odd places.
const CONF: &str = "# comment\r\n\
    enable_ban = on\r\n\
    \tban_time=600\r\n\
    networks_list_path = /nowhere/else/networks_list\r\n\
    ban_for_pps = on\r\n\
    threshold_pps = 1\r\n\
    threshold_pps = 20000\r\n\
    ban_for_bandwidth = on\r\n\
    threshold_mbps = 1500\r\n\
    ban_for_udp_pps = on\r\n\
    threshold_udp_pps = 2000000\r\n\
    ban_for_tcp_bandwidth = off\r\n\
    threshold_tcp_mbps = 7\r\n\
    process_outgoing_traffic = off\r\n\
    sflow = on\r\n\
    sflow_port = 6343,6344\r\n\
    sflow_host = ::\r\n\
    netflow = on\r\n\
    netflow_port = 2055\r\n\
    netflow_sampling_ratio = 1000\r\n\
    notify_script_path = /bin/true\r\n\
    hostgroup = dns:10.1.0.53/32, 2001:db8::53/128\r\n\
    dns_enable_ban = on\r\n\
    dns_ban_for_icmp_bandwidth = on\r\n\
    dns_threshold_icmp_mbps = 3\r\n\
    hostgroup = quiet:10.2.0.0/16\r\n\
    quiet_enable_ban = off\r\n\
    logging_level = debug\r\n";

#[test]
fn a_folder_of_fastnetmon_is_carried_over() {
    let dir = folder(
        "import",
        &[
            ("fastnetmon.conf", CONF),
            ("networks_list", "# ours\r\n\r\n10.0.0.0/8\r\n2001:db8::/32\r\n192.0.2.1\r\n"),
            ("networks_whitelist", "10.0.0.1/32\n"),
        ],
    );
    let file = dir.path("spillway.toml");
    assert_eq!(import(&dir.path(""), &file).status.code(), Some(0));
    let config = Config::load(&file).unwrap();
    let networks: Vec<String> = config.networks.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]);
    assert_eq!(config.mode, engine::Mode::Observe);
    let listen: Vec<String> = config.listen.addresses.iter().map(|(key, at)| format!("{key} {at}")).collect();
    assert_eq!(listen, ["sflow [::]:6343", "netflow 0.0.0.0:2055", "ipfix [::]:6344"]);
    assert_eq!(config.rules.lease, Span::from_secs(600));
    assert_eq!(config.rules.never, ["10.0.0.1/32".parse().unwrap()]);
    assert_eq!(config.compat, Some(Compat::Fastnetmon));
    assert_eq!(config.notify.unwrap().path, Path::new("/bin/true"));

    let [default, dns, quiet] = config.groups.as_slice() else { panic!("{:?}", config.groups) };
    assert_eq!((default.incoming.pps, default.incoming.bps), (Some(20e3), Some(1.5e9)));
    assert_eq!((default.incoming.udp.pps, default.incoming.tcp.bps), (Some(2e6), None));
    assert_eq!(default.outgoing, engine::settings::Limits::default());
    assert_eq!((dns.networks.len(), dns.incoming.icmp.bps, dns.incoming.pps), (2, Some(3e6), None));
    assert_eq!((quiet.name.as_str(), quiet.incoming), ("quiet", engine::settings::Limits::default()));

    // Behind each value stands where it came from; the last of two equal keys holds.
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("packets = \"20 kpps\"  # fastnetmon.conf:7 threshold_pps\n"), "{text}");
    assert!(text.contains("    \"10.0.0.0/8\",  # networks_list:3\n"), "{text}");
    assert!(text.contains("lease = \"600s\"  # fastnetmon.conf:3 ban_time\n"), "{text}");
}

#[test]
fn what_has_no_equivalent_is_told_with_its_place_reason_and_remedy() {
    let cases = [
        ("average_calculation_time = 5", "rates are not averaged over a time of your choice; if a limit"),
        ("ban_time = 0", "0 never ends a ban, and every rule ends here; nothing to do"),
        ("enable_ban = off", "FastNetMon only watched; nothing to do"),
        ("mirror_afpacket = on", "packets of a mirror port are not taken in; let the router"),
        ("gobgp = on", "routes are not announced; let the program of [notify.exec]"),
        ("redis_enabled = yes", "attacks are kept in state_dir; read them"),
        (
            "netflow_sampling_ratio = 512",
            "holds for all exporters, ours for one; write [exporters.\"ADDRESS\"] sampling = 512",
        ),
        (
            "notify_script_path = /nonexistent/x.sh",
            "/nonexistent/x.sh is not a program on this machine; put it there",
        ),
        ("hostgroup = x:192.0.2.1/32", "192.0.2.1/32 of x is not in the list of networks; add it to"),
        (
            "nosuch_threshold_pps = 5",
            "there is no host group nosuch, so its settings say nothing; nothing to do",
        ),
        ("ban_for_pps = on", "is on without threshold_pps; write the limit into [groups] yourself"),
        ("frobnicate = 7", "is not known as a setting of FastNetMon; look what it did for you"),
        ("white_list_path = /nonexistent/white", "cannot be read"),
    ];
    for (line, expected) in cases {
        let conf = format!("sflow = on\nmonitor_local_ip_addresses = off\n{line}\n");
        let dir = folder("import-told", &[("fastnetmon.conf", &conf), ("networks_list", "10.0.0.0/8\n")]);
        let output = import(&dir.path(""), &dir.path("out.toml"));
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
        let told = stderr(&output);
        let first = told.lines().next().unwrap_or_default();
        assert!(first.contains(expected), "{line}: {told}");
        let (file, key) = ("fastnetmon.conf:3:1: ", line.split(' ').next().unwrap());
        assert!(expected == "cannot be read" || first.contains(&format!("{file}{key}: ")), "{line}: {told}");
        assert_eq!(told.lines().count(), 2, "{line}: {told}");
        assert!(told.contains("1 of FastNetMon's settings have no equivalent"), "{told}");
    }
}

#[test]
fn what_was_off_is_not_told() {
    let conf = "sflow = on\nmonitor_local_ip_addresses = off\nredis_enabled = off\nredis_port = 6379\ngobgp = off\n\
        gobgp_next_hop = 0.0.0.0\nmirror_afxdp = off\nban_for_flows = off\nthreshold_flows = 3500\n";
    let dir = folder("import-off", &[("fastnetmon.conf", conf), ("networks_list", "10.0.0.0/8\n")]);
    assert_eq!(stderr(&import(&dir.path(""), &dir.path("out.toml"))), "");
}

#[test]
fn a_mistake_in_a_foreign_file_has_its_line_and_nothing_is_written() {
    let cases = [
        (
            "fastnetmon.conf",
            "sflow = on\nsflow_port = many\n",
            "fastnetmon.conf:2:1: sflow_port: `many` is not a port",
        ),
        (
            "fastnetmon.conf",
            "sflow = on\nsflow_host = here\n",
            "fastnetmon.conf:2:1: sflow_host: `here` is not an address",
        ),
        (
            "fastnetmon.conf",
            "ban_time = 5 minutes\n",
            "fastnetmon.conf:1:1: ban_time: `5 minutes` is not a whole number",
        ),
        (
            "fastnetmon.conf",
            "ban_for_pps = on\nthreshold_pps = -1\n",
            "fastnetmon.conf:2:1: threshold_pps: `-1` is not",
        ),
        (
            "fastnetmon.conf",
            "\n  what is this\n",
            "fastnetmon.conf:2:3: is no `key = value`, so FastNetMon skips it; mend",
        ),
        (
            "fastnetmon.conf",
            "hostgroup = 10.0.0.1/32\n",
            "fastnetmon.conf:1:1: hostgroup: is no host group; write",
        ),
        (
            "fastnetmon.conf",
            "hostgroup = x:10.0.0.300/32\n",
            "fastnetmon.conf:1:1: hostgroup: `10.0.0.300/32` is not a prefix",
        ),
        ("fastnetmon.conf", "sflow_host = \u{1b}[2J\n", "fastnetmon.conf:1:1: holds a control character"),
        (
            "networks_list",
            "10.0.0.0/8\n10.0.0.0/33\n",
            "networks_list:2:1: `10.0.0.0/33` is not a prefix; write it like",
        ),
        (
            "networks_list",
            "10.0.0.1/8\n",
            "networks_list:1:1: `10.0.0.1/8` has bits set behind its prefix length; did you mean",
        ),
        ("networks_list", "", "networks_list: lists no network; write a prefix a line"),
        ("networks_whitelist", "everyone\n", "networks_whitelist:1:1: `everyone` is not a prefix"),
    ];
    for (file, text, expected) in cases {
        let usual = [
            ("fastnetmon.conf", "monitor_local_ip_addresses = off\n"),
            ("networks_list", "10.0.0.0/8\n"),
            (file, text),
        ];
        let dir = folder("import-wrong", &usual);
        let (out, folder) = (dir.path("out.toml"), dir.path(""));
        let output = import(&folder, &out);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let wanted = format!("spillway: {}", folder.join(expected).display());
        assert!(stderr(&output).starts_with(&wanted), "{wanted}\n{}", stderr(&output));
    }
    let empty = Scratch::new("import-empty");
    let output = import(&empty.path(""), &empty.path("out.toml"));
    assert!(stderr(&output).contains("fastnetmon.conf: cannot be read"), "{}", stderr(&output));
    let alone = folder("import-alone", &[("fastnetmon.conf", "networks_list_path = /nonexistent/list\n")]);
    let output = import(&alone.path(""), &alone.path("out.toml"));
    let told = stderr(&output);
    assert!(
        told.contains("list: cannot be read") && told.contains("put the list of your networks there"),
        "{told}"
    );
}

#[test]
fn debians_own_file_is_carried_over() {
    if !Path::new("/etc/fastnetmon.conf").is_file() {
        eprintln!("skipped: no /etc/fastnetmon.conf; `scripts/setup peers` installs the package that has it");
        return;
    }
    let scratch = Scratch::new("import-debian");
    let file = scratch.path("spillway.toml");
    let output = import(Path::new("/etc"), &file);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let checked = spillway(["check", "-c", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let told = stderr(&output);
    assert!(!told.contains("is not known as a setting"), "{told}");
    let config = Config::load(&file).unwrap();
    assert_eq!(config.groups.first().and_then(|group| group.incoming.pps), Some(20e3));
    assert_eq!(config.rules.lease, Span::from_secs(1900));
}
