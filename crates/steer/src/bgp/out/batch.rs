//! Routes that share a message.

use std::net::IpAddr;

use wire::bgp::{Attributes, Family, update};

use super::Route;

/// What an announcement says of its routes: next hop and attributes.
type Said = (Option<IpAddr>, Attributes);

/// Routes that go in one message: withdrawals of a family, or announcements that say the same.
#[derive(Default)]
pub(super) struct Batch {
    said: Option<(Family, Option<Said>)>,
    routes: Vec<Vec<u8>>,
}

impl Batch {
    /// Whether a route of this family, or its end, goes with the others.
    pub(super) fn takes(&self, of: Family, route: Option<&Route>) -> bool {
        let Some((family, said)) = &self.said else { return true };
        let same = match (said, route) {
            (None, None) => true,
            (Some((hop, attributes)), Some(route)) => {
                *hop == route.next_hop && *attributes == route.attributes
            }
            _ => false,
        };
        *family == of && same
    }

    /// Takes one in.
    pub(super) fn push(&mut self, family: Family, nlri: Vec<u8>, route: Option<&Route>) {
        if self.said.is_none() {
            self.said = Some((family, route.map(|route| (route.next_hop, route.attributes.clone()))));
        }
        self.routes.push(nlri);
    }

    /// The messages; empty afterwards.
    pub(super) fn close(&mut self, four: bool) -> Vec<Vec<u8>> {
        let routes = std::mem::take(&mut self.routes);
        match self.said.take() {
            None => Vec::new(),
            Some((family, None)) => update::withdraw(family, &routes).0,
            Some((family, Some((hop, attributes)))) => {
                update::announce(family, hop, &attributes, &routes, four).0
            }
        }
    }
}
