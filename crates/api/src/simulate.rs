//! `/api/v1/targets/simulate`: how often a threshold would have fired on recorded days.
//!
//! What is kept of the past are sums by minute (48 hours) and by hour. A threshold looks at seconds; so what is shorter than a step
//! of the sums is seen less high than it was, and the answer says how long the steps are.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use base::{Span, Timestamp};
use history::rollup::Wanted;
use history::{Answer, Column, Field, Measure, Question, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Document;
use crate::flows::{asked, filter, stopper};
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::{ClassName, Days, Patience, PrefixText, Rate};

/// Hosts of a prefix that are looked at, those with the most packets.
const HOSTS_MAX: usize = 30;
/// Times that are named.
const TIMES_MAX: usize = 200;
/// Sums by minute are kept so long.
const MINUTES: Span = Span::from_secs(48 * 3_600);
const MINUTE: Span = Span::from_secs(60);
const HOUR: Span = Span::from_secs(3_600);

/// A threshold that is only tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Threshold {
    /// Own hosts, each by itself.
    prefix: PrefixText,
    /// Of this class of traffic alone; of all, without one.
    class: Option<ClassName>,
    /// Packets per second from which it fires.
    pps: Option<Rate>,
    /// Bits per second from which it fires.
    bps: Option<Rate>,
    /// Of so many days up to now; seven without it.
    #[serde(default)]
    days: Days,
    /// The answer may take so many seconds; what was not looked at by then is said.
    #[serde(default)]
    within: Patience,
}

/// How often it would have fired.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Simulated {
    /// How often it would have fired: steps in a row, of one host, are one time.
    fired: u64,
    /// Hosts on which it would have fired.
    hosts: u64,
    /// Parts of the time, each by the finest sums that are kept of it, the oldest first.
    parts: Vec<SimulatedPart>,
    /// How often by day (UTC), days without any left out.
    days: Vec<SimulatedDay>,
    /// When, the newest first.
    times: Vec<SimulatedTime>,
    /// Times that are counted and not named.
    times_left_out: u64,
    /// What this can not tell.
    caveat: String,
}

/// A part of the time that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedPart {
    /// From here on.
    from: String,
    /// Before here.
    to: String,
    /// Means of so many seconds were looked at.
    step_seconds: u64,
    /// `samples` or `rollups`.
    kept: String,
    /// Steps of hosts that had traffic.
    steps: u64,
    /// Packets per second of these: what 95 and 99 of 100 stay within, and the greatest.
    pps: SimulatedLevels,
    /// Bits per second, likewise.
    bps: SimulatedLevels,
    /// Hosts were left out: those with the fewest packets.
    hosts_left_out: bool,
    /// Why this is not all; `null`: it is.
    partial: Option<String>,
}

/// How high it goes.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct SimulatedLevels {
    p95: f64,
    p99: f64,
    greatest: f64,
}

/// A day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedDay {
    /// As `2026-11-26`.
    day: String,
    /// How often it would have fired.
    fired: u64,
}

/// A time at which it would have fired.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SimulatedTime {
    /// The host.
    target: String,
    /// Beginning of the first step above it.
    from: String,
    /// End of the last one.
    to: String,
    /// The greatest mean of a step in it: packets per second.
    peak_pps: f64,
    /// Bits per second.
    peak_bps: f64,
    /// Means of so many seconds were looked at.
    step_seconds: u64,
}

