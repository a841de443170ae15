//! What all endpoints have in common is added to the OpenAPI document here, from the same list that the door reads.

use access::Permission;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::door::COOKIE;
use crate::endpoints::endpoints;

/// Refusals that any endpoint may answer with.
const REFUSALS: &[(&str, &str)] = &[
    ("400", "The request is not what the document says"),
    ("421", "It came by a name that is not ours"),
    ("429", "Too many requests; Retry-After says when"),
    ("500", "It broke; the log says why"),
    ("503", "No answer in time, or not ready"),
];
/// And those that ask who it is.
const GUARDED: &[(&str, &str)] = &[("401", "Credentials are needed"), ("403", "The role may not do this")];
/// And those that take a document.
const TAKING: &[(&str, &str)] = &[
    ("409", "It does not go together with what there is"),
    ("413", "The body is too long"),
    ("415", "The body is not JSON"),
];

/// The document with refusals and credentials.
pub(crate) fn finished(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_default();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("spw_ID_SECRET").build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
    components.add_security_scheme("session", cookie);
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PUT", &mut item.put),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let needed = endpoints().find(|(verb, at, _)| *verb == method && at == path);
            let public = needed.is_none_or(|(.., permission)| permission == Permission::Public);
            finish(operation, public, method != "GET");
        }
    }
    document
}

fn finish(operation: &mut Operation, public: bool, takes: bool) {
    let mut refusals = REFUSALS.to_vec();
    if public {
        operation.security = Some(vec![SecurityRequirement::default()]);
    } else {
        refusals.extend(GUARDED);
        let either = ["token", "session"].map(|name| SecurityRequirement::new(name, [""; 0]));
        operation.security = Some(either.to_vec());
    }
    if takes {
        refusals.extend(TAKING);
    }
    for (status, description) in refusals {
        let content =
            ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
}
