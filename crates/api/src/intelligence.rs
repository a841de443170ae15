//! `/api/v1/intelligence`: what attacks have in common. Which belong together, which servers are misused, whose networks send.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::router::Shared;

/// What is known of attacks together; lists are capped, the greatest first.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Intelligence {
    /// Attacks that this is made of.
    pub attacks: u64,
    /// How many of these are from sealed folders of the past.
    pub from_folders: u64,
    /// Attacks and folders that were left out at the caps.
    pub left_out: u64,
    /// Attacks that belong together, the newest campaign first. Those that are alone are campaigns of one.
    pub campaigns: Vec<Campaign>,
    /// Misused servers, by protocol and network.
    pub reflectors: Vec<ReflectorLine>,
    /// Networks from which attacks came, forged senders left out.
    pub networks: Vec<NetworkLine>,
}

/// Attacks that one hand seems to have made.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Campaign {
    /// From 0, in the order of the first attacks.
    pub number: u64,
    /// In the order of their beginnings.
    pub attacks: Vec<CampaignAttack>,
}

/// An attack of a campaign.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct CampaignAttack {
    /// Its id.
    pub id: String,
    /// Its target.
    pub target: String,
    /// RFC 3339.
    pub started_at: String,
    /// From first to last packet.
    pub seconds: f64,
    /// Vectors, the largest first.
    pub vectors: Vec<String>,
    /// How likely it belongs here, 0 to 1; of the first one, how likely it belongs to nothing that was known.
    pub score: f64,
    /// Why: what was alike, with the log-odds of each.
    pub because: Vec<Likeness>,
}

/// What was alike.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Likeness {
    /// In words.
    pub what: String,
    /// Log-odds; below 0 it speaks against.
    pub weight: f64,
}

/// Misused servers of a protocol in a network.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ReflectorLine {
    /// Which answers they sent: `dns`, `ntp`, ….
    pub protocol: String,
    /// The network that announces them; `null`: not known.
    pub asn: Option<u32>,
    /// Servers, counted once for each attack.
    pub sources: u64,
    /// Packets.
    pub packets: u64,
    /// Attacks.
    pub attacks: u64,
}

/// A network from which attacks came.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct NetworkLine {
    /// Its number; `null`: who announces them is not known.
    pub asn: Option<u32>,
    /// Sources that are not forged, counted once for each attack.
    pub sources: u64,
    /// Packets.
    pub packets: u64,
    /// Attacks.
    pub attacks: u64,
}

/// What attacks have in common: campaigns with their scores, misused servers, and networks that sent most. Of attacks that are
/// followed, the last that were, and sealed folders.
#[utoipa::path(
    get, path = "/api/v1/intelligence", tag = "attacks",
    responses((status = 200, body = Intelligence)),
)]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Json<Intelligence>, Problem> {
    shared.ask(|shared| Ok(Json(shared.source.intelligence()))).await
}
