//! Filters of flow samples.

use history::{BadFilter, Column, Filter};

use super::Target;
use crate::measure::{Outcome, within};
use crate::seeds;

pub(super) const TARGET: Target = Target { name: "filter", seeds: seeds::filters, run };

fn run(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    // a word of two octets becomes a token and a node; an error lists all fields
    let most = 64 * 1024 + 512 * u64::try_from(text.len()).unwrap_or(u64::MAX);
    let parsed: Result<Filter, BadFilter> = within(most, || text.parse());
    match parsed {
        Ok(filter) => {
            let tested: Vec<&str> = Column::ALL
                .iter()
                .filter(|column| filter.tests(**column))
                .map(|column| column.name())
                .collect();
            Outcome { words: tested.join(" "), ..Outcome::of(1 + tested.len()) }
        }
        Err(bad) => {
            assert!(bad.at <= text.len(), "the place {} is not in the text", bad.at);
            assert!(!bad.message.contains('\n') || text.contains('\n'), "a remedy is one line");
            // what is wrong, without the part that quotes the input
            let words = bad.message.split('`').next().unwrap_or_default().to_owned();
            Outcome { words, ..Outcome::of(0).with("refused") }
        }
    }
}
