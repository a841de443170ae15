//! Which networks are behind a neighbour, as paths tell: its own, and each that some path names to the right of it (in RFC 8704
//! §3.4 the networks whose addresses may come from there).
//!
//! Whatever is not sure makes a cone larger, never smaller: members of a set are all behind it, and a cone that finds no more room
//! holds everybody.

use alloc::collections::{BTreeMap, BTreeSet};

use base::Prefix;

use super::attribute::Segment;

/// Networks of one cone at most; the whole Internet has some 80,000 (2026).
pub const NETWORKS_MAX: usize = 1 << 17;
/// Prefixes of one cone at most that are announced by others, too.
pub const SHARED_MAX: usize = 1 << 16;

/// A number of a path, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The number.
    pub asn: u32,
    /// Which piece of the path it is of.
    pub segment: usize,
    /// Whether that is a set, whose order says nothing.
    pub set: bool,
}

/// The numbers of a path that was read.
pub fn hops(path: &[Segment]) -> impl Iterator<Item = Hop> + Clone {
    path.iter().enumerate().flat_map(|(place, segment)| {
        let set = matches!(segment.kind, 1 | 4);
        segment.asns.iter().map(move |asn| Hop { asn: *asn, segment: place, set })
    })
}

/// The part of a path from a network on, itself among it; nothing where the path does not name it.
fn behind(path: impl Iterator<Item = Hop> + Clone, asn: u32) -> impl Iterator<Item = Hop> + Clone {
    let found = path.clone().find(|hop| hop.asn == asn);
    path.skip_while(move |hop| {
        found.is_none_or(|found| hop.asn != asn && !(found.set && hop.segment == found.segment))
    })
}

/// The networks behind some neighbours, as far as paths told.
#[derive(Clone, Debug, Default)]
pub struct Cones(BTreeMap<u32, Cone>);

#[derive(Clone, Debug, Default)]
struct Cone {
    networks: BTreeSet<u32>,
    /// Prefixes that come from there by a path, and of which it is not said that a network behind it announces them.
    shared: BTreeSet<Prefix>,
    /// There was no room for more of either.
    full: bool,
}

impl Cones {
    /// Of these neighbours; nothing is known of them yet.
    pub fn of(neighbours: impl IntoIterator<Item = u32>) -> Self {
        Self(neighbours.into_iter().map(|asn| (asn, Cone::default())).collect())
    }

    /// Whether nobody's is looked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some path named a neighbour.
    pub fn names(&self, neighbour: u32) -> bool {
        self.0.get(&neighbour).is_some_and(|cone| !cone.networks.is_empty())
    }

    /// A path to a prefix, for whose announcer `origin` is taken.
    pub fn look(&mut self, prefix: Prefix, origin: Option<u32>, path: impl Iterator<Item = Hop> + Clone) {
        for (neighbour, cone) in &mut self.0 {
            let mut announced = None;
            for hop in behind(path.clone(), *neighbour) {
                announced = Some(announced.unwrap_or(false) || origin == Some(hop.asn));
                if cone.networks.len() < NETWORKS_MAX || cone.networks.contains(&hop.asn) {
                    cone.networks.insert(hop.asn);
                } else {
                    cone.full = true;
                }
            }
            if announced == Some(false) {
                if cone.shared.len() < SHARED_MAX || cone.shared.contains(&prefix) {
                    cone.shared.insert(prefix);
                } else {
                    cone.full = true;
                }
            }
        }
    }

    /// Whether a route, with whoever announces it, may be behind a neighbour. `None`: no path names the neighbour, or nobody
    /// says who announces the route.
    pub fn admits(&self, neighbour: u32, (prefix, origin): (Prefix, Option<u32>)) -> Option<bool> {
        let cone = self.0.get(&neighbour).filter(|cone| !cone.networks.is_empty())?;
        if cone.full || cone.shared.contains(&prefix) {
            return Some(true);
        }
        Some(cone.networks.contains(&origin?))
    }
}

