//! What the search for rules costs on this machine, beside what it counts: to calibrate `detect::signature`'s units of work.
//! `signature [ROWS] [VECTOR…]`: the largest windows there are, of each vector. `WORK=0` searches without a bound, `KIN=1` with honest
//! packets of other hosts mostly.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a tool of its developers, who may see it fail and take its time"
)]

use detect::class::Classifier;
use detect::sample::Sample;
use detect::signature::{self, Derived, Kin, Request};
use sim::packet::Nature;
use sim::scenario::{self, Case, Scale};
use telemetry::Record;
use wire::packet::{Link, parse};

/// The answer, and the milliseconds of a core that it took, the mean of so many times.
fn timed(request: &Request<'_>) -> (f64, Derived) {
    let times: u32 = std::env::var("TIMES").map_or(40, |n| n.parse().unwrap());
    let derived = signature::derive(request);
    let begun = spent();
    for _ in 0..times {
        std::hint::black_box(signature::derive(request));
    }
    ((spent() - begun) / f64::from(times), derived)
}

/// Milliseconds that this thread was given so far, told some ms late; where the kernel does not say, of the clock.
fn spent() -> f64 {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| BEGUN.elapsed().as_secs_f64() * 1e3, |nanos: f64| nanos / 1e6)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let rows: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(4096);
    let names: Vec<String> = args.collect();
    let work = match std::env::var("WORK").map(|work| work.parse().unwrap()) {
        Ok(0) => u64::MAX / 2,
        Ok(work) => work,
        Err(_) => signature::WORK_MAX,
    };
    let classifier = Classifier::default();
    let mut all = Vec::new();
    for vector in scenario::vectors().into_iter().filter(|v| names.is_empty() || names.contains(v)) {
        let Some(s) = scenario::build(&vector, Case::Attack, Scale::Capture, true, 1) else { continue };
        let target = s.events[0].target;
        let (mut attack, mut benign) = (Vec::new(), Vec::new());
        let natures: Vec<Nature> = s.world().map(|p| p.truth.nature).collect();
        for ((at, frame, _), nature) in s.world().frames().zip(natures) {
            let Ok(p) = parse(Link::Ethernet, &frame, u32::try_from(frame.len()).unwrap()) else { continue };
            let r = Record::packet(at, &p);
            let class = classifier.received(&r.headers, false);
            let sample = Sample {
                at,
                last: at,
                headers: r.headers,
                class,
                detail: r.detail,
                several: false,
                snip: r.snip,
                packets: 1,
                bytes: r.bytes,
                entry: (0, None),
                outgoing: false,
                unsolicited: false,
                lasting: detect::cell::Lasting::default(),
                unscaled: false,
                doubtful: false,
            };
            if nature == Nature::Attack && target.contains(r.headers.dst) {
                attack.push(sample);
            } else {
                benign.push(Sample { headers: wire::Headers { dst: target.addr(), ..r.headers }, ..sample });
            }
        }
        attack.truncate(rows);
        benign.truncate(rows);
        let targets = [target];
        let kin: Vec<Kin> = match std::env::var("KIN") {
            Ok(_) => benign
                .split_off(benign.len() / 8)
                .chunks(600)
                .map(|some| Kin { weight: 1.0, samples: some.to_vec() })
                .collect(),
            Err(_) => Vec::new(),
        };
        let request = Request { work, kin: &kin, ..Request::new(&attack, &benign, &targets) };
        let (whole, derived) = timed(&request);
        let (search, once) = timed(&Request { stability: Some(1.0), ..request });
        println!(
            "{vector:36} {:5} {:5} rows: {whole:7.2} ms for {:5.2} M, search {search:7.2} ms for {:5.2} M{}, {} rules, {:.1} %, stable {:.2}",
            attack.len(),
            benign.len(),
            derived.work as f64 / 1e6,
            once.work as f64 / 1e6,
            if derived.cut { " CUT" } else { "" },
            derived.rules.len(),
            derived.covered * 100.0,
            derived.stability
        );
        all.push(whole);
    }
    all.sort_by(f64::total_cmp);
    println!("median {:.2} ms, most {:.2} ms", all[all.len() / 2], all[all.len() - 1]);
}
