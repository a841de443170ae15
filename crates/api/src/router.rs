//! Routes and their OpenAPI document, from one list.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use access::{Access, Backoff};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::{Json, Router};
use base::Timestamp;
use store::{Reader, StoreError};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::BODY_MAX;
use crate::door::{Caller, Door, Settings, admit};
use crate::events::Events;
use crate::flows::Flows;
use crate::live::Source;
use crate::metrics::Api;
use crate::operate::Operate;
use crate::problem::Problem;
use crate::veil::Veil;
use crate::{
    allow, attacks, audit, backups, capacity, closing, configuration, course, disclosures, doctor, document,
    events, evidence, exceptions, explanation, exporters, flows, greeting, health, history, intelligence,
    ledger, made, manual, map, measures, mitigations, mode, notes, notifications, packets, parcel, plan,
    preview, report, routing, rules, session, simulate, sources, stage, targets, tokens, traffic, users, web,
};

/// What it is served from.
pub struct Parts {
    /// What the daemon knows now.
    pub source: Arc<dyn Source>,
    /// What it does when it is asked to.
    pub operate: Arc<dyn Operate>,
    /// What it knew before.
    pub history: Reader,
    /// Flow samples that are kept.
    pub flows: Arc<dyn Flows>,
    /// Who may do what.
    pub access: Arc<Access>,
    /// What happens.
    pub events: Events,
    /// Who is let in.
    pub settings: Settings,
    /// What users read.
    pub manual: fn() -> &'static ::manual::Book,
}

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) operate: Arc<dyn Operate>,
    pub(crate) flows: Arc<dyn Flows>,
    pub(crate) access: Arc<Access>,
    pub(crate) events: Events,
    pub(crate) door: Arc<Door>,
    pub(crate) guesses: Arc<Mutex<Backoff>>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) manual: fn() -> &'static ::manual::Book,
    history: Arc<Mutex<Reader>>,
}

/// What the API counts of itself.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Answers to customers that named another one's prefix.
    pub(crate) withheld: AtomicU64,
    /// Changes whose line in the audit trail is missing or without its end.
    pub(crate) unwritten: AtomicU64,
    /// Wrong passwords.
    pub(crate) guesses: AtomicU64,
    /// Requests that were answered.
    pub(crate) requests: crate::counted::Counted,
}

impl Shared {
    /// Asks the store. Queries are bounded by their page, so one at a time is enough.
    pub(crate) fn history<T>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        ask(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.operate.now()
    }

    /// What the API counts of itself.
    pub(crate) fn numbers(&self) -> Api {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (requests, request_seconds) = self.counts.requests.so_far();
        Api {
            sse_clients: u64::try_from(self.events.clients()).unwrap_or(u64::MAX),
            sse_cut: self.events.cut(),
            withheld: count(&self.counts.withheld),
            unwritten: count(&self.counts.unwritten),
            guesses: count(&self.counts.guesses),
            requests,
            request_seconds,
        }
    }

