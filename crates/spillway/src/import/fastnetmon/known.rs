//! Every setting of FastNetMon 1.2: whether it is carried over, and what to say of it where it is not.

/// When a setting is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Where it is on.
    On,
    /// Where it is not on.
    Off,
    /// Whatever it says.
    Always,
    /// It is carried over, or says how its program runs or what a switch that is told of does.
    Never,
}
use Told::{Always, Never, Off, On};

/// When to tell of a setting, and reason and remedy.
pub(super) fn known(key: &str) -> Option<(Told, &'static str)> {
    let whole = KEYS.iter().find(|(name, ..)| *name == key).map(|(_, told, why)| (*told, *why));
    whole.or_else(|| FAMILIES.iter().any(|family| key.starts_with(family)).then_some((Never, "")))
}

const MIRROR: &str =
    "packets of a mirror port are not taken in; let the router or switch export sFlow or NetFlow to [listen]";
const ROUTES: &str = "routes are not announced; let the program of [notify.exec] announce them, or use `spillway rules compile --to exabgp`";
const METRICS: &str = "measurements are not pushed; scrape /metrics at the address of [api] listen";
const ATTACKS: &str = "attacks are kept in state_dir; read them at /api/v1/attacks, or let the program of [notify.exec] store them";

const KEYS: &[(&str, Told, &str)] = &[
    ("networks_list_path", Never, ""),
    ("white_list_path", Never, ""),
    ("notify_script_path", Never, ""),
    ("netflow", Never, ""),
    ("sflow", Never, ""),
    ("ban_time", Never, ""),
    ("logging_level", Never, ""),
    (
        "ban_for_flows",
        On,
        "there is no limit of flows; limit `syn_packets`, which floods of connections exceed first",
    ),
    ("enable_ban", Off, "FastNetMon only watched; nothing to do, mode = \"observe\" does the same"),
    (
        "enable_ban_ipv6",
        Off,
        "IPv6 is watched like IPv4; leave its prefixes out of `networks` if you do not want that",
    ),
    (
        "process_incoming_traffic",
        Off,
        "traffic is watched in both directions; nothing to do, its limits are left out",
    ),
    (
        "process_outgoing_traffic",
        Off,
        "traffic is watched in both directions; nothing to do, its limits are left out",
    ),
    ("unban_only_if_attack_finished", Off, "a rule is renewed while its attack goes on; nothing to do"),
    (
        "average_calculation_time",
        Always,
        "rates are not averaged over a time of your choice; if a limit acts on short bursts, raise it (`spillway backtest` shows the effect)",
    ),
    (
        "monitor_openvz_vps_ip_addresses",
        On,
        "containers are not looked for; add their addresses to `networks`",
    ),
    ("mirror", On, MIRROR),
    ("mirror_afpacket", On, MIRROR),
    ("mirror_afxdp", On, MIRROR),
    ("mirror_netmap", On, MIRROR),
    ("pcap", On, MIRROR),
    (
        "sflow_read_packet_length_from_ip_header",
        On,
        "there is no such switch; compare the octets of `spillway decode` with the interface's counters",
    ),
    (
        "collect_attack_pcap_dumps",
        On,
        "payload is not kept; capture with tcpdump and look with `spillway replay`",
    ),
    (
        "dump_all_traffic",
        On,
        "traffic is not logged; record the export with tcpdump and read it with `spillway decode`",
    ),
    (
        "dump_other_traffic",
        On,
        "traffic is not logged; record the export with tcpdump and read it with `spillway decode`",
    ),
    ("exabgp", On, ROUTES),
    ("gobgp", On, ROUTES),
    ("redis_enabled", On, ATTACKS),
    ("mongodb_enabled", On, ATTACKS),
    ("influxdb", On, METRICS),
    ("graphite", On, METRICS),
    ("prometheus", On, "the names of the metrics differ; scrape /metrics at the address of [api] listen"),
    ("kafka_traffic_export", On, "flows are not passed on; let the router export to a second collector"),
    ("enable_api", On, "there is no gRPC; read attacks over HTTP, /api/v1/openapi.json tells how"),
    (
        "logging_local_syslog_logging",
        On,
        "the log goes to standard error; systemd's journal takes it to syslog",
    ),
    (
        "logging_remote_syslog_logging",
        On,
        "the log goes to standard error; let the journal or rsyslog forward it",
    ),
    ("enable_connection_tracking", Never, ""),
    ("disable_usage_report", Never, ""),
    ("monitor_local_ip_addresses", Never, ""),
    ("ban_details_records_count", Never, ""),
    ("check_period", Never, ""),
    ("speed_calculation_delay", Never, ""),
    ("interfaces", Never, ""),
    ("pid_path", Never, ""),
    ("sort_parameter", Never, ""),
    ("max_ips_in_list", Never, ""),
];

/// Beginnings of the keys that go with a switch above, with a limit or with a listener.
const FAMILIES: &[&str] = &[
    "ban_for_",
    "threshold_",
    "netflow_",
    "sflow_",
    "exabgp_",
    "gobgp_",
    "redis_",
    "mongodb_",
    "influxdb_",
    "graphite_",
    "prometheus_",
    "kafka_traffic_export_",
    "logging_",
    "cli_stats_",
    "mirror_",
    "netmap_",
    "af_packet_",
    "xdp_",
    "poll_mode_xdp",
    "zero_copy_xdp",
    "force_native_mode_xdp",
    "microcode_xdp_path",
];
