//! Rule text.

use super::Target;
use crate::measure::{Outcome, within};
use crate::seeds;

pub(super) const TARGET: Target = Target { name: "rules", seeds: seeds::rules, run };

fn run(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    // a number of two octets becomes a range of eight; an error repeats its line
    let most = 64 * 1024 + 64 * u64::try_from(text.len()).unwrap_or(u64::MAX);
    let parsed = within(most, || rules::parse::rules(&text));
    match parsed {
        Ok(rules) => {
            for rule in &rules {
                let printed = rule.to_string();
                let again = rules::parse::rules(&printed);
                assert_eq!(again.as_deref(), Ok(std::slice::from_ref(rule)), "printed as {printed}");
            }
            let words = rules.iter().flat_map(|rule| parts(&rule.to_string())).take(24).collect();
            Outcome { words, ..Outcome::of(rules.len()) }
        }
        Err(errors) => {
            // what is wrong, without the part that quotes the input
            let words = errors.iter().filter_map(|error| error.message.split('`').next()).take(2).collect();
            Outcome { words, ..Outcome::of(errors.len()).with("refused") }
        }
    }
}

/// The keys of a rule: its words that begin with a letter.
fn parts(text: &str) -> Vec<String> {
    let keys =
        text.split(' ').skip(2).filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
    keys.map(|word| word.chars().take(6).collect()).collect()
}
