//! A customer's network is a possible victim of its own, whatever its length.

use base::{Prefix, Span};
use engine::{Profile, Settings};
use sim::{Event, Kind};

use crate::world::{found_with, measured};

#[test]
fn a_carpet_thin_over_a_customers_network_is_found_there() {
    let mut scenario = measured("background", 2);
    let whole = scenario.config.networks[0];
    let network = Prefix::of(whole.addr(), 18);
    let start = scenario.config.start.plus(Span::from_secs(15));
    // Ten packets/s for each of 16,384 hosts: nothing for any of their /20s.
    scenario.events = vec![Event::new(Kind::UdpFlood, network, start, Span::from_secs(40), 35e3)];
    let customers = vec![("acme".to_string(), vec![network])];
    let settings = Settings { customers, ..Settings::of(Profile::Daemon) };
    let told = found_with(&scenario, settings);
    assert_eq!(told.iter().map(|a| a.target).collect::<Vec<_>>(), [network]);
    assert_eq!(told[0].vectors[0].name, "udp-flood");
}
