//! What the final rules take away, and whether that was foretold.

use std::fmt::Write as _;

use super::{Rows, comparison, head, line, percent, reached};
use crate::event::{EVENTS, Event, Nature};
use crate::price::{Calibration, Price};
use crate::quantile::{count, median};

pub(super) fn write(rows: &Rows) -> String {
    let of = |event: &Event| -> Vec<&Price> {
        comparison::ours(rows, event, None).iter().filter_map(|outcome| outcome.price.as_ref()).collect()
    };
    let mut text = String::from(
        "The final rules of each attack found, by the meaning of rules, over packets of the same world that the detection has not\n\
         seen: of the attack, those behind its detection; honest ones, those of the victim (4,000 drawn for it) and of the crowd.\n\
         What stands under a rate counts as hit, as the prediction has it. Medians over all worlds above, worst in brackets.\n\n",
    );
    text.push_str(&head(&[
        "event",
        "pairs",
        "attack removed",
        "honest packets hit",
        "honest bytes hit",
        "honest peers hit",
        "rules",
    ]));
    for event in EVENTS.iter().filter(|event| event.nature != Nature::Honest) {
        let all = of(event);
        if all.is_empty() {
            continue;
        }
        let middle = |part: fn(&Price) -> f64| median(all.iter().map(|p| part(p))).unwrap_or(0.0);
        let most = |part: fn(&Price) -> f64| all.iter().map(|p| part(p)).fold(0.0, f64::max);
        let least = all.iter().map(|p| p.removed).fold(1.0, f64::min);
        let both = |part: fn(&Price) -> f64| format!("{} ({})", percent(middle(part)), percent(most(part)));
        text.push_str(&line([
            event.says.to_owned(),
            all.len().to_string(),
            format!("{} ({})", percent(middle(|p| p.removed)), percent(least)),
            both(|p| p.packets),
            both(|p| p.bytes),
            both(|p| p.peers),
            format!("{:.0}", middle(|p| count(p.rules.len()))),
        ]));
    }
    let pairs: Vec<&Price> = EVENTS.iter().flat_map(of).collect();
    text.push_str(&calibration(&pairs));
    if let Some(hidden) = EVENTS.iter().find(|event| event.name == "crowd-with-flood") {
        text.push_str(&crowd(&of(hidden)));
    }
    text
}

fn calibration(pairs: &[&Price]) -> String {
    let rules: Vec<&Calibration> = pairs.iter().flat_map(|price| &price.rules).collect();
    let priced: Vec<&&Calibration> = rules.iter().filter(|rule| rule.foretold.is_some()).collect();
    let exceeded = priced.iter().filter(|rule| rule.exceeded() == Some(true)).count();
    let with_price = pairs.iter().filter(|p| p.rules.iter().any(|r| r.foretold.is_some())).count();
    let pairs_exceeded =
        pairs.iter().filter(|p| p.rules.iter().any(|rule| rule.exceeded() == Some(true))).count();
    let bounds = priced.iter().filter_map(|rule| rule.foretold.map(|(_, bound)| (bound, rule.real)));
    // At most 1 is the aim: the bound within three times the real share and half a point.
    let tightness = median(bounds.clone().map(|(bound, real)| bound / (3.0 * real + 0.005)));
    let middle_bound = median(bounds.map(|(bound, _)| bound));
    if with_price == 0 {
        return format!("\n{} attack/world pairs, none with a price to compare with.\n", pairs.len());
    }
    let mut text = format!(
        "\n{} attack/world pairs with {} rules; {} rules in {with_price} pairs had a price, the others none (no honest packet had been\n\
         seen). ",
        pairs.len(),
        rules.len(),
        priced.len()
    );
    let share = count(pairs_exceeded) / count(with_price);
    let _ = write!(
        text,
        "The predicted 95 % bound is exceeded by {exceeded} rules, in {pairs_exceeded} pairs ({}; aim: at most 5 %): {}. ",
        percent(share),
        reached(share <= 0.05)
    );
    let _ = writeln!(
        text,
        "The median bound is {}; against three times the real share and half a point it is {} (aim: at most 1): {}.",
        middle_bound.map_or_else(|| "–".into(), percent),
        tightness.map_or_else(|| "–".into(), |t| format!("{t:.1}")),
        reached(tightness.is_some_and(|t| t <= 1.0))
    );
    text
}

fn crowd(all: &[&Price]) -> String {
    let (Some(removed), Some(hit)) =
        (median(all.iter().map(|p| p.removed)), median(all.iter().map(|p| p.packets)))
    else {
        return "\nThe flood hidden in the crowd was found in no world.\n".into();
    };
    format!(
        "\nThe flood hidden in the crowd: {} of it removed (aim: at least 90 %), {} of the crowd hit (aim: at most 1 %), medians over\n\
         the worlds in which it was found: {}.\n",
        percent(removed),
        percent(hit),
        reached(removed >= 0.9 && hit <= 0.01)
    )
}
