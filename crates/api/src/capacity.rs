//! `/api/v1/capacity`: how much room there is for rules and routes, and how much of it is used.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::router::Shared;

/// Places and bounds that the configuration sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Rules that the engine puts into this machine's kernel at most; `None`: nothing is enforced here.
    pub kernel_rules: Option<u64>,
    /// Blackholes and diversions at once at most; `None`: no router is spoken with.
    pub routes: Option<u64>,
    /// FlowSpec rules at once at most.
    pub flowspec: Option<u64>,
}

/// How much room there is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Capacity {
    items: Vec<Room>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// A place with room.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Room {
    /// `kernel`, `router` or `all-routers`.
    kind: &'static str,
    /// Which one: the engine of this machine's filters, or a neighbour's name.
    name: String,
    /// What it is room for: `rules`, `routes`, or a class of announcements.
    of: String,
    /// Used.
    used: u64,
    /// There are so many in all; `null`: what a router can hold it does not tell, and `all-routers` bounds it.
    max: Option<u64>,
    /// Whether it works: the kernel has what it shall have, the session is up, nobody pressed the panic button.
    well: bool,
}

/// Room for rules and routes: in this machine's kernel, at each router, and at all of them together.
#[utoipa::path(get, path = "/api/v1/capacity", tag = "routing", responses((status = 200, body = Capacity)))]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Json<Capacity>, Problem> {
    let work = |shared: &Shared| {
        let (numbers, bounds) = (shared.source.metrics(), shared.operate.bounds());
        let mut items = Vec::new();
        if let Some(kernel) = numbers.dataplane {
            items.push(Room {
                kind: "kernel",
                name: kernel.backend,
                of: "rules".to_owned(),
                used: kernel.actual,
                max: bounds.kernel_rules,
                well: kernel.as_wanted,
            });
        }
        let routing = numbers.routing.unwrap_or_default();
        let held = |classes: &[&str]| -> u64 {
            let of =
                |((class, state), _): &(&(&str, &str), &u64)| classes.contains(class) && *state != "proposed";
            routing.mitigations.iter().filter(of).map(|(_, count)| *count).sum()
        };
        for (of, used, max) in [
            ("blackhole, diversion", held(&["blackhole", "diversion"]), bounds.routes),
            ("flowspec", held(&["flowspec"]), bounds.flowspec),
        ] {
            if max.is_some() {
                let (name, of) = ("all routers".to_owned(), of.to_owned());
                items.push(Room { kind: "all-routers", name, of, used, max, well: !routing.frozen });
            }
        }
        for router in routing.routers {
            for (class, used) in router.announcements {
                let (name, of) = (router.name.clone(), class.to_owned());
                items.push(Room { kind: "router", name, of, used, max: None, well: router.up });
            }
        }
        Ok(Json(Capacity { items, next: None }))
    };
    shared.ask(work).await
}
