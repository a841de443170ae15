//! FlowSpec as a configuration of ExaBGP 4.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::flowspec::{self, Planned};
use crate::component::{self, Component, Value};
use crate::family::Family;
use crate::rule::{Action, Rule};

/// A complete configuration file. The neighbor is a placeholder: its addresses and AS numbers are the operator's.
pub fn text(rules: &[Rule]) -> String {
    let mut errors = String::new();
    let mut routes = String::new();
    for (number, planned) in (1..).zip(flowspec::plan(rules)) {
        match route(number, &planned) {
            Ok(route) => routes.push_str(&route),
            Err(reason) => errors.push_str(&format!("# {}: error: {reason}\n", planned.rule.id)),
        }
    }
    format!(
        "# Put your router's addresses and AS numbers here.\n\
         neighbor 127.0.0.1 {{\n\trouter-id 127.0.0.2;\n\tlocal-address 127.0.0.2;\n\tlocal-as 65000;\n\
         \tpeer-as 65000;\n\tfamily {{\n\t\tipv4 flow;\n\t\tipv6 flow;\n\t}}\n\
         \tflow {{\n{routes}\t}}\n}}\n{errors}"
    )
}

fn route(number: u32, planned: &Planned<'_>) -> Result<String, String> {
    let components = planned.components.as_ref().map_err(Clone::clone)?;
    let mut matches = String::new();
    for component in components {
        matches.push_str(&format!("\t\t\t\t{};\n", part(component, planned.family)?));
    }
    let then = then(planned.rule.action);
    Ok(format!(
        "\t\t# {}\n\t\troute r{number} {{\n\t\t\tmatch {{\n{matches}\t\t\t}}\n\t\t\tthen {{\n\t\t\t\t{then};\n\t\t\t}}\n\t\t}}\n",
        planned.rule.id
    ))
}

/// `source-port [ =53 >=1024&<=2000 ]`.
fn part(component: &Component, family: Family) -> Result<String, String> {
    let name = match (component.kind, family) {
        (component::DST, _) => "destination",
        (component::SRC, _) => "source",
        (component::PROTOCOL, Family::V4) => "protocol",
        (component::PROTOCOL, Family::V6) => "next-header",
        (component::PORT, _) => "port",
        (component::DST_PORT, _) => "destination-port",
        (component::SRC_PORT, _) => "source-port",
        (component::ICMP_TYPE, _) => "icmp-type",
        (component::ICMP_CODE, _) => "icmp-code",
        (component::TCP_FLAGS, _) => "tcp-flags",
        (component::LENGTH, _) => "packet-length",
        // What RFC 8956 calls DSCP; ExaBGP writes the value as it stands.
        (component::DSCP, Family::V4) => "dscp",
        (component::DSCP, Family::V6) => "traffic-class",
        (component::FRAGMENT, _) => "fragment",
        (kind, _) => return Err(format!("FlowSpec has no component {kind}")),
    };
    let octets = match &component.value {
        Value::Prefix(prefix) => return Ok(format!("{name} {prefix}")),
        Value::Octets(octets) => octets,
    };
    let bits = matches!(component.kind, component::TCP_FLAGS | component::FRAGMENT);
    let mut list = String::new();
    for operator in component::operators(octets) {
        if component.kind == component::LENGTH && operator.value > 0xffff {
            return Err(format!("ExaBGP takes no length of {}; the largest is 65535", operator.value));
        }
        list.push_str(if operator.and { "&" } else { " " });
        let value = operator.value;
        list.push_str(&match (bits, operator.test) {
            (true, component::MATCH) => format!("={value:#x}"),
            (true, component::NOT) => format!("!{value:#x}"),
            (true, _) => format!("{value:#x}"),
            (false, test) => {
                let less = if test & component::LT != 0 { "<" } else { "" };
                let more = if test & component::GT != 0 { ">" } else { "" };
                format!("{less}{more}={value}")
            }
        });
    }
    Ok(format!("{name} [{list} ]"))
}

fn then(action: Action) -> String {
    match action {
        Action::Pass | Action::Challenge(_) | Action::Tunnel(..) => "accept".into(),
        Action::Drop => "discard".into(),
        Action::Redirect(to) => format!("redirect-to-nexthop-ietf {to}"),
        // ExaBGP's own `rate-limit` takes whole octets only and no packets.
        Action::RateBits(_) | Action::RatePackets(_) => {
            let octets = flowspec::community(action).map_or_else(Vec::new, |octets| octets.to_vec());
            format!("extended-community 0x{}", flowspec::hex(&octets))
        }
    }
}
