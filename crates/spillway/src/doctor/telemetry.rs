//! What exporters tell, and what is lost of it.

use api::Finding;
use api::model::Exporter;
use base::Span;

use super::facts::{Facts, Running};
use super::{error, note, ok, warning};

/// An exporter may be silent for so long after a start before it is odd.
const PATIENCE: Span = Span::from_secs(60);
/// Datagrams lost on the way that are worth a word: one in so many.
const LOST_ONE_IN: u64 = 100;
/// A delay above this, in seconds, is no delay but a clock.
const DELAY_ABSURD: f64 = 900.0;

fn running(facts: &Facts, look: impl FnOnce(&Running) -> Vec<Finding>) -> Vec<Finding> {
    facts.running.as_ref().map(look).unwrap_or_default()
}

fn each(facts: &Facts, look: impl Fn(&Exporter) -> Option<Finding>) -> Vec<Finding> {
    running(facts, |running| {
        running.exporters.iter().filter_map(|one| look(one).map(|found| found.about(&one.address))).collect()
    })
}

/// Who is heard, and how.
pub(super) fn exporters(facts: &Facts) -> Vec<Finding> {
    let mut all = each(facts, |one| {
        let since = one.heard_since.as_deref().unwrap_or("some time");
        match one.heard.as_str() {
            "silent" => Some(
                error("exporter-silent", format!("it is silent since {since}"))
                    .why("what passes there is not seen, and attacks of which it told stay active until it is back")
                    .cure("look whether it runs and still exports to this address: `tcpdump -ni any udp and host ADDRESS`"),
            ),
            "part" => Some(
                warning("exporter-silent", format!("most of what it usually tells is missing since {since}"))
                    .why("attacks may be missed, and those of which it told stay active")
                    .cure("look for lost datagrams on the way, and whether its sampling was changed"),
            ),
            _ => {
                let rate = one.sampling_rate.map_or_else(|| "sampling unknown".to_owned(), |n| format!("sampling 1:{n}"));
                let formats = one.formats.join(", ");
                let Exporter { flows, sequence_lost, .. } = one;
                Some(ok("exporter", format!("{formats}, {rate}, {flows} records, {sequence_lost} lost")))
            }
        }
    });
    let none = |running: &Running| {
        let waited = facts.now.since(running.since);
        if !running.exporters.is_empty() {
            return Vec::new();
        }
        let what = format!("no datagram of flow export has come since {}", running.since);
        let found = if waited < PATIENCE { note("no-datagrams", what) } else { error("no-datagrams", what) };
        let ports: Vec<String> =
            facts.config.listen.addresses.iter().map(|(_, at)| at.port().to_string()).collect();
        vec![
            found
                .why("without flow export nothing is seen")
                .cure(format!("point a router's export here; `tcpdump -ni any udp port {}` shows whether it arrives, a firewall may stand before", ports.join(" or udp port "))),
        ]
    };
    // Where packets of this machine are told, there is always something.
    if !facts.config.listen.addresses.is_empty() {
        all.extend(running(facts, none));
    }
    all
}

/// Exporters that are configured and never said anything.
pub(super) fn missing(facts: &Facts) -> Vec<Finding> {
    running(facts, |running| {
        let never =
            facts.config.exporters.iter().filter(|(address, _)| {
                !running.exporters.iter().any(|one| one.address == address.to_string())
            });
        let found = never.map(|(address, _)| {
            let what = format!("no datagram has come of it since {}", running.since);
            let early = facts.now.since(running.since) < PATIENCE;
            let found = if early { note("exporter-silent", what) } else { warning("exporter-silent", what) };
            found
                .about(address.to_string())
                .why("it is configured, and what passes there is not seen")
                .cure(format!("`tcpdump -ni any udp and host {address}` shows whether it sends; else look at its export target and at firewalls"))
        });
        found.collect()
    })
}

/// Whose numbers cannot be scaled.
pub(super) fn sampling(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        (one.flows > 0 && one.sampling_rate.is_none()).then(|| {
            warning(
                "sampling-unknown",
                "it does not say its sampling rate, and the configuration does not either",
            )
            .why("its volume is never believed: attacks of which it alone tells are only shown")
            .cure(format!(
                "`[exporters.\"{}\"]` with `sampling = N` for 1:N; 1 where it does not sample",
                one.address
            ))
        })
    })
}

/// Whose records cannot be read.
pub(super) fn templates(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        if one.buffered_bytes == 0 || (one.templates > 0 && one.flows > 0) {
            return None;
        }
        let what = format!("{} octets of its data wait for a template that has not come", one.buffered_bytes);
        let found = if one.flows == 0 {
            error("templates-missing", what)
        } else {
            warning("templates-missing", what)
        };
        Some(
            found
                .why("NetFlow v9 and IPFIX cannot be read without templates, which are sent only now and then")
                .cure("have it send templates at least every 60 seconds (Cisco: `template data timeout 60`; Juniper: `template-refresh-rate seconds 60`)"),
        )
    })
}

/// What never came.
pub(super) fn sequence(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        let all = one.datagrams.saturating_add(one.sequence_lost);
        (one.sequence_lost > 0 && one.sequence_lost.saturating_mul(LOST_ONE_IN) >= all).then(|| {
            warning("sequence-lost", format!("{} of {all} never came, by their sequence numbers", one.sequence_lost))
                .why("what it tells is too little, and sums are too small")
                .cure("where `kernel-drops` is told as well, begin there; else look at the way: export in its own class of service")
        })
    })
}

