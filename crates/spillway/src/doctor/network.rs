//! Neighbours, absorbers, and filters in the kernel.

use api::Finding;

use super::facts::Facts;
use super::{error, ok, warning};

/// Sessions with routers.
pub(super) fn peers(facts: &Facts) -> Vec<Finding> {
    let (Some(running), Some(_)) = (&facts.running, &facts.config.routing) else { return Vec::new() };
    let peers = match &running.peers {
        Ok(peers) => peers,
        Err(why) => {
            return vec![
                error("peers", format!("the desk for routes does not answer: {why}"))
                    .why("nothing can be announced or withdrawn")
                    .cure("the daemon's log says more; SIGUSR2 withdraws everything"),
            ];
        }
    };
    let mut all = Vec::new();
    for peer in peers {
        let (name, address) = (&peer.name, &peer.address);
        if peer.state != "established" {
            let last = peer
                .last_down
                .as_ref()
                .map_or_else(|| "it never was up".to_owned(), |why| format!("the last one ended: {why}"));
            all.push(
                error("peer-down", format!("the BGP session is {}; {last}", peer.state))
                    .about(name)
                    .why("nothing can be told to this router, and what it was told is gone")
                    .cure(format!("`nc -vz {}` shows whether it can be reached; then compare AS numbers, password and address at both ends", address.rsplit_once(':').map_or_else(|| address.clone(), |(host, port)| format!("{host} {port}")))),
            );
        } else if let Some(silent) = peer.silent_secs {
            all.push(
                warning(
                    "peer-down",
                    format!("the BGP session stands, but nothing has come of it for {silent} seconds"),
                )
                .about(name)
                .why("it may be gone without having said so")
                .cure("look at the router and at the way to it"),
            );
        } else {
            all.push(ok("peer", format!("established, {} routes held", peer.held)).about(name));
        }
        if peer.quarantined > 0 {
            all.push(
                warning(
                    "peer-quarantine",
                    format!("{} routes are kept from it, for it did not survive them", peer.quarantined),
                )
                .about(name)
                .why("they filter nothing there")
                .cure("`spillway route list` shows them; `spillway route release ID` tries them again"),
            );
        }
    }
    all
}

/// Those that take what is diverted.
pub(super) fn absorbers(facts: &Facts) -> Vec<Finding> {
    let all = facts.running.iter().flat_map(|running| &running.absorbers);
    // Upstreams are looked at as neighbours.
    let all = all.filter(|one| one.kind.as_deref() != Some("upstream"));
    let found = all.map(|one| {
        let lost = one.prefixes.iter().find_map(|of| Some((&of.prefix, of.trouble.as_ref()?)));
        if let Some((prefix, trouble)) = lost.filter(|_| one.state == "up") {
            return warning("absorber-loses", format!("{prefix}: {trouble}"))
                .about(&one.name)
                .why("what is clean of a diverted prefix is lost there")
                .cure("mend what the sentence names at the absorber; `spillway route absorbers` shows whether it is over");
        }
        if one.state == "up" {
            return ok("absorber", "it answers").about(&one.name);
        }
        let why = one.reason.as_deref().unwrap_or("no reason is known");
        error("absorber-down", format!("it is {}: {why}", one.state))
            .about(&one.name)
            .why("nothing can be diverted there")
            .cure(format!("look whether `spillway absorb` runs at {}, and compare the keys", one.control))
    });
    found.collect()
}

/// Whether the kernel has what it shall have.
pub(super) fn dataplane(facts: &Facts) -> Vec<Finding> {
    let Some(running) = &facts.running else { return Vec::new() };
    let Some(plane) = &running.metrics.dataplane else { return Vec::new() };
    if plane.as_wanted {
        return vec![ok(
            "dataplane",
            format!("the kernel has the {} rules that it shall have", plane.actual),
        )];
    }
    let why = running.enforcer.as_deref().unwrap_or("the daemon's log says why");
    vec![
        error("dataplane", format!("of {} rules that shall be in force the kernel has {}: {why}", plane.wanted, plane.actual))
            .why("attacks are not filtered as was decided")
            .cure("`spillway dataplane status` shows what is in force; `spillway dataplane probe` whether the kernel can"),
    ]
}
