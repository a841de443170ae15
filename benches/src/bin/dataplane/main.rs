//! What a packet costs in the kernel: nanoseconds of `BPF_PROG_TEST_RUN`, ours and the peers' in one run, as a table.
//!
//! "Fixed" is one packet that meets no rule, "random" 4096 packets in turn of which a fifth meet one: half of them are
//! made from a rule. Each figure is the least of nine runs. They are costs of programs with warm caches: no driver, no
//! memory traffic of a card.

#[cfg(not(without_kernel_programs))]
mod driver;
#[cfg(not(without_kernel_programs))]
mod engine;
#[cfg(not(without_kernel_programs))]
mod measure;
#[cfg(not(without_kernel_programs))]
mod mix;
#[cfg(not(without_kernel_programs))]
mod peer;
#[cfg(not(without_kernel_programs))]
mod returning;
#[cfg(not(without_kernel_programs))]
mod sources;
#[cfg(not(without_kernel_programs))]
mod syn;

#[cfg(not(without_kernel_programs))]
fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("nftables") => peer::nftables(),
        Some("cookie") => syn::inside(),
        Some("returning") => returning::inside(),
        Some("limits") => sources::alone(),
        Some("engine") => engine::alone(),
        _ => measure::all(),
    }
}

#[cfg(without_kernel_programs)]
fn main() {
    eprintln!("clang and libbpf-dev are not installed: there are no kernel programs to measure");
    std::process::exit(1);
}
