//! The metrics, from what `/metrics` declares when every part of the daemon is there.

use api::metrics::{
    Absorber, Api, Dataplane, Dns, FileNumbers, History, Intel, Ledger, ListNumbers, Metrics, Privacy,
    Routing, Told, plain,
};

use super::one_line;

const HEAD: &str = "# Metrics\n\n\
    `GET /metrics` has these, for Prometheus (OpenMetrics where that is asked for). Parts that are not configured are absent. No label names \
    a single host of the traffic; labels that a sender could multiply are capped. Sum over labels. A dashboard for Grafana and alerts are in \
    `packaging/`, and in the package in `/usr/share/spillway`: see [Prometheus and Grafana](../how-to/prometheus.md).\n\n\
    | metric | kind | what it says |\n|---|---|---|\n";

/// The page.
pub(super) fn page() -> String {
    let all = Metrics {
        dataplane: Some(Dataplane::default()),
        routing: Some(Routing {
            told: Told { routers: Some(0), caches: vec![(String::new(), None, 0)], ..Told::default() },
            absorbers: vec![Absorber::default()],
            ..Routing::default()
        }),
        dns: Some(Dns::default()),
        ledger: Some(Ledger { head_age: Some(0), ..Ledger::default() }),
        api: Some(Api::default()),
        intel: Some(Intel {
            files: vec![FileNumbers::default()],
            lists: vec![ListNumbers::default()],
            ..Intel::default()
        }),
        history: Some(History::default()),
        privacy: Privacy { swept_at: Some(0), ..Privacy::default() },
        ..Metrics::default()
    };
    let mut declared = rows(&plain(&all.encode()));
    declared.sort();
    declared.dedup();
    let mut out = HEAD.to_owned();
    for (name, kind, help) in declared {
        out.push_str(&format!("| `{name}` | {kind} | {} |\n", one_line(&help)));
    }
    out
}

/// Name, kind and help of each family.
fn rows(text: &str) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    let mut help = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let words = if help.0 == name { help.1 } else { "" };
            out.push((name.to_owned(), kind.to_owned(), words.to_owned()));
        }
    }
    out
}
