//! What holds for which prefix, and why: profiles and the configuration in layers, and above them what people decided while the
//! daemon ran ([`book`]) — how far to go, whose packets always pass, what they took back, rules of their own.
//!
//! [`layers`] asks the configuration, [`view`] both at one instant; [`values`] is the answer with where each value comes from.
//! [`desk`] takes orders, writes them down before they hold, and hands out views. **Invariant:** whoever decides takes one view
//! and the time with it; nothing here looks at a clock but the desk.

pub(crate) mod administrators;
pub(crate) mod allow;
mod before;
pub(crate) mod book;
pub(crate) mod desk;
pub(crate) mod layers;
pub(crate) mod order;
pub(crate) mod profile;
mod show;
pub(crate) mod spare;
mod stance;
#[cfg(test)]
mod tests;
pub(crate) mod values;
pub(crate) mod view;

pub(crate) use desk::Desk;
pub(crate) use order::Order;
pub(crate) use view::View;
