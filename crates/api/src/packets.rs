//! `/api/v1/attacks/{id}/packets`: some packets of an attack, spread evenly over it, as their headers say.
#![expect(unused_qualifications, reason = "written by the macro of utoipa::path")]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::attacks;
use crate::body::{Asked, Part};
use crate::door::Caller;
use crate::problem::Problem;
use crate::router::Shared;
use crate::words::Limit;

/// What is kept of the packets of one attack to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    /// Up to when, RFC 3339.
    pub as_of: String,
    /// Records of the attack that were seen, of which these are some.
    pub seen: u64,
    /// In the order in which they came.
    pub items: Vec<SamplePacket>,
}

/// A packet, or a flow where no packet was told.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SamplePacket {
    /// When, RFC 3339.
    pub at: String,
    /// The vector it is of.
    pub vector: Option<String>,
    /// Source address, as the packet says.
    pub src: String,
    /// Destination address.
    pub dst: String,
    /// IP protocol number.
    pub ip_protocol: u8,
    /// Source port; `null`: it has none.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// TCP flags by name, joined by `+`; of a flow, all that its packets had.
    pub tcp_flags: Option<String>,
    /// TCP window, unscaled.
    pub tcp_window: Option<u16>,
    /// ICMP type and code.
    pub icmp: Option<[u8; 2]>,
    /// Time to live or hop limit; `null`: a flow does not say.
    pub ttl: Option<u8>,
    /// Octets of layer 3; of a flow, of all its packets.
    pub bytes: u64,
    /// `none`, `first`, or `later` with its offset in octets behind a colon.
    pub fragment: String,
    /// Packets that this stands for before sampling: 1, but for flows.
    pub packets: u64,
    /// N of 1:N; `null`: nobody said.
    pub sampling_rate: Option<u32>,
    /// Who told; not for customers.
    pub exporter: Option<String>,
    /// The interface it came in by; not for customers.
    pub input_if: Option<u32>,
    /// The headers from the IP header on, in hexadecimal digits; what is behind the transport header is there only where the
    /// configuration names what allows it. `null`: a flow was told, and no packet.
    pub headers: Option<String>,
}

/// Some packets of an attack.
#[derive(Serialize, ToSchema)]
pub(crate) struct PacketPage {
    /// Up to when.
    as_of: String,
    /// Records of the attack that were seen; these are some of them, evenly spread.
    seen: u64,
    items: Vec<SamplePacket>,
    /// Always `null`: one page.
    next: Option<String>,
}

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Many {
    /// At most this many, evenly spread; some hundred are kept.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
}

/// Some packets of an attack with their headers, spread evenly over it: while it goes on, for a while after, and from its bag of
/// evidence. A customer sees those of attacks that reach nobody else.
#[utoipa::path(
    get, path = "/api/v1/attacks/{id}/packets", tag = "attacks",
    params(("id" = String, Path, description = "The attack's id"), Many),
    responses(
        (status = 200, body = PacketPage),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    Part(id): Part<String>,
    Asked(many): Asked<Many>,
) -> Result<Json<PacketPage>, Problem> {
    let veil = shared.veil(&caller);
    attacks::find_own(&shared, &veil, &id)?;
    let asked = id.clone();
    let Some(packets) = shared.ask(move |shared| Ok(shared.source.packets(&asked))).await? else {
        let hint =
            "packets are shown of attacks that are followed, and kept where [evidence] has `record = true`";
        return Err(Problem::missing(format!("no packet of an attack {id} is at hand"), hint));
    };
    let limit = usize::try_from(many.limit.0).unwrap_or(usize::MAX).max(1);
    let stride = packets.items.len().div_ceil(limit).max(1);
    let hides = |one: &SamplePacket| veil.hides(&format!("{} {}", one.src, one.dst));
    let mut items: Vec<SamplePacket> =
        packets.items.iter().step_by(stride).filter(|one| !hides(one)).cloned().collect();
    if !veil.is_clear() {
        for one in &mut items {
            (one.exporter, one.input_if) = (None, None);
        }
    }
    Ok(Json(PacketPage { as_of: packets.as_of.clone(), seen: packets.seen, items, next: None }))
}