/// What two together say: whoever may come by what one knows may come.
pub fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one || other),
        _ => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const NEIGHBOUR: u32 = 64_500;

    fn route(text: &str, origin: u32) -> (Prefix, Option<u32>) {
        (text.parse().unwrap(), Some(origin))
    }

    fn seen(paths: &[(&str, Option<u32>, &[Segment])]) -> Cones {
        let mut cones = Cones::of([NEIGHBOUR, 64_999]);
        for (prefix, origin, path) in paths {
            cones.look(prefix.parse().unwrap(), *origin, hops(path));
        }
        cones
    }

    #[test]
    fn a_cone_has_its_neighbour_and_whoever_stands_to_the_right_of_it_prepended_or_in_a_set() {
        let sequence = |asns: &[u32]| Segment::sequence(asns.to_vec());
        let set = |asns: &[u32]| Segment { kind: 1, asns: asns.to_vec() };
        let cones = seen(&[
            ("9.1.0.0/16", Some(3), &[sequence(&[1, NEIGHBOUR, NEIGHBOUR, NEIGHBOUR, 2, 3])]),
            ("9.2.0.0/16", None, &[sequence(&[4, NEIGHBOUR]), set(&[5, 6])]),
            ("9.3.0.0/16", None, &[sequence(&[7]), set(&[8, NEIGHBOUR]), sequence(&[9])]),
            ("9.4.0.0/16", Some(11), &[sequence(&[10, 11])]),
        ]);
        let behind = |asn| cones.admits(NEIGHBOUR, route("9.9.0.0/16", asn));
        for asn in [NEIGHBOUR, 2, 3, 5, 6, 8, 9] {
            assert_eq!(behind(asn), Some(true), "{asn}");
        }
        for asn in [1, 4, 7, 10, 11] {
            assert_eq!(behind(asn), Some(false), "{asn}");
        }
        assert_eq!([NEIGHBOUR, 64_999, 3].map(|asn| cones.names(asn)), [true, false, false]);
        // Nobody says who announces it; no path names the other neighbour, nor one that nobody asked for.
        assert_eq!(cones.admits(NEIGHBOUR, ("9.9.0.0/16".parse().unwrap(), None)), None);
        assert_eq!(cones.admits(64_999, route("9.1.0.0/16", 3)), None);
        assert_eq!(cones.admits(3, route("9.1.0.0/16", 3)), None);
    }

    #[test]
    fn a_prefix_that_several_announce_may_come_from_where_one_of_them_is() {
        let path = [Segment::sequence(vec![NEIGHBOUR, 2])];
        let cones = seen(&[("9.1.0.0/16", Some(1), &path)]);
        assert_eq!(cones.admits(NEIGHBOUR, route("9.1.0.0/16", 1)), Some(true));
        assert_eq!(cones.admits(NEIGHBOUR, route("9.2.0.0/16", 1)), Some(false));
    }

    #[test]
    fn a_cone_without_room_holds_everybody() {
        let asns = (0u32..).take(NETWORKS_MAX + 1).collect();
        let long = [Segment::sequence(vec![NEIGHBOUR]), Segment { kind: 1, asns }];
        let cones = seen(&[("9.1.0.0/16", Some(1), &long)]);
        assert_eq!(cones.admits(NEIGHBOUR, route("9.9.0.0/16", 4_000_000_000)), Some(true));
        let mut cones = Cones::of([NEIGHBOUR]);
        for n in 0..=u32::try_from(SHARED_MAX).unwrap() {
            let prefix = Prefix::of(core::net::Ipv4Addr::from_bits(n << 8).into(), 24);
            cones.look(prefix, Some(1), hops(&[Segment::sequence(vec![NEIGHBOUR, 2])]));
        }
        assert_eq!(cones.admits(NEIGHBOUR, route("223.9.0.0/16", 7)), Some(true));
    }

    #[test]
    fn what_one_knows_lets_in_and_what_nobody_knows_stays_unknown() {
        assert_eq!(either(Some(false), Some(true)), Some(true));
        assert_eq!(either(None, Some(false)), Some(false));
        assert_eq!(either(None, None), None);
    }
}
