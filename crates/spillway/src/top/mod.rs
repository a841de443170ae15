//! `spillway top`: the running daemon on one screen.
//!
//! What is shown is a function of what was answered ([`View::of`]) and of what was pressed ([`Screen::press`]); how it looks, of
//! these ([`draw`]). Asking, the terminal and the clock are in [`live`] and nowhere else.

mod draw;
pub(crate) mod live;
mod press;
mod view;

pub use draw::{draw, text};
pub use press::{Do, Page, Screen, Sort};
pub use view::{Answers, Attack, Exporter, Rates, Rule, Target, View};
