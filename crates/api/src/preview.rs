//! `/api/v1/rules/preview`: what rules would have hit, by the flow samples of the last hour, or in a capture.
//!
//! A sample knows less than a packet: what a rule asks beyond it is named, and then the figures are upper bounds.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use ::rules::rule::{Flags, Match, Numbers};
use ::rules::{Rule, parse};
use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use base::{Span, Timestamp};
use history::rollup::Wanted;
use history::{Answer, Column, Field, Filter, Measure, Question};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::body::{Asked, Document};
use crate::flows::{FlowSum, Flows, asked, filter, stopper};
use crate::problem::Problem;
use crate::router::Shared;
use crate::uploaded::{self, CapturePreview};
use crate::words::{FewRules, Patience, RuleText, Seconds};

/// Rules at once: each is looked for twice.
const RULES_MAX: usize = 8;
/// Hosts that are named.
const HOSTS_MAX: usize = 5;
/// Without a word, the last hour.
const USUAL: Span = Span::from_secs(3_600);

/// Rules that are only looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewDraft {
    /// One rule a line, at most eight, as `spillway rules` reads them.
    rules: RuleText,
    /// Of so many seconds up to now; an hour without it.
    last: Option<Seconds>,
    /// The answer may take so many seconds; what was not looked at by then is said.
    #[serde(default)]
    within: Patience,
}

/// What rules would have hit, each by itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preview {
    /// From here on.
    from: String,
    /// Before here.
    to: String,
    /// In the order of precedence as given.
    rules: Vec<PreviewHit>,
}

/// What a rule would have hit.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewHit {
    /// Its id.
    id: String,
    /// In the rule language, in its one spelling.
    text: String,
    /// What it does.
    action: String,
    /// What it asks that samples do not know; with any, the figures are upper bounds.
    unknown: Vec<String>,
    /// To or from hosts under attack at that time.
    attacks: FlowSum,
    /// To or from all others.
    others: FlowSum,
    /// Which of the others it hits most.
    hosts: Vec<PreviewHost>,
    /// Why this is not all; `null`: it is.
    partial: Option<String>,
}

/// A host, and what of it is hit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PreviewHost {
    /// The own host.
    pub target: String,
    /// Octets of layer 3, scaled.
    pub bytes: u64,
    /// Packets, scaled.
    pub packets: u64,
}

/// Of samples that are kept, or of the capture that was sent.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Previewed {
    /// Samples.
    Samples(Preview),
    /// A capture.
    Capture(CapturePreview),
}

/// Beside a capture.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beside {
    /// The rules, where the body is a capture: one a line, at most eight.
    #[param(inline)]
    rules: Option<FewRules>,
}

/// See what rules would have hit: how much of attacks and of others, and whom most. Nothing is changed.
///
/// The body is a JSON document, and samples of the last hour are looked at; or it is a capture (pcap, pcapng; at most 256 MiB), with the
/// rules in the query.
#[utoipa::path(
    post, path = "/api/v1/rules/preview", tag = "rules", params(Beside),
    request_body(content(
        (PreviewDraft = "application/json"),
        (String = "application/vnd.tcpdump.pcap"),
    )),
    responses(
        (status = 200, body = Previewed),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview(
    State(shared): State<Shared>,
    Asked(beside): Asked<Beside>,
    request: Request,
) -> Result<Json<Previewed>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(|kind| kind.trim().to_ascii_lowercase());
    if kind.is_some_and(|kind| uploaded::MEDIA.contains(&kind.as_str())) {
        let text = beside.rules.ok_or_else(|| {
            Problem::conflict("`rules` is missing in the query: with a capture, the rules stand there")
        })?;
        let found = uploaded::preview(&shared, read(&text.0)?, request.into_body()).await?;
        return Ok(Json(Previewed::Capture(found)));
    }
    let Document(tried) = Document::<PreviewDraft>::from_request(request, &shared).await?;
    let to = shared.now().plus(Span::from_secs(1));
    let from = to.minus(tried.last.map_or(USUAL, |last| Span::from_secs(last.0)));
    let rules = read(&tried.rules.0)?;
    let within = tried.within;
    let work = move |shared: &Shared| {
        let mut stop = stopper(within);
        let hits = rules.iter().map(|rule| hit(shared.flows.as_ref(), rule, (from, to), &mut stop));
        let rules = hits.collect::<Result<_, _>>()?;
        Ok(Json(Previewed::Samples(Preview { from: from.to_string(), to: to.to_string(), rules })))
    };
    asked(&shared, work).await
}

fn read(text: &str) -> Result<Vec<Rule>, Problem> {
    let rules = parse::rules(text).map_err(|wrong| {
        let shown: Vec<String> = wrong.iter().take(20).map(ToString::to_string).collect();
        Problem::conflict(shown.join("; "))
    })?;
    if rules.len() > RULES_MAX {
        return Err(Problem::conflict(format!("more than {RULES_MAX} rules: ask for some of them")));
    }
    Ok(rules)
}

/// What rules would have hit until now, by the samples of this last time, as the API says it.
///
/// # Errors
/// They cannot be read, no samples are kept, or those cannot be read.
pub fn of_samples(
    flows: &dyn Flows,
    text: &str,
    now: Timestamp,
    last: Option<Span>,
) -> Result<Value, String> {
    let to = now.plus(Span::from_secs(1));
    let from = to.minus(last.unwrap_or(USUAL));
    let said = |problem: Problem| problem.detail().to_owned();
    let rules = read(text).map_err(said)?;
    let mut stop = stopper(Patience::default());
    let hits = rules.iter().map(|rule| hit(flows, rule, (from, to), &mut stop));
    let rules = hits.collect::<Result<_, _>>().map_err(said)?;
    serde_json::to_value(Preview { from: from.to_string(), to: to.to_string(), rules })
        .map_err(|wrong| wrong.to_string())
}

