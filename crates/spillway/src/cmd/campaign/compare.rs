//! `spillway campaign compare`.

use std::io::Write as _;

use intel::campaign::{Because, chance};
use serde_json::{Value, json};

use super::Compare;
use super::read::{Known, Reader};
use crate::cli::Context;
use crate::output::{self, Format};

/// What came of comparing one with another.
struct Likeness<'a> {
    other: &'a Known,
    odds: f64,
    because: Because,
}

impl Likeness<'_> {
    fn document(&self) -> Value {
        let because: Vec<Value> =
            self.because.iter().map(|(what, weight)| json!({"what": what, "weight": weight})).collect();
        json!({"attack": self.other.name, "read_as": self.other.kind, "score": rounded(chance(self.odds)), "because": because})
    }
}

pub(super) fn run(args: &Compare, context: &Context) -> anyhow::Result<()> {
    let reader = Reader::new(&args.daemon)?;
    let one = reader.read(&args.one)?;
    let others = match &args.other {
        Some(other) => vec![reader.read(other)?],
        // An own attack is not compared with itself.
        None => reader.own()?.into_iter().filter(|other| other.trace != one.trace).collect(),
    };
    let mut likest: Option<Likeness<'_>> = None;
    for other in &others {
        let (odds, because) = one.trace.likeness(&other.trace);
        if likest.as_ref().is_none_or(|likest| odds > likest.odds) {
            likest = Some(Likeness { other, odds, because });
        }
    }
    let is_new = likest.as_ref().is_none_or(|likest| likest.odds <= 0.0);
    let answer = json!({
        "attack": one.name,
        "read_as": one.kind,
        "compared_with": others.len(),
        "answer": if is_new { "new" } else { "alike" },
        "likest": likest.as_ref().map(Likeness::document),
    });
    let mut out = output::stdout();
    match context.format(Format::Text) {
        Format::Json => output::document(&mut out, &answer)?,
        Format::Jsonl => output::line(&mut out, &answer)?,
        Format::Text => {
            let word = if is_new {
                "new: of no hand that is known by what was compared"
            } else {
                "alike: one hand made both, as it seems"
            };
            writeln!(out, "{} is {word}", one.name)?;
            if let Some(likest) = &likest {
                let Likeness { other, odds, because } = likest;
                writeln!(
                    out,
                    "  most like {}, one hand at {:.1} %, because",
                    other.name,
                    chance(*odds) * 100.0
                )?;
                because.iter().try_for_each(|(what, weight)| writeln!(out, "  {weight:>+5.1}  {what}"))?;
            }
            let of = others.len();
            writeln!(out, "  compared with {of} attack{}", if of == 1 { "" } else { "s" })?;
        }
    }
    Ok(out.flush()?)
}

fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}
