//! What rules would have hit in a capture: the same for `rule preview --capture` and for the API.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::{CaptureHit, CapturePreview, PreviewHost};
use rules::{EvalCounts, Rule, RuleSet};

use crate::capture::Capture;
use crate::capture::content::is_export;

/// Hosts told apart of each rule; what goes to further ones is counted and not named.
const HOSTS_MAX: usize = 65_536;
/// Hosts that are named.
const NAMED_MAX: usize = 5;

/// Reads it to its end, or to where it is damaged.
///
/// # Errors
/// It begins like no capture, or it holds reports of traffic in the place of traffic.
pub(crate) fn of_capture(rules: &[Rule], mut capture: Capture) -> Result<CapturePreview, String> {
    let set = RuleSet::new(rules.to_vec());
    let mut counts = EvalCounts::new(&set);
    let mut hosts: Vec<BTreeMap<IpAddr, (u64, u64)>> = vec![BTreeMap::new(); set.rules().len()];
    let (mut first, mut last, mut reports) = (None, None, 0u64);
    let partial = loop {
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => break None,
            Err(cause) => break Some(cause.to_string()),
        };
        first.get_or_insert(packet.at);
        last = Some(packet.at);
        let Some(parsed) = packet.parse() else {
            counts.add_unreadable(u64::from(packet.layer3_len()));
            continue;
        };
        reports += u64::from(parsed.headers.protocol == 17 && is_export(parsed.payload));
        counts.add(&set, &parsed);
        if let Some(of) = set.decide_index(&parsed).and_then(|at| hosts.get_mut(at)) {
            let dst = parsed.headers.dst;
            if of.len() < HOSTS_MAX || of.contains_key(&dst) {
                let (packets, bytes) = of.entry(dst).or_default();
                *packets += 1;
                *bytes += u64::from(parsed.headers.length);
            }
        }
    };
    if let Some(why) = partial.as_ref().filter(|_| counts.packets == 0) {
        return Err(why.clone());
    }
    if reports > 0 && reports * 2 > counts.packets {
        return Err("it holds flow export (sFlow, NetFlow, IPFIX), which says nothing of single packets: give a capture of the traffic itself".to_owned());
    }
    let hit = |rule: &Rule| {
        let of = counts.rules.iter().find(|one| one.id == rule.id);
        let at = set.rules().iter().position(|other| other.id == rule.id);
        let mut to: Vec<PreviewHost> = at
            .and_then(|at| hosts.get(at))
            .into_iter()
            .flatten()
            .map(|(dst, (packets, bytes))| PreviewHost {
                target: dst.to_string(),
                bytes: *bytes,
                packets: *packets,
            })
            .collect();
        to.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.target.cmp(&b.target)));
        to.truncate(NAMED_MAX);
        CaptureHit {
            id: rule.id.clone(),
            text: rule.to_string(),
            action: rule.action.as_str().to_owned(),
            matched_packets: of.map_or(0, |one| one.matched_packets),
            matched_bytes: of.map_or(0, |one| one.matched_bytes),
            decided_packets: of.map_or(0, |one| one.decided_packets),
            hosts: to,
        }
    };
    Ok(CapturePreview {
        from: first.map(|at| at.to_string()),
        to: last.map(|at| at.to_string()),
        packets: counts.packets,
        bytes: counts.bytes,
        unmatched_packets: counts.unmatched_packets,
        rules: rules.iter().map(hit).collect(),
        partial,
    })
}
