//! What each endpoint takes: the other half of the matrix. An endpoint that is not in this list is not reached, and a test
//! holds it against the OpenAPI document.

use access::Permission::{
    self, Allow, Approve, Configure, KeepEvidence, ManageAccess, Mitigate, Own, Panic, Public, SeeAttacks,
    SeeAudit, SeeConfiguration, SeeEvidence, SeeLedger, SeeNetwork,
};
use axum::http::Method;

/// Method, path, permission.
const ENDPOINTS: &[(&str, &str, Permission)] = &[
    ("GET", "/", Public),
    ("GET", "/assets/{name}", Public),
    ("GET", "/manual/", Public),
    ("GET", "/manual/{*page}", Public),
    ("GET", "/healthz", Public),
    ("GET", "/readyz", SeeNetwork),
    ("GET", "/metrics", SeeNetwork),
    ("GET", "/api/v1/openapi.json", Public),
    ("GET", "/api/v1/roles", Public),
    ("GET", "/api/v1/greeting", Public),
    ("POST", "/api/v1/session", Public),
    ("POST", "/api/v1/session/link", Public),
    ("DELETE", "/api/v1/session", Own),
    ("GET", "/api/v1/me", Own),
    ("PUT", "/api/v1/me/password", Own),
    ("GET", "/api/v1/tokens", Own),
    ("POST", "/api/v1/tokens", Own),
    ("DELETE", "/api/v1/tokens/{id}", Own),
    ("GET", "/api/v1/users", ManageAccess),
    ("POST", "/api/v1/users", ManageAccess),
    ("GET", "/api/v1/users/{name}", ManageAccess),
    ("DELETE", "/api/v1/users/{name}", ManageAccess),
    ("PUT", "/api/v1/users/{name}/password", ManageAccess),
    ("PUT", "/api/v1/users/{name}/role", ManageAccess),
    ("GET", "/api/v1/audit", SeeAudit),
    ("GET", "/api/v1/attacks", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/sources", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/packets", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/course", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/explanation", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/report", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/measures", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/top", SeeAttacks),
    ("GET", "/api/v1/attacks/{id}/notes", SeeNetwork),
    ("POST", "/api/v1/attacks/{id}/notes", Mitigate),
    ("POST", "/api/v1/attacks/{id}/close", Mitigate),
    ("POST", "/api/v1/flows/query", SeeAttacks),
    ("POST", "/api/v1/flows/export", SeeAttacks),
    ("GET", "/api/v1/intelligence", SeeNetwork),
    ("GET", "/api/v1/map", SeeAttacks),
    ("GET", "/api/v1/rules", SeeAttacks),
    ("POST", "/api/v1/rules", Mitigate),
    ("GET", "/api/v1/rules/made", SeeNetwork),
    ("POST", "/api/v1/rules/{id}/confirm", Mitigate),
    ("POST", "/api/v1/rules/{id}/extend", Mitigate),
    ("POST", "/api/v1/rules/{id}/withdraw", Mitigate),
    ("GET", "/api/v1/targets", SeeAttacks),
    ("GET", "/api/v1/targets/policy", SeeAttacks),
    ("POST", "/api/v1/targets/mode", Mitigate),
    ("POST", "/api/v1/targets/simulate", SeeNetwork),
    ("GET", "/api/v1/mode", SeeNetwork),
    ("POST", "/api/v1/mode", Mitigate),
    ("GET", "/api/v1/profiles", SeeAttacks),
    ("GET", "/api/v1/allow", SeeAttacks),
    ("POST", "/api/v1/allow", Allow),
    ("POST", "/api/v1/allow/{id}/remove", Allow),
    ("GET", "/api/v1/exceptions", SeeAttacks),
    ("POST", "/api/v1/exceptions/{id}/end", Mitigate),
    ("POST", "/api/v1/rules/check", SeeNetwork),
    ("POST", "/api/v1/rules/preview", SeeNetwork),
    ("GET", "/api/v1/events", SeeAttacks),
    ("GET", "/api/v1/exporters", SeeNetwork),
    ("GET", "/api/v1/status", SeeNetwork),
    ("GET", "/api/v1/doctor", SeeConfiguration),
    ("GET", "/api/v1/traffic", SeeNetwork),
    ("GET", "/api/v1/mitigations", SeeAttacks),
    ("POST", "/api/v1/mitigations", Mitigate),
    ("GET", "/api/v1/mitigations/{id}", SeeAttacks),
    ("GET", "/api/v1/mitigations/{id}/history", SeeNetwork),
    ("POST", "/api/v1/mitigations/{id}/withdraw", Mitigate),
    ("POST", "/api/v1/mitigations/{id}/renew", Mitigate),
    ("POST", "/api/v1/mitigations/{id}/confirm", Mitigate),
    ("POST", "/api/v1/mitigations/{id}/release", Mitigate),
    ("POST", "/api/v1/mitigations/{id}/approve", Approve),
    ("POST", "/api/v1/mitigations/{id}/reject", Approve),
    ("GET", "/api/v1/history", SeeNetwork),
    ("POST", "/api/v1/panic", Panic),
    ("POST", "/api/v1/resume", Panic),
    ("GET", "/api/v1/peers", SeeNetwork),
    ("GET", "/api/v1/absorbers", SeeNetwork),
    ("GET", "/api/v1/capacity", SeeNetwork),
    ("GET", "/api/v1/playbook", SeeNetwork),
    ("GET", "/api/v1/plan", SeeNetwork),
    ("POST", "/api/v1/plan", SeeNetwork),
    ("GET", "/api/v1/ledger", SeeLedger),
    ("GET", "/api/v1/ledger/{index}", SeeLedger),
    ("GET", "/api/v1/ledger/{index}/proof", SeeLedger),
    ("GET", "/api/v1/disclosures", SeeEvidence),
    ("GET", "/api/v1/disclosures/own", SeeAttacks),
    ("GET", "/api/v1/disclosures/{id}/payload", KeepEvidence),
    ("POST", "/api/v1/disclosures/{id}/approval", KeepEvidence),
    ("GET", "/api/v1/notifications", SeeConfiguration),
    ("POST", "/api/v1/notifications/{name}/test", Configure),
    ("GET", "/api/v1/evidence", SeeEvidence),
    ("GET", "/api/v1/evidence/{id}", SeeEvidence),
    ("GET", "/api/v1/evidence/{id}/verification", SeeEvidence),
    ("POST", "/api/v1/evidence/{id}/hold", KeepEvidence),
    ("POST", "/api/v1/evidence/{id}/release", KeepEvidence),
    ("POST", "/api/v1/evidence/{id}/download", KeepEvidence),
    ("GET", "/api/v1/configuration", SeeConfiguration),
    ("PUT", "/api/v1/configuration", Configure),
    ("POST", "/api/v1/configuration/check", Configure),
    ("POST", "/api/v1/configuration/diff", Configure),
    ("POST", "/api/v1/reload", Configure),
    ("POST", "/api/v1/backup", Configure),
    ("GET", "/api/v1/demo", SeeNetwork),
    ("POST", "/api/v1/demo", Configure),
];

/// All endpoints, as method, path and what they take.
pub fn endpoints() -> impl Iterator<Item = (&'static str, &'static str, Permission)> {
    ENDPOINTS.iter().copied()
}

/// What this request takes; `None`: there is no such endpoint.
pub(crate) fn needed(method: &Method, path: &str) -> Option<Permission> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    endpoints().find(|(verb, at, _)| *verb == method && *at == path).map(|(_, _, permission)| permission)
}

/// The methods of a path, as the header Allow has them.
pub(crate) fn methods(path: &str) -> String {
    let all = endpoints().filter(|(_, at, _)| *at == path);
    let all = all.flat_map(|(verb, ..)| std::iter::once(verb).chain((verb == "GET").then_some("HEAD")));
    all.collect::<Vec<_>>().join(", ")
}
