//! Evidence bags: opened while an attack runs ([`Recorder`]), sealed after it ([`seal`]), checked by anybody ([`contents`] and
//! `intel::bag::verify`). What a bag is stands in `intel::bag`; here are its files, the key, and the time stamping authority.

mod annotate;
pub(crate) mod channel;
mod copy;
pub mod custody;
pub mod files;
pub(crate) mod flows;
pub mod key;
pub mod payload;
pub mod recorder;
pub mod seal;
pub mod stamp;

pub use annotate::{Annotated, Annotating, Comments};
pub(crate) use channel::Channel;
pub use files::contents;
pub use payload::Payload;
pub(crate) use recorder::is_sealed;
pub use recorder::{About, Recorder};
pub use seal::{Sealing, add_proof, seal};
