//! How good plans are, and what they cost: the planner's efforts beside HiGHS on the same documents.

mod highs;
mod worlds;

use anyhow::bail;
use highs::{Highs, Opinion};
use steer::planner::{Document, Effort, Mode, Solver, plan};
use worlds::{FAMILIES, Size, world};

/// Sizes, documents of each, the seconds that HiGHS may think about one, and whether `exact` is asked for.
const SIZES: [(Size, u64, u32, bool); 5] = [
    ((10, 3, 3), 8, 20, true),
    ((30, 4, 5), 8, 20, true),
    ((100, 8, 10), 4, 30, true),
    ((300, 10, 20), 2, 30, false),
    ((1000, 20, 20), 2, 60, false),
];

/// One effort over the documents of a row.
#[derive(Default)]
struct Column {
    /// Value kept, of the reference.
    shares: Vec<f64>,
    /// Processor time of the slowest, seconds.
    slowest: f64,
    proven: usize,
    /// What is missing at most by the planner's own bound, as a share of it: the most of those that are not proven.
    gap: f64,
}

/// Prints the table; with `TARGETS FAMILY SEED`, by the numbers of its rows, one of its documents.
fn main() -> anyhow::Result<()> {
    let wanted = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<Vec<u64>, _>>()?;
    if let [targets, family, seed] = *wanted {
        let size = SIZES.iter().find(|(size, ..)| u64::from(size.0) == targets);
        let family = FAMILIES.get(usize::try_from(family)?);
        let (Some((size, ..)), Some((family, _))) = (size, family) else { bail!("no such row") };
        println!("{}", serde_json::to_string(&world(seed, *size, *family))?);
        return Ok(());
    }
    table()
}

fn table() -> anyhow::Result<()> {
    let highs = Highs::new()?;
    println!(
        "Value kept, as a share of the best plan where HiGHS proved one (`=`) or of the least bound it found (`≤`): least and mean of so many documents; processor time of the slowest.\n"
    );
    println!(
        "| targets × entries × absorbers | family | documents | greedy | quick | normal | exact | HiGHS |\n|---|---|---|---|---|---|---|---|"
    );
    for (size, documents, seconds, exact) in SIZES {
        for (family, name) in FAMILIES {
            let (mut columns, mut opinions) = ([const { None }; 4], Vec::new());
            for seed in 0..documents {
                let document = world(seed, size, family);
                let opinion = highs.opinion(&document, seconds)?;
                let Some(reference) = reference(&opinion) else { continue };
                opinions.push(opinion);
                for (column, effort) in columns.iter_mut().zip(efforts(exact)) {
                    if let Some(effort) = effort {
                        column.get_or_insert_with(Column::default).add(&document, effort, reference)?;
                    }
                }
            }
            let [greedy, quick, normal, most] =
                columns.map(|column| column.map_or_else(String::new, |c| c.text()));
            println!(
                "| {} × {} × {} | {name} | {} | {greedy} | {quick} | {normal} | {most} | {} |",
                size.0,
                size.1,
                size.2,
                opinions.len(),
                text(&opinions)
            );
        }
    }
    Ok(())
}

const fn efforts(exact: bool) -> [Option<Effort>; 4] {
    let most = if exact { Some(Effort::Exact) } else { None };
    [Some(Effort::Looks(0)), Some(Effort::Quick), Some(Effort::Normal), most]
}

/// The best plan, or the least that none exceeds.
fn reference(opinion: &Opinion) -> Option<f64> {
    if opinion.proven {
        return opinion.best;
    }
    match (opinion.bound, opinion.linear) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Column {
    fn add(&mut self, document: &Document, effort: Effort, reference: f64) -> anyhow::Result<()> {
        let began = on_processor()?;
        let plan = plan(document, Mode::default(), effort)?;
        self.slowest = self.slowest.max(on_processor()? - began);
        self.shares.push(plan.value_kept / reference);
        self.proven += usize::from(plan.solver == Solver::Exact);
        if let Some(bound) = plan.bound.filter(|bound| *bound > 0.0) {
            self.gap = self.gap.max(1.0 - plan.value_kept / bound);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let least = self.shares.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = self.shares.iter().sum::<f64>() / self.shares.len().max(1) as f64;
        let proven = if self.proven > 0 { format!(", {} proven", self.proven) } else { String::new() };
        let gap = if self.gap > 0.0 {
            format!(", own bound within {:.1} %", self.gap * 100.0)
        } else {
            String::new()
        };
        format!("{least:.4}, {mean:.4} in {}{proven}{gap}", seconds(self.slowest))
    }
}

fn seconds(time: f64) -> String {
    if time < 1.0 { format!("{:.1} ms", time * 1e3) } else { format!("{time:.1} s") }
}

fn text(opinions: &[Opinion]) -> String {
    let proven = opinions.iter().filter(|o| o.proven).count();
    let slowest = opinions.iter().map(|o| o.seconds).fold(0.0, f64::max);
    let worst = |of: fn(&Opinion) -> Option<f64>| {
        let shares = opinions.iter().filter_map(|o| Some(of(o)? / reference(o)?));
        let (low, high) = shares.fold((f64::INFINITY, 0.0_f64), |(low, high), s| (low.min(s), high.max(s)));
        (low, high)
    };
    let (best, _) = worst(|o| o.best);
    let (_, linear) = worst(|o| o.linear);
    let sign = if proven == opinions.len() { "=" } else { "≤" };
    format!(
        "{sign} {proven} proven, best at least {best:.4}, linear bound up to {linear:.4}, {}",
        seconds(slowest)
    )
}

/// Seconds that this thread was on a processor.
fn on_processor() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 / 1e9)
}