    /// What this caller does not see.
    pub(crate) fn veil(&self, caller: &Caller) -> Veil {
        let scope = caller.actor.scope().clone();
        if scope.is_everything() {
            Veil::new(Vec::new(), scope)
        } else {
            Veil::new(self.operate.networks(), scope)
        }
    }
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Spillway",
    description = "Attacks, rules, mitigations and everything else of a running daemon. Who may do what: `spillway roles`.",
    license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
))]
struct Document;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(health::status))
        .routes(routes!(doctor::doctor))
        .routes(routes!(explanation::one))
        .routes(routes!(report::hand_out))
        .routes(routes!(measures::list))
        .routes(routes!(traffic::list))
        .routes(routes!(map::show))
        .routes(routes!(stage::show, stage::wish))
        .routes(routes!(session::roles))
        .routes(routes!(greeting::greeting))
        .routes(routes!(session::open, session::close))
        .routes(routes!(session::by_link))
        .routes(routes!(session::me))
        .routes(routes!(session::password))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::one, users::remove))
        .routes(routes!(users::password))
        .routes(routes!(users::role))
        .routes(routes!(audit::list))
        .routes(routes!(attacks::list))
        .routes(routes!(attacks::one))
        .routes(routes!(sources::list))
        .routes(routes!(packets::list))
        .routes(routes!(course::show))
        .routes(routes!(intelligence::show))
        .routes(routes!(flows::top))
        .routes(routes!(notes::list, notes::add))
        .routes(routes!(closing::close))
        .routes(routes!(flows::query))
        .routes(routes!(parcel::export))
        .routes(routes!(rules::list, made::add))
        .routes(routes!(made::list))
        .routes(routes!(made::confirm))
        .routes(routes!(made::extend))
        .routes(routes!(made::withdraw))
        .routes(routes!(targets::list))
        .routes(routes!(targets::policy))
        .routes(routes!(targets::mode))
        .routes(routes!(simulate::simulate))
        .routes(routes!(mode::show, mode::set))
        .routes(routes!(targets::profiles))
        .routes(routes!(allow::list, allow::add))
        .routes(routes!(allow::remove))
        .routes(routes!(exceptions::list))
        .routes(routes!(exceptions::end))
        .routes(routes!(rules::check))
        .routes(routes!(preview::preview))
        .routes(routes!(events::serve::stream))
        .routes(routes!(exporters::list))
        .routes(routes!(mitigations::list, mitigations::announce))
        .routes(routes!(mitigations::one))
        .routes(routes!(mitigations::withdraw))
        .routes(routes!(mitigations::renew))
        .routes(routes!(mitigations::confirm))
        .routes(routes!(mitigations::release))
        .routes(routes!(mitigations::approve))
        .routes(routes!(mitigations::reject))
        .routes(routes!(history::of_one))
        .routes(routes!(history::of_all))
        .routes(routes!(routing::panic))
        .routes(routes!(routing::resume))
        .routes(routes!(routing::peers))
        .routes(routes!(routing::absorbers))
        .routes(routes!(capacity::show))
        .routes(routes!(routing::playbook))
        .routes(routes!(plan::live, plan::try_out))
        .routes(routes!(ledger::head))
        .routes(routes!(ledger::entry))
        .routes(routes!(ledger::proof))
        .routes(routes!(disclosures::list))
        .routes(routes!(disclosures::own))
        .routes(routes!(disclosures::payload))
        .routes(routes!(disclosures::approve))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::test))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::one))
        .routes(routes!(evidence::verify))
        .routes(routes!(evidence::hold))
        .routes(routes!(evidence::release))
        .routes(routes!(evidence::download))
        .routes(routes!(configuration::show, configuration::apply))
        .routes(routes!(configuration::check))
        .routes(routes!(configuration::diff))
        .routes(routes!(configuration::reload))
        .routes(routes!(backups::create))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::finished(routes().into_openapi())
}

/// All routes over these parts.
pub fn router(parts: Parts) -> Router {
    let Parts { source, operate, history, flows, access, events, settings, manual: book } = parts;
    let shared = Shared {
        source,
        operate,
        flows,
        access,
        events,
        door: Arc::new(Door::new(settings)),
        guesses: Arc::default(),
        counts: Arc::default(),
        manual: book,
        history: Arc::new(Mutex::new(history)),
    };
    let (routes, document) = routes().split_for_parts();
    let document = Arc::new(document::finished(document));
    routes
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move || {
                let document = Arc::clone(&document);
                async move { Json(document.as_ref().clone()) }
            }),
        )
        .route("/", axum::routing::get(web::page))
        .route("/assets/{name}", axum::routing::get(web::asset))
        .route("/manual/", axum::routing::get(manual::first))
        .route("/manual/{*page}", axum::routing::get(manual::page))
        .fallback(nothing_here)
        .layer(from_fn_with_state(shared.clone(), admit))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared)
}

async fn nothing_here(request: Request) -> Problem {
    let detail = format!("there is nothing at {}", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, detail, "GET /api/v1/openapi.json lists what there is")
}