/// See how often a threshold would have fired on recorded days, for each host of a prefix. By sums of a minute for 48 hours, and of
/// an hour before. Nothing is changed.
#[utoipa::path(
    post, path = "/api/v1/targets/simulate", tag = "targets", request_body = Threshold,
    responses(
        (status = 200, body = Simulated),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn simulate(
    State(shared): State<Shared>,
    Document(tried): Document<Threshold>,
) -> Result<Json<Simulated>, Problem> {
    if tried.pps.is_none() && tried.bps.is_none() {
        return Err(Problem::conflict("a threshold says `pps`, `bps` or both".to_owned()));
    }
    let now = shared.now();
    let work = move |shared: &Shared| {
        let class =
            tried.class.as_ref().map_or_else(String::new, |class| format!(" and class = {}", class.0));
        let filter = filter(&format!("target in {} and direction = in{class}", tried.prefix.0))?;
        let limit = Limits { pps: tried.pps.map(of), bps: tried.bps.map(of) };
        let from = now.minus(Span::from_secs(tried.days.0.saturating_mul(86_400)));
        let cut = Timestamp::ZERO.plus(HOUR.times(now.minus(MINUTES).tick(HOUR) + 1)).max(from);
        let mut stop = stopper(tried.within);
        let (mut parts, mut times) = (Vec::new(), Vec::new());
        for (from, to, step) in [(from, cut, HOUR), (cut, now, MINUTE)] {
            if from >= to {
                continue;
            }
            let question = Question {
                filter: filter.clone(),
                from,
                to,
                by: vec![Field::Of(Column::Target)],
                step: Some(step),
                top: HOSTS_MAX,
                order: Measure::Packets,
            };
            let answer = shared.flows.ask(&question, Wanted::Auto, &mut stop).map_err(Problem::from)?;
            let read = Read::of(&answer, step);
            times.extend(read.times(limit, step));
            parts.push(read.part(answer, step));
        }
        Ok(Json(document(parts, times)))
    };
    asked(&shared, work).await
}

#[expect(clippy::cast_precision_loss, reason = "a rate is below 2^53")]
const fn of(rate: Rate) -> f64 {
    rate.0 as f64
}

#[derive(Clone, Copy)]
struct Limits {
    pps: Option<f64>,
    bps: Option<f64>,
}

impl Limits {
    fn fires(self, (pps, bps): (f64, f64)) -> bool {
        self.pps.is_some_and(|limit| pps >= limit) || self.bps.is_some_and(|limit| bps >= limit)
    }
}

/// An answer, by host and step: packets and bits per second.
struct Read {
    hosts: BTreeMap<String, BTreeMap<Timestamp, (f64, f64)>>,
    others: bool,
}

impl Read {
    fn of(answer: &Answer, step: Span) -> Self {
        let mut read = Self { hosts: BTreeMap::new(), others: false };
        for row in &answer.rows {
            let [Value::Time(at), host, Value::Number(bytes), Value::Number(packets), ..] = row.as_slice()
            else {
                continue;
            };
            if *host == Value::Other {
                read.others = true;
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let rate = |count: u64| count as f64 / step.as_secs_f64();
            let rates = (rate(*packets), rate(bytes.saturating_mul(8)));
            read.hosts.entry(host.to_string()).or_default().insert(*at, rates);
        }
        read
    }

    /// Times at which it would have fired: a step without does not end one, two do.
    fn times(&self, limits: Limits, step: Span) -> Vec<(Timestamp, SimulatedTime)> {
        let mut times = Vec::new();
        for (host, steps) in &self.hosts {
            let mut open: Option<(Timestamp, Timestamp, (f64, f64))> = None;
            for (at, rates) in steps.iter().filter(|(_, rates)| limits.fires(**rates)) {
                match &mut open {
                    Some((_, last, peak)) if at.since(*last) <= step.times(2) => {
                        *last = *at;
                        *peak = (peak.0.max(rates.0), peak.1.max(rates.1));
                    }
                    _ => {
                        times.extend(open.take().map(|open| time(host, open, step)));
                        open = Some((*at, *at, *rates));
                    }
                }
            }
            times.extend(open.map(|open| time(host, open, step)));
        }
        times
    }

    fn part(&self, answer: Answer, step: Span) -> SimulatedPart {
        let all = |which: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = self.hosts.values().flat_map(|steps| steps.values().map(which)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (pps, bps) = (all(|rates| rates.0), all(|rates| rates.1));
        SimulatedPart {
            from: answer.from.to_string(),
            to: answer.to.to_string(),
            step_seconds: step.secs(),
            kept: match answer.kept {
                history::KeptAs::Samples => "samples".to_owned(),
                history::KeptAs::Rollups => "rollups".to_owned(),
            },
            steps: u64::try_from(pps.len()).unwrap_or(u64::MAX),
            pps: levels(&pps),
            bps: levels(&bps),
            hosts_left_out: self.others,
            partial: answer.scanned.partial,
        }
    }
}

fn time(
    host: &str,
    (from, last, peak): (Timestamp, Timestamp, (f64, f64)),
    step: Span,
) -> (Timestamp, SimulatedTime) {
    let told = SimulatedTime {
        target: host.to_owned(),
        from: from.to_string(),
        to: last.plus(step).to_string(),
        peak_pps: peak.0,
        peak_bps: peak.1,
        step_seconds: step.secs(),
    };
    (from, told)
}

/// Of values in order.
fn levels(values: &[f64]) -> SimulatedLevels {
    let at = |percent: usize| {
        let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
        values.get(place).copied().unwrap_or(0.0)
    };
    SimulatedLevels { p95: at(95), p99: at(99), greatest: at(100) }
}

fn document(parts: Vec<SimulatedPart>, mut times: Vec<(Timestamp, SimulatedTime)>) -> Simulated {
    times.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.target.cmp(&y.target)));
    let mut days: BTreeMap<String, u64> = BTreeMap::new();
    for (at, _) in &times {
        *days.entry(at.to_string().chars().take(10).collect()).or_default() += 1;
    }
    let hosts: std::collections::BTreeSet<&str> =
        times.iter().map(|(_, time)| time.target.as_str()).collect();
    let (fired, hosts) = (times.len(), hosts.len());
    Simulated {
        fired: u64::try_from(fired).unwrap_or(u64::MAX),
        hosts: u64::try_from(hosts).unwrap_or(u64::MAX),
        parts,
        days: days.into_iter().map(|(day, fired)| SimulatedDay { day, fired }).collect(),
        times_left_out: u64::try_from(fired.saturating_sub(TIMES_MAX)).unwrap_or(u64::MAX),
        times: times.into_iter().take(TIMES_MAX).map(|(_, time)| time).collect(),
        caveat: "means of whole minutes, or hours: what is shorter is seen less high than it was, so this counts at least \
                 the long ones; what is usual, and what rules and limits beside this one say, is not asked"
            .to_owned(),
    }
}
