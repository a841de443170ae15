//! Where flow export arrives.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::conf::Conf;
use crate::config::Problem;
use crate::import::draft::{Draft, quoted};

/// An address and where it came from.
type Place = (SocketAddr, String);

/// Writes `[listen]`. Each of our three listeners takes every format, so further ports use what is free.
pub(super) fn write(
    draft: &mut Draft,
    conf: &Conf<'_>,
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) {
    let on = |key: &str| conf.is_on(key, false);
    let neither = !on("sflow") && !on("netflow");
    let mut slots: [(&str, Option<Place>); 3] = [("sflow", None), ("netflow", None), ("ipfix", None)];
    let mut further = Vec::new();
    for (slot, key, port) in [(0, "sflow", 6343), (1, "netflow", 2055)] {
        let mut places =
            if neither || on(key) { addresses(conf, key, port, problems) } else { Vec::new() }.into_iter();
        if let (Some((_, place)), Some(first)) = (slots.get_mut(slot), places.next()) {
            *place = Some(first);
        }
        further.extend(places);
    }
    for place in further {
        match slots.iter_mut().rev().find(|(_, taken)| taken.is_none()) {
            Some((_, free)) => *free = Some(place),
            None => left.push(conf.source.problem(format!(
                "there are three listeners, so none at {}; send that export to one of the others, each takes every format",
                place.0
            ))),
        }
    }
    draft.section("listen");
    draft.comment("Each takes sFlow v5, NetFlow v5, v9 and IPFIX. A FastNetMon on this machine holds these ports: stop it first.");
    let mut seen: Vec<SocketAddr> = Vec::new();
    for (key, place) in slots {
        let Some((address, from)) = place.filter(|(address, _)| !seen.contains(address)) else { continue };
        seen.push(address);
        draft.value(key, quoted(&address.to_string()), from);
    }
    if neither {
        let message = "neither sflow nor netflow is on, and flow export is what is taken in; point your routers at the addresses of [listen]";
        left.push(conf.source.problem(message.to_owned()));
    }
    sampling(draft, conf, problems, left);
}

fn addresses(conf: &Conf<'_>, key: &str, port: u16, problems: &mut Vec<Problem>) -> Vec<Place> {
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let host =
        conf.parsed::<IpAddr>(&format!("{key}_host"), "an address; write it like 0.0.0.0 or ::", problems);
    let (host, mut from) =
        host.map_or((everywhere, String::new()), |(host, entry)| (host, format!(", {}", entry.from())));
    let Some(entry) = conf.get(&format!("{key}_port")) else {
        from.insert_str(0, "the usual port");
        return vec![(SocketAddr::new(host, port), from)];
    };
    let mut out = Vec::new();
    for text in entry.value.split(',').map(str::trim) {
        match text.parse() {
            Ok(port) => out.push((SocketAddr::new(host, port), format!("{}{from}", entry.from()))),
            Err(_) => {
                problems.push(entry.problem(format!("`{text}` is not a port; write numbers like 6343,6344")))
            }
        }
    }
    out
}

/// The rate that holds where an exporter does not say: theirs is one for all, ours one for each.
fn sampling(draft: &mut Draft, conf: &Conf<'_>, problems: &mut Vec<Problem>, left: &mut Vec<Problem>) {
    let form = "a whole number; write N of 1:N";
    let Some((rate, entry)) = conf.parsed::<u32>("netflow_sampling_ratio", form, problems) else { return };
    if rate > 1 {
        draft.line("");
        draft.comment(format_args!("{}: give each exporter that does not announce its rate", entry.from()));
        draft.comment("  [exporters.\"192.0.2.1\"]");
        draft.comment(format_args!("  sampling = {rate}"));
        let message = format!(
            "holds for all exporters, ours for one; write [exporters.\"ADDRESS\"] sampling = {rate} for each that does not announce its rate"
        );
        left.push(entry.problem(message));
    }
}
