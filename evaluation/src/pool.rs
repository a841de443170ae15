//! Work over the cores of the machine; results in the order of the work, whoever was quicker.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does each piece on one of so many threads; `done` is told of each in the order in which they end.
pub(crate) fn over<J: Sync, R: Send>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> R + Sync,
    done: impl Fn(usize, &J, &R) + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let ended = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    let result = work(job);
                    done(ended.fetch_add(1, Ordering::Relaxed) + 1, job, &result);
                    results.lock().expect("no holder panics").push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no holder panics");
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_work() {
        let jobs: Vec<u64> = (0..100).rev().collect();
        let squares: Vec<u64> = jobs.iter().map(|n| n * n).collect();
        for threads in [0, 1, 7] {
            assert_eq!(over(&jobs, threads, |n| n * n, |_, _, _| {}), squares);
        }
        assert!(over(&[] as &[u64], 4, |n| *n, |_, _, _| {}).is_empty());
    }
}