fn hit(
    flows: &dyn Flows,
    rule: &Rule,
    (from, to): (Timestamp, Timestamp),
    stop: &mut dyn FnMut() -> bool,
) -> Result<PreviewHit, Problem> {
    let (text, unknown) = asked_of_samples(&rule.matches);
    let all = filter(&text)?;
    let peace = filter("attack = none")?;
    let mut ask = |filter: Filter| {
        let question = Question {
            filter,
            from,
            to,
            by: vec![Field::Of(Column::Target)],
            step: None,
            top: HOSTS_MAX,
            order: Measure::Packets,
        };
        flows.ask(&question, Wanted::Samples, stop).map_err(Problem::from)
    };
    let others = ask(all.clone().and(peace.clone()))?;
    let attacks = ask(all.and(peace.negated()))?;
    Ok(PreviewHit {
        id: rule.id.clone(),
        text: rule.to_string(),
        action: rule.action.as_str().to_owned(),
        unknown,
        attacks: FlowSum::of(attacks.total),
        hosts: hosts(&others),
        others: FlowSum::of(others.total),
        partial: others.scanned.partial.or(attacks.scanned.partial),
    })
}

fn hosts(answer: &Answer) -> Vec<PreviewHost> {
    let host = |row: &Vec<history::Value>| {
        let row: Vec<Value> = row.iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
        let number = |place: usize| row.get(place).and_then(Value::as_u64).unwrap_or(0);
        let target = row.first().and_then(Value::as_str).filter(|target| *target != "(other)")?;
        Some(PreviewHost { target: target.to_owned(), bytes: number(1), packets: number(2) })
    };
    answer.rows.iter().filter_map(host).collect()
}

/// A match in the language of samples, and what samples do not know of it.
fn asked_of_samples(matches: &Match) -> (String, Vec<String>) {
    let Match {
        dst,
        src,
        protocol,
        port,
        src_port,
        dst_port,
        icmp_type,
        icmp_code,
        tcp_flags,
        length,
        dscp,
        fragment,
        ttl,
        window,
        payload,
        tcp_options,
    } = matches;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(dst.map(|dst| format!("dst in {dst}")));
    parts.extend(protocol.map(|protocol| format!("proto = {protocol}")));
    if port.is_some() || src_port.is_some() || dst_port.is_some() {
        // Other protocols have no ports (RFC 8955 §4.2.2.4).
        parts.push("proto in (6, 17)".to_owned());
    }
    parts.extend(src_port.as_ref().map(|numbers| within("src-port", numbers)));
    parts.extend(dst_port.as_ref().map(|numbers| within("dst-port", numbers)));
    parts.extend(
        port.as_ref()
            .map(|numbers| format!("({} or {})", within("src-port", numbers), within("dst-port", numbers))),
    );
    parts.extend(tcp_flags.as_ref().map(|tests| {
        let all: Vec<String> = tests.iter().map(of_flags).collect();
        format!("proto = 6 and ({})", all.join(" or "))
    }));
    let unknown = [
        ("src", src.is_some()),
        ("icmp-type", icmp_type.is_some()),
        ("icmp-code", icmp_code.is_some()),
        ("length", length.is_some()),
        ("dscp", dscp.is_some()),
        ("fragment", fragment.is_some()),
        ("ttl", ttl.is_some()),
        ("window", window.is_some()),
        ("payload", payload.is_some()),
        ("tcp-options", tcp_options.is_some()),
    ];
    let unknown = unknown.into_iter().filter(|(_, asks)| *asks).map(|(name, _)| name.to_owned());
    (parts.join(" and "), unknown.collect())
}

fn within(name: &str, numbers: &Numbers) -> String {
    let one = |range: ::rules::rule::Range| format!("({name} >= {} and {name} <= {})", range.from, range.to);
    let all: Vec<String> = numbers.merged(0xffff).into_iter().map(one).collect();
    if all.is_empty() { "not proto >= 0".to_owned() } else { format!("({})", all.join(" or ")) }
}

/// Of a flow, the flags of all its packets together.
fn of_flags(test: &Flags) -> String {
    let unset = test.mask & !test.value;
    let bits = (0..16).map(|bit| 1u16 << bit).filter(|bit| unset & bit != 0);
    let mut all = vec![format!("tcp-flags has {}", test.value)];
    all.extend(bits.map(|bit| format!("not tcp-flags has {bit}")));
    format!("({})", all.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_asks_is_asked_of_samples_or_named() {
        let of = |text: &str| {
            let rules = parse::rules(text).unwrap();
            let (text, unknown) = asked_of_samples(&rules.first().unwrap().matches);
            assert!(text.parse::<Filter>().is_ok(), "{text}");
            (text, unknown.join(" "))
        };
        let (text, unknown) =
            of("r1 @10 dst 192.0.2.1/32 proto udp src-port 53,123 length 468-1500 ttl <=64 -> drop for 15m");
        assert_eq!(
            text,
            "dst in 192.0.2.1/32 and proto = 17 and proto in (6, 17) and ((src-port >= 53 and src-port <= 53) or (src-port >= 123 and src-port <= 123))"
        );
        assert_eq!(unknown, "length ttl");
        let (text, unknown) = of("r2 @20 dst 2001:db8::/32 proto tcp tcp-flags syn/syn+ack -> drop");
        assert!(text.ends_with("proto = 6 and ((tcp-flags has 2 and not tcp-flags has 16))"), "{text}");
        assert_eq!(unknown, "");
        assert_eq!(of("r3 @1 dst 192.0.2.0/24 src 10.0.0.0/8 port 0 -> drop").1, "src");
    }
}