/// What could not be read.
pub(super) fn faults(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        let all: u64 = one.faults.values().sum();
        (all > 0 && all.saturating_mul(LOST_ONE_IN) >= one.datagrams).then(|| {
            let mut names: Vec<(&String, &u64)> = one.faults.iter().collect();
            names.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
            let names: Vec<String> = names.iter().take(3).map(|(name, count)| format!("{name} {count}")).collect();
            warning("faults", format!("{all} faults inside {} datagrams: {}", one.datagrams, names.join(", ")))
                .why("what is faulty is left out")
                .cure("record some (`tcpdump -w f.pcap udp and host ADDRESS`) and look at them: `spillway decode f.pcap`")
        })
    })
}

/// Whose numbers are belied by their own counters.
pub(super) fn truth(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        if !one.truth_off && !one.doubtful {
            return None;
        }
        let times = one.truth_factor.map_or_else(String::new, |factor| format!(" {factor:.1} times"));
        let what = format!(
            "its interfaces count{times} what its samples say, or its flows are faster than their interface"
        );
        let found =
            if one.doubtful { error("counters-belie", what) } else { warning("counters-belie", what) };
        Some(
            found
                .why("its sampling rate is said wrong, or samples are lost in it; while it is beyond 3 nothing acts on what it tells")
                .cure(format!("compare its configured rate with `[exporters.\"{}\"] sampling`, and set `sampling_override = true` where it says another", one.address)),
        )
    })
}

/// Whose clock is off.
pub(super) fn clocks(facts: &Facts) -> Vec<Finding> {
    each(facts, |one| {
        let absurd: u64 =
            ["time_absurd", "time_reversed"].iter().filter_map(|name| one.faults.get(*name)).sum();
        let late = one.export_delay_seconds.is_some_and(|delay| delay > DELAY_ABSURD);
        (absurd > 0 || late).then(|| {
            let what = match one.export_delay_seconds.filter(|_| late) {
                Some(delay) => format!("its flows arrive {delay:.0} seconds after they were, by its clock"),
                None => format!("{absurd} of its flows have times that cannot be"),
            };
            warning("exporter-clock", what)
                .why("beginnings of attacks are told wrong, and flows that are too old are left out")
                .cure("have it follow NTP, and let its active timeout be 60 seconds or less")
        })
    })
}

/// What the kernel dropped.
pub(super) fn drops(facts: &Facts) -> Vec<Finding> {
    running(facts, |running| {
        let mut all = Vec::new();
        for listener in &running.metrics.listeners {
            if listener.socket_drops > 0 {
                let wanted = (facts.config.listen.receive_buffer as u64).saturating_mul(2);
                let small = facts.host.rmem_max.is_some_and(|max| max < wanted);
                let cure = if small {
                    sysctl(wanted)
                } else {
                    format!(
                        "`listen.receive_buffer = \"{} MiB\"`, or more `listen.workers`, or a higher sampling rate",
                        (wanted >> 20).max(1)
                    )
                };
                all.push(
                    error(
                        "kernel-drops",
                        format!(
                            "the kernel dropped {} datagrams, for the buffer was full",
                            listener.socket_drops
                        ),
                    )
                    .about(&listener.name)
                    .why("what is dropped is not seen; under attack it is the most")
                    .cure(cure),
                );
            }
            if listener.errors > 0 {
                all.push(
                    warning("receive-errors", format!("{} errors of the socket", listener.errors))
                        .about(&listener.name)
                        .why("datagrams may be lost")
                        .cure("the daemon's log names them"),
                );
            }
        }
        all
    })
}

/// Buffers that are smaller than they were asked for.
pub(super) fn buffers(facts: &Facts) -> Vec<Finding> {
    let small = |what: String, wanted: u64| {
        warning("receive-buffer", what)
            .why("a burst of datagrams finds no room, and the kernel drops it")
            .cure(sysctl(wanted))
    };
    match &facts.running {
        Some(running) => {
            let mut all: Vec<Finding> = Vec::new();
            for (listener, got, wanted) in &running.buffers {
                let is_new = !all.iter().any(|found| found.about.as_deref() == Some(listener));
                if got < wanted && is_new {
                    let what = format!(
                        "the receive buffer is {got} octets, not {wanted}: net.core.rmem_max limits it"
                    );
                    all.push(small(what, *wanted).about(*listener));
                }
            }
            all
        }
        // Whoever may administrate the network is not limited.
        None => {
            let wanted = facts.config.listen.receive_buffer as u64;
            let limited = facts.host.capabilities.is_some_and(|has| has & super::host::NET_ADMIN == 0);
            match facts.host.rmem_max {
                Some(max) if max < wanted && limited && !facts.config.listen.addresses.is_empty() => {
                    vec![small(
                        format!("net.core.rmem_max is {max}, and `listen.receive_buffer` is {wanted}"),
                        wanted,
                    )]
                }
                _ => Vec::new(),
            }
        }
    }
}

fn sysctl(wanted: u64) -> String {
    format!(
        "`sysctl -w net.core.rmem_max={wanted}`, and the same line in /etc/sysctl.d/90-spillway.conf; then restart"
    )
}

/// Who sends and is not let in.
pub(super) fn refused(facts: &Facts) -> Vec<Finding> {
    running(facts, |running| {
        let refused = running.metrics.listeners.iter().filter(|listener| listener.refused > 0);
        let found = refused.map(|listener| {
            note(
                "refused",
                format!("{} datagrams came of senders that `listen.allow` does not name", listener.refused),
            )
            .about(&listener.name)
            .why("they are not looked at; an exporter that was forgotten there is not heard")
            .cure("add its address to `listen.allow`, if it is yours")
        });
        found.collect()
    })
}
