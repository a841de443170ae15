//! Where the sources of an attack are: each place once, with what comes from there by verdict.

use std::collections::BTreeMap;

use api::{Origin, Origins, Share};
use base::Timestamp;
use intel::enrich::Position;
use intel::export::csv;
use intel::finding::Finding;

/// Places of one attack at most; what is at others has no place.
const PLACES_MAX: usize = 4096;

/// Position, country, city.
type Key = (Option<Position>, Option<String>, Option<String>);

/// Of these findings, concluded `at`; rates are since those that were concluded `before`.
pub(super) fn of(findings: &[Finding], at: Timestamp, before: Option<(Timestamp, &Origins)>) -> Origins {
    let mut places: BTreeMap<Key, Origin> = BTreeMap::new();
    for finding in findings {
        let mut key = (finding.position, finding.country.clone(), finding.city.clone());
        if places.len() >= PLACES_MAX && !places.contains_key(&key) {
            key = (None, None, None);
        }
        let origin = places.entry(key).or_insert_with_key(empty);
        let verdict = origin.verdicts.entry(csv::word(finding.class).to_owned()).or_default();
        for share in [&mut origin.all, verdict] {
            share.sources = share.sources.saturating_add(1);
            share.packets = share.packets.saturating_add(finding.packets);
        }
    }
    let mut places: Vec<Origin> = places.into_values().collect();
    if let Some((then, before)) = before {
        let had: BTreeMap<_, u64> =
            before.places.iter().map(|origin| (name(origin), origin.all.packets)).collect();
        let secs = at.since(then).as_secs_f64();
        for origin in &mut places {
            let new = origin.all.packets.saturating_sub(had.get(&name(origin)).copied().unwrap_or(0));
            rate(origin, if secs > 0.0 { float(new) / secs } else { 0.0 });
        }
    }
    Origins { places }
}

/// Whether anything came from anywhere.
pub(super) fn moves(origins: &Origins) -> bool {
    origins.places.iter().any(|origin| origin.all.pps > 0.0)
}

/// The same, when nothing came any more.
pub(super) fn at_rest(origins: &Origins) -> Origins {
    let mut places = origins.places.clone();
    places.iter_mut().for_each(|origin| rate(origin, 0.0));
    Origins { places }
}

fn empty((position, country, city): &Key) -> Origin {
    Origin {
        city: city.clone(),
        country: country.clone(),
        latitude: position.map(Position::latitude),
        longitude: position.map(Position::longitude),
        all: Share::default(),
        verdicts: BTreeMap::new(),
    }
}

/// What tells places apart.
fn name(origin: &Origin) -> impl Ord + use<> {
    let bits = |degrees: Option<f64>| degrees.map(f64::to_bits);
    (bits(origin.latitude), bits(origin.longitude), origin.country.clone(), origin.city.clone())
}

/// Verdicts change while an attack goes on, so the rate of a place is divided as its packets are.
fn rate(origin: &mut Origin, pps: f64) {
    let all = float(origin.all.packets);
    for share in origin.verdicts.values_mut() {
        share.pps = if all > 0.0 { pps * float(share.packets) / all } else { 0.0 };
    }
    origin.all.pps = pps;
}

#[expect(clippy::cast_precision_loss, reason = "a rate that is drawn")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use intel::finding::Class;

    use super::*;

    fn finding(n: u8, class: Class, city: Option<&str>, packets: u64) -> Finding {
        let mut finding = Finding::of([192, 0, 2, n].into(), class);
        finding.packets = packets;
        finding.city = city.map(str::to_owned);
        finding.country = city.map(|_| "QM".to_owned());
        finding.position = city.and_then(|_| Position::of(51.5, 9.1));
        finding
    }

    #[test]
    fn sources_are_summed_by_place_and_rates_are_of_what_is_new() {
        let at = Timestamp::from_secs(100);
        let first =
            [finding(1, Class::Unknown, Some("Sampleton"), 100), finding(2, Class::Unknown, None, 50)];
        let before = of(&first, at, None);
        assert!(before.places.iter().all(|place| place.all.pps == 0.0));
        let second = [
            finding(1, Class::Bot, Some("Sampleton"), 300),
            finding(2, Class::Spoofed, None, 50),
            finding(3, Class::Reflector, Some("Sampleton"), 100),
        ];
        let later = of(&second, Timestamp::from_secs(102), Some((at, &before)));
        let [nowhere, there] = later.places.as_slice() else { panic!("{later:?}") };
        assert_eq!((nowhere.latitude, nowhere.all), (None, Share { sources: 1, packets: 50, pps: 0.0 }));
        assert_eq!((there.latitude, there.longitude), (Some(51.5), Some(9.1)));
        assert_eq!(there.all, Share { sources: 2, packets: 400, pps: 150.0 });
        assert_eq!(there.verdicts["bot"].pps, 112.5);
        let rest = at_rest(&later);
        assert!(moves(&later) && !moves(&rest));
        assert_eq!(rest.places[1].all.packets, 400);
        assert_eq!(there.verdicts["reflector"], Share { sources: 1, packets: 100, pps: 37.5 });
    }

    #[test]
    fn places_have_a_cap_and_nothing_is_lost() {
        let many: Vec<Finding> = (0..5_000u32)
            .map(|n| {
                let mut one = finding(1, Class::Bot, None, 1);
                one.city = Some(n.to_string());
                one
            })
            .collect();
        let places = of(&many, Timestamp::from_secs(1), None).places;
        assert!(places.len() <= PLACES_MAX + 1);
        assert_eq!(places.iter().map(|place| place.all.sources).sum::<u64>(), 5_000);
    }
}
