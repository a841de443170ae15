//! Recorded attacks within recorded ordinary traffic. Nothing here is ever added to what was made up.
//!
//! What each recording holds is told by the same table that the tests go by.

#[path = "../../../crates/spillway/tests/recorded/frames.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests; a recording that cannot be read is no measurement"
)]
mod frames;
#[path = "../../../crates/spillway/tests/recorded/truth.rs"]
mod truth;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base::{Prefix, Span, Timestamp};
use engine::report::RuleReport;
use engine::{Profile, Settings};
use rules::{Action, Rule, RuleSet};
use serde::{Deserialize, Serialize};
use sim::event::{Direction, Story};
use sim::exporter::{Fleet, Settings as Router};
use sim::{Packet, Truth};
use telemetry::Record;

use self::frames::{Frame, files, load, rebased, span};
use self::truth::{ATTACKS, NOT_A_MUST, Recorded};
use crate::feed::Feed;
use crate::quantile::count;
use crate::trial::lead_in;
use crate::{judge, watch};

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    /// File of the attack; without it the ordinary traffic is alone.
    pub(crate) attack: Option<&'static str>,
    pub(crate) view: View,
    /// Of the sampler.
    pub(crate) seed: u64,
}

/// How it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// As a capture: every packet, without the daemon's harm floor.
    Capture,
    /// Through a router that samples 1:N, by the daemon's defaults.
    Router(Feed, u32),
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Seconds from the first packet of the recording to the alarm.
    pub(crate) delay: Option<f64>,
    pub(crate) called: Option<String>,
    pub(crate) named: bool,
    /// Whether it has to be found.
    pub(crate) must: bool,
    pub(crate) strays: Vec<String>,
    /// Where the table tells packet by packet: shares of the recording's attack packets, and of honest packets and peers,
    /// that the final rules hit.
    pub(crate) hit: Option<(f64, f64, f64)>,
    /// Of the whole run.
    pub(crate) seconds: f64,
    pub(crate) packets: usize,
}

/// Ordinary traffic before the attack, in seconds.
const LEAD: u64 = 10;
/// From one ordinary recording to the next.
const STAGGER: Span = Span::from_millis(250);
/// When a run begins.
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The views, each with the number of its sampler seeds.
pub(crate) const VIEWS: [(View, u64); 4] = [
    (View::Capture, 1),
    (View::Router(Feed::Sflow, 10), 5),
    (View::Router(Feed::Sflow, 100), 5),
    (View::Router(Feed::Prompt, 10), 5),
];

impl View {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Capture => "every packet".into(),
            Self::Router(feed, sampling) => format!("{} 1:{sampling}", feed.name()),
        }
    }
}

/// The folder of recordings, when it is there.
pub(crate) fn data() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SPILLWAY_TEST_DATA").map_or(default, PathBuf::from);
    folder.join("attacks").is_dir().then_some(folder)
}

/// Files of attacks, those that have to be found first.
pub(crate) fn attacks() -> impl Iterator<Item = &'static str> {
    ATTACKS.iter().map(|recorded| recorded.file).chain([NOT_A_MUST])
}

impl Splice {
    pub(crate) fn key(&self) -> String {
        format!("recorded {} {} seed {}", self.attack.unwrap_or("none"), self.view.name(), self.seed)
    }

    pub(crate) fn run(&self) -> Result<Seen, String> {
        let data = data().ok_or("no recordings: set SPILLWAY_TEST_DATA")?;
        let ordinary = ordinary(&data);
        let begin = START.plus(lead_in(LEAD, self.seed));
        let attack = match self.attack {
            Some(file) => rebased(&load(&data.join("attacks").join(file)), begin),
            None => Vec::new(),
        };
        let mut all: Vec<&Frame> = ordinary.iter().chain(&attack).collect();
        all.sort_by_key(|frame| frame.at);
        let end = all.last().map_or(START, |frame| frame.at).plus(Span::from_secs(1));
        let alarms = self.view.watch(&all, end, self.seed).alarms;
        let recorded = ATTACKS.iter().find(|recorded| Some(recorded.file) == self.attack);
        let story = recorded.map(|recorded| story(recorded, begin, &attack));
        let holds = if let View::Router(feed, _) = self.view { feed.holds() } else { Span::ZERO };
        let until = story.as_ref().map_or(START, |story| story.end.plus(holds).plus(Span::from_secs(1)));
        let explained: Vec<_> = story.iter().map(|story| (story, until)).collect();
        let verdict = story.as_ref().map(|story| judge::verdict(&alarms, story, &[], until));
        let called = verdict.as_ref().and_then(|verdict| verdict.called.clone());
        let start = story.as_ref().map_or(START, |story| story.start);
        let rules: Vec<RuleReport> = alarms
            .iter()
            .filter(|alarm| story.as_ref().is_some_and(|story| judge::fits(&alarm.last, story)))
            .flat_map(|alarm| alarm.last.rules.clone())
            .collect();
        Ok(Seen {
            delay: verdict.as_ref().and_then(|verdict| verdict.delay),
            named: recorded.is_some_and(|recorded| {
                called.as_deref().is_some_and(|name| name == recorded.vector || recorded.also.contains(&name))
            }),
            called,
            must: recorded.is_some(),
            strays: judge::strays(&alarms, &explained)
                .iter()
                .map(|alarm| judge::short(alarm, start))
                .collect(),
            hit: recorded.and_then(|recorded| hit(recorded, &rules, &attack, &ordinary)),
            seconds: end.since(START).as_secs_f64(),
            packets: all.len(),
        })
    }
}

