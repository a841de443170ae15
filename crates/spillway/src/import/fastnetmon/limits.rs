//! Thresholds: of all hosts, and of host groups, whose keys begin with the group's name.

use base::Prefix;
use engine::settings::Group;

use super::conf::{Conf, Entry, HostGroup};
use crate::config::Problem;
use crate::import::draft::{Draft, quoted};

/// Our key, the switch, the threshold, and whether it is in Mbit/s.
const LIMITS: [(&str, &str, &str, bool); 8] = [
    ("packets", "ban_for_pps", "threshold_pps", false),
    ("bits", "ban_for_bandwidth", "threshold_mbps", true),
    ("tcp_packets", "ban_for_tcp_pps", "threshold_tcp_pps", false),
    ("tcp_bits", "ban_for_tcp_bandwidth", "threshold_tcp_mbps", true),
    ("udp_packets", "ban_for_udp_pps", "threshold_udp_pps", false),
    ("udp_bits", "ban_for_udp_bandwidth", "threshold_udp_mbps", true),
    ("icmp_packets", "ban_for_icmp_pps", "threshold_icmp_pps", false),
    ("icmp_bits", "ban_for_icmp_bandwidth", "threshold_icmp_mbps", true),
];

/// What else a host group may set.
const OTHERS: [&str; 4] = ["enable_ban", "enable_ban_ipv6", "ban_for_flows", "threshold_flows"];

/// The host group that a key speaks of, which may not exist, and the key without its name.
pub(super) fn of_group(key: &str) -> Option<(&str, &str)> {
    let settings = LIMITS.iter().flat_map(|(_, switch, threshold, _)| [*switch, *threshold]).chain(OTHERS);
    settings
        .filter_map(|setting| Some((key.strip_suffix(setting)?.strip_suffix('_')?, setting)))
        .find(|(group, _)| !group.is_empty())
}

/// One `key = value` of a section, and where it came from.
type Value = (&'static str, String, String);

/// Thresholds that are switched on; `prefix` is a host group's name with its underscore.
fn values(conf: &Conf<'_>, prefix: &str, problems: &mut Vec<Problem>, left: &mut Vec<Problem>) -> Vec<Value> {
    let mut out = Vec::new();
    for (ours, switch, threshold, megabits) in LIMITS {
        let Some(switch) = conf.get(&format!("{prefix}{switch}")).filter(|entry| entry.is_on()) else {
            continue;
        };
        let threshold = format!("{prefix}{threshold}");
        let found = conf.parsed::<u32>(&threshold, "a whole number; write it without a unit", problems);
        match (found, conf.get(&threshold)) {
            (Some((0, entry)), _) => {
                let message = "0 would call everything an attack; write the limit into [groups] yourself";
                left.push(entry.problem(message.to_owned()));
            }
            (Some((number, entry)), _) => out.push((ours, quoted(&rate(number, megabits)), entry.from())),
            // Not a number: a problem already.
            (None, Some(_)) => {}
            (None, None) => {
                let message = format!("is on without {threshold}; write the limit into [groups] yourself");
                left.push(switch.problem(message));
            }
        }
    }
    out
}

/// With the largest unit that leaves a whole number.
fn rate(number: u32, megabits: bool) -> String {
    let units: &[(u32, &str)] = if megabits {
        &[(1000, "Gbps"), (1, "Mbps")]
    } else {
        &[(1_000_000, "Mpps"), (1000, "kpps"), (1, "pps")]
    };
    let (step, unit) = units.iter().find(|(step, _)| number.is_multiple_of(*step)).unwrap_or(&(1, "pps"));
    format!("{} {unit}", number / step)
}

/// Writes `[groups]`.
pub(super) fn write(
    draft: &mut Draft,
    conf: &Conf<'_>,
    networks: &[Prefix],
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) {
    let everywhere = values(conf, "", problems, left);
    if !everywhere.is_empty() {
        draft.section(format_args!("groups.{}", Group::DEFAULT));
        draft.comment("For each host that no other group names, on top of what is learned.");
        directions(draft, conf, Group::DEFAULT, &everywhere);
    }
    let mut taken = Vec::new();
    for group in &conf.groups {
        let members = members(group, networks, &mut taken, problems, left);
        if members.is_empty() {
            continue;
        }
        let name = if group.name == Group::DEFAULT { "default-hosts" } else { group.name };
        draft.section(format_args!("groups.{}", quoted(name)));
        draft.list("networks", members.into_iter().map(|p| (p.to_string(), group.entry.from())));
        let prefix = format!("{}_", group.name);
        match conf.get(&format!("{prefix}enable_ban")) {
            Some(entry) if entry.is_on() => {
                directions(draft, conf, &quoted(name), &values(conf, &prefix, problems, left));
            }
            Some(entry) => draft.comment(format_args!("No limits: {} = {}", entry.from(), entry.value)),
            None => draft.comment(format_args!("No limits: there is no {prefix}enable_ban = on")),
        }
        let flows = conf.get(&format!("{prefix}ban_for_flows")).filter(|entry| entry.is_on());
        left.extend(flows.map(no_flows));
    }
}

fn no_flows(entry: &Entry<'_>) -> Problem {
    entry.problem(super::known::known("ban_for_flows").map_or("", |(_, why)| why).to_owned())
}

/// FastNetMon has one threshold for both directions.
fn directions(draft: &mut Draft, conf: &Conf<'_>, group: &str, values: &[Value]) {
    for direction in ["incoming", "outgoing"] {
        if !values.is_empty() && conf.is_on(&format!("process_{direction}_traffic"), true) {
            draft.section(format_args!("groups.{group}.{direction}"));
            for (key, value, from) in values {
                draft.value(key, value, from);
            }
        }
    }
}

/// Networks of a group that are ours and of no group before.
fn members(
    group: &HostGroup<'_>,
    networks: &[Prefix],
    taken: &mut Vec<Prefix>,
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) -> Vec<Prefix> {
    let mut out = Vec::new();
    for text in &group.networks {
        let prefix: Prefix = match text.parse() {
            Ok(prefix) => prefix,
            Err(wrong) => {
                problems.push(group.entry.problem(wrong.to_string()));
                continue;
            }
        };
        let why = if !networks.iter().any(|own| own.covers(&prefix)) {
            "is not in the list of networks; add it to `networks`, then to the group"
        } else if taken.contains(&prefix) {
            "is in another group already; keep it in one"
        } else {
            taken.push(prefix);
            out.push(prefix);
            continue;
        };
        left.push(group.entry.problem(format!("{prefix} of {} {why}", group.name)));
    }
    out
}
