//! How exporters are heard, shown to the outside: the log says it once, metrics and the API all the time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::{Span, Timestamp};
use engine::{Engine, Heard, Hearing};

use super::source::Source;

/// The kernel's table of sockets is read this often: it may be long.
const DROPS_EVERY: Span = Span::from_secs(1);
/// Exporters are looked at this often.
const LISTEN_EVERY: Span = Span::from_secs(1);

/// What the kernel dropped, as news.
#[derive(Debug, Default)]
pub(super) struct Drops {
    read: Timestamp,
    told: Option<u64>,
}

impl Drops {
    /// Datagrams dropped since the last look, when it is time to look.
    pub(super) fn since(&mut self, now: Timestamp, source: &Source) -> u64 {
        if now.since(self.read) < DROPS_EVERY {
            return 0;
        }
        self.read = now;
        let all = source.drops().iter().sum();
        // What was dropped before the first look is no news.
        all - self.told.replace(all).unwrap_or(all).min(all)
    }
}

/// How exporters were heard when it was last said.
#[derive(Debug, Default)]
pub(super) struct Ears {
    listened: Timestamp,
    heard: BTreeMap<IpAddr, Heard>,
}

impl Ears {
    /// Looks at the engine; where something changed, says so.
    pub(super) fn listen(&mut self, now: Timestamp, engine: &Engine, source: &Source) {
        if now.since(self.listened) < LISTEN_EVERY {
            return;
        }
        self.listened = now;
        let now: BTreeMap<IpAddr, Heard> = engine.heard().map(|heard| (heard.address, heard)).collect();
        for (exporter, heard) in &now {
            let doubted = self.heard.get(exporter).is_some_and(|heard| heard.doubt.is_some());
            match heard.doubt {
                Some(factor) if !doubted => tracing::warn!(
                    %exporter,
                    factor,
                    "the exporter's interfaces count, or can pass, so many times what it tells; nothing acts on that: check its sampling rate and the times of its flows"
                ),
                None if doubted => tracing::info!(%exporter, "the exporter's numbers are believed again"),
                _ => {}
            }
            let before = self.heard.get(exporter).map_or(Hearing::Whole, |heard| heard.hearing);
            match (before, heard.hearing) {
                (before, now) if before == now => {}
                (_, Hearing::Silent) => tracing::warn!(
                    %exporter,
                    "the exporter is silent; attacks of which it tells stay active until it is back"
                ),
                (_, Hearing::Part) => tracing::warn!(
                    %exporter,
                    "most of what the exporter usually tells is missing; attacks of which it tells stay active"
                ),
                (_, Hearing::Whole) => tracing::info!(%exporter, "the exporter is heard as usual again"),
            }
        }
        source.hear(&now);
        self.heard = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Source as _;
    use base::map::Seed;
    use engine::{Feed, Input, Profile, Settings};

    #[test]
    fn a_silent_exporter_is_noted_until_it_is_back() {
        let text = "networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n";
        let config = crate::config::Config::parse("f.toml".as_ref(), text).unwrap();
        let at_rest = crate::privacy::AtRest::new(&config, crate::daemon::clock::Clock::start());
        let source = Source::new(vec!["sflow"], &[], Vec::new(), at_rest.into());
        source.ready.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut engine = Engine::new(Settings::of(Profile::Daemon), Seed::new(1));
        let mut ears = Ears::default();
        let mut notes_at = |second: u64| {
            let until = Timestamp::from_secs(1_800_000_000 + second);
            let feed = Feed {
                exporter: 3,
                address: IpAddr::from([192, 0, 2, 1]),
                datagrams: 10,
                records: 80,
                lost_datagrams: 0,
                lost_records: 0,
                doubt: None,
                delay: None,
                discards: Vec::new(),
            };
            let feeds = if (100..120).contains(&second) { Vec::new() } else { vec![feed] };
            engine.handle(until, Input::Health { until, feeds, dropped: 0 });
            ears.listen(until, &engine, &source);
            (source.notes(), source.metrics().exporters)
        };
        for second in 0..160 {
            let (notes, exporters) = notes_at(second);
            let known = exporters.iter().find_map(|exporter| exporter.hearing);
            match second {
                0..50 => assert_eq!(known, None),
                90..110 | 145.. => {
                    assert_eq!((notes.len(), known), (0, Some(api::metrics::Hearing::Whole)), "{second}");
                }
                112..120 => {
                    assert_eq!(known, Some(api::metrics::Hearing::Silent));
                    assert!(notes[0].starts_with("exporter 192.0.2.1 is silent since 2027-"), "{notes:?}");
                }
                _ => {}
            }
        }
    }
}