/// All ordinary recordings beside each other, look-alikes included, with their gaps cut.
fn ordinary(data: &Path) -> Vec<Frame> {
    let mut all = Vec::new();
    for (number, file) in (0..).zip(files(&data.join("benign"))) {
        all.extend(rebased(&load(&file), START.plus(STAGGER.times(number))));
    }
    all.sort_by_key(|frame| frame.at);
    all
}

impl View {
    fn watch(self, frames: &[&Frame], end: Timestamp, seed: u64) -> watch::Seen {
        let parsed = || frames.iter().filter_map(|frame| Some((frame.at, frame.parse()?)));
        match self {
            Self::Capture => watch::packets(
                parsed().map(|(at, parsed)| Record::packet(at, &parsed)),
                Settings::of(Profile::Capture),
            ),
            Self::Router(feed, sampling) => {
                let routers = feed.routers(1, sampling, START, seed);
                let routers = routers.into_iter().map(|router| Router { thinned: false, ..router }).collect();
                let packets = parsed().map(|(at, parsed)| Packet::read(at, &parsed, Truth::BENIGN, true));
                let fleet = Fleet::over(packets, START, end, routers);
                watch::datagrams(fleet, Settings::of(Profile::Daemon), |_| false)
            }
        }
    }
}

fn story(recorded: &Recorded, start: Timestamp, attack: &[Frame]) -> Story {
    let victim: Option<IpAddr> = recorded.victim.parse().ok();
    Story {
        name: recorded.file.into(),
        attack: true,
        vectors: vec![recorded.vector.into()],
        target: victim.map_or_else(|| Prefix::of(IpAddr::from([0, 0, 0, 0]), 0), Prefix::host),
        direction: Direction::In,
        own: Vec::new(),
        port: None,
        start,
        end: start.plus(span(attack)),
        pps: 0.0,
    }
}

/// What the rules do to the whole recording and to everything honest in the run.
fn hit(
    recorded: &Recorded,
    reports: &[RuleReport],
    attack: &[Frame],
    ordinary: &[Frame],
) -> Option<(f64, f64, f64)> {
    let packets = recorded.packets.as_ref()?;
    let victim: IpAddr = recorded.victim.parse().ok()?;
    let rules: Vec<Rule> =
        reports.iter().filter_map(|report| rules::parse::rules(&report.text).ok()).flatten().collect();
    let set = RuleSet::new(rules);
    let falls = |frame: &Frame| {
        frame.parse().is_some_and(|p| set.decide(&p).is_some_and(|rule| rule.action != Action::Pass))
    };
    let mine: Vec<&Frame> = attack.iter().filter(|frame| (packets.is_attack)(frame, victim)).collect();
    if mine.len() != packets.count {
        return None;
    }
    let removed = mine.iter().filter(|frame| falls(frame)).count();
    let beside = attack.iter().filter(|frame| (packets.is_ordinary)(frame, victim));
    let (mut honest, mut honest_hit) = (0, 0);
    let mut peers: BTreeMap<IpAddr, bool> = BTreeMap::new();
    for frame in ordinary.iter().chain(beside) {
        let falls = falls(frame);
        honest += 1;
        honest_hit += usize::from(falls);
        if let Some(parsed) = frame.parse() {
            *peers.entry(parsed.headers.src).or_default() |= falls;
        }
    }
    let peers_hit = peers.values().filter(|hit| **hit).count();
    Some((
        count(removed) / count(packets.count.max(1)),
        count(honest_hit) / count(honest.max(1)),
        count(peers_hit) / count(peers.len().max(1)),
    ))
}
