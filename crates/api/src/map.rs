//! `/api/v1/map`: where the sources of attacks that go on are, and where the own networks, for the map of the dashboard.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::door::Caller;
use crate::router::Shared;
use crate::view;

/// Places of a map at most; those with less traffic are summed.
const PLACES_MAX: usize = 500;

/// Sources, and what they send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// Distinct addresses of each attack, summed over attacks.
    pub sources: u64,
    /// Packets since the attacks began, estimated where sampled.
    pub packets: u64,
    /// Packets/s of the last seconds, likewise.
    pub pps: f64,
}

impl Share {
    fn add(&mut self, other: Self) {
        self.sources = self.sources.saturating_add(other.sources);
        self.packets = self.packets.saturating_add(other.packets);
        self.pps += other.pps;
    }
}

/// One place, and what comes from there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    /// City; `null`: not known.
    pub city: Option<String>,
    /// ISO 3166 two-letter country; `null`: not known.
    pub country: Option<String>,
    /// Degrees, north positive; `null`: it is known by name alone.
    pub latitude: Option<f64>,
    /// Degrees, east positive; `null` likewise.
    pub longitude: Option<f64>,
    /// All sources there.
    #[serde(flatten)]
    pub all: Share,
    /// By verdict: `spoofed`, `real`, `reflector`, `bot`, `legitimate` or `unknown`. Who forges an address is not where it is.
    pub verdicts: BTreeMap<String, Share>,
}

impl Origin {
    fn key(&self) -> impl Ord + use<> {
        let bits = |degrees: Option<f64>| degrees.map(f64::to_bits);
        (bits(self.latitude), bits(self.longitude), self.country.clone(), self.city.clone())
    }

    fn add(&mut self, other: &Self) {
        self.all.add(other.all);
        for (verdict, share) in &other.verdicts {
            self.verdicts.entry(verdict.clone()).or_default().add(*share);
        }
    }
}

/// Where the sources of one attack are, as they were concluded last.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Each place once. Those of which neither country nor position is known are one, without a name.
    pub places: Vec<Origin>,
}

/// Where an own network is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Which.
    pub prefix: String,
    /// City; `null`: not known.
    pub city: Option<String>,
    /// ISO 3166 two-letter country; `null`: not known.
    pub country: Option<String>,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
}

/// What the map shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Map {
    /// Attacks whose sources are in it.
    attacks: u64,
    /// Attacks that go on, and whose sources nobody follows.
    not_followed: u64,
    /// Those with the most traffic first; at most 500.
    places: Vec<Origin>,
    /// Sources of which nobody knows where they are.
    unplaced: Share,
    /// Sources at further places.
    further: Share,
    /// Own networks of which it is known where they are.
    sites: Vec<Site>,
}

/// Where the sources of attacks that go on are, by verdict. A customer sees those of attacks that reach nobody else.
#[utoipa::path(get, path = "/api/v1/map", tag = "attacks", responses((status = 200, body = Map)))]
pub(crate) async fn show(State(shared): State<Shared>, caller: Caller) -> Json<Map> {
    let veil = shared.veil(&caller);
    let live = shared.source.live();
    let mut followed: Vec<Arc<Origins>> = Vec::new();
    let mut not_followed = 0;
    for held in live.attacks.iter().filter(|held| !held.over) {
        if !veil.is_clear() && !view::is_own(&veil, held.document.get()) {
            continue;
        }
        match shared.source.origins(&held.id) {
            Some(origins) => followed.push(origins),
            None => not_followed += 1,
        }
    }
    let (places, unplaced, further) = merged(followed.iter().flat_map(|origins| &origins.places));
    let mut sites = shared.source.sites();
    sites.retain(|site| veil.is_clear() || site.prefix.parse().is_ok_and(|prefix| veil.sees(&prefix)));
    let attacks = u64::try_from(followed.len()).unwrap_or(u64::MAX);
    Json(Map { attacks, not_followed, places, unplaced, further, sites })
}

/// Each place once, the most traffic first; what has no place; and what finds none in the list.
fn merged<'a>(all: impl Iterator<Item = &'a Origin>) -> (Vec<Origin>, Share, Share) {
    let (mut unplaced, mut further) = (Share::default(), Share::default());
    let mut places = BTreeMap::new();
    for origin in all {
        if origin.latitude.is_none() && origin.country.is_none() {
            unplaced.add(origin.all);
            continue;
        }
        let empty = || Origin { all: Share::default(), verdicts: BTreeMap::new(), ..origin.clone() };
        places.entry(origin.key()).or_insert_with(empty).add(origin);
    }
    let mut places: Vec<Origin> = places.into_values().collect();
    // equals keep the order of their names
    places.sort_by(|a, b| b.all.pps.total_cmp(&a.all.pps).then(b.all.packets.cmp(&a.all.packets)));
    for origin in places.drain(PLACES_MAX.min(places.len())..) {
        further.add(origin.all);
    }
    (places, unplaced, further)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(latitude: Option<f64>, city: &str, verdict: &str, pps: f64) -> Origin {
        let all = Share { sources: 2, packets: 10, pps };
        let known = latitude.map(|_| "QM".to_owned());
        let city = Some(city.to_owned()).filter(|city| !city.is_empty());
        let verdicts = [(verdict.to_owned(), all)].into();
        Origin { city, country: known, latitude, longitude: latitude, all, verdicts }
    }

    #[test]
    fn places_of_several_attacks_are_one_and_nothing_is_lost() {
        let all = [
            origin(Some(1.0), "Sampleton", "bot", 5.0),
            origin(Some(1.0), "Sampleton", "reflector", 7.0),
            origin(Some(2.0), "Mockville", "bot", 20.0),
            origin(None, "", "spoofed", 100.0),
        ];
        let (places, unplaced, further) = merged(all.iter());
        let shown: Vec<_> = places.iter().map(|one| (one.city.as_deref(), one.all.pps)).collect();
        assert_eq!(shown, [(Some("Mockville"), 20.0), (Some("Sampleton"), 12.0)]);
        assert_eq!(places[1].verdicts.len(), 2);
        assert_eq!((unplaced.pps, unplaced.sources, further), (100.0, 2, Share::default()));
    }

    #[test]
    fn the_map_has_a_cap_and_says_what_it_leaves_out() {
        let all: Vec<_> =
            (0..600u32).map(|n| origin(Some(f64::from(n) / 10.0), "", "bot", f64::from(n))).collect();
        let (places, _, further) = merged(all.iter());
        assert_eq!(places.len(), PLACES_MAX);
        assert_eq!(places[0].all.pps, 599.0);
        assert_eq!((further.sources, further.packets), (200, 1_000));
    }
}
