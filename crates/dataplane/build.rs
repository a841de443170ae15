//! Compiles the kernel programs with clang. Without it the crate builds without them and says so when it is asked for them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(without_kernel_programs)");
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    println!("cargo::rerun-if-env-changed=PATH");
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("spillway.bpf.o");
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    // Debian's headers of the C library stand in a folder of the architecture, which clang leaves out for this target.
    let headers = format!("/usr/include/{architecture}-linux-gnu");
    let compiled = Command::new(&clang)
        .args(["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-I", &headers, "-c"])
        .arg(Path::new("bpf/spillway.bpf.c"))
        .arg("-o")
        .arg(&out)
        .output();
    let wanted = std::env::var_os("SPILLWAY_KERNEL_PROGRAMS").is_some_and(|wanted| wanted == "required");
    println!("cargo::rerun-if-env-changed=SPILLWAY_KERNEL_PROGRAMS");
    let trouble = match compiled {
        Ok(output) if output.status.success() => {
            println!("cargo::rustc-env=SPILLWAY_BPF_OBJECT={}", out.display());
            return;
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("{clang}: {error}"),
    };
    assert!(!wanted, "the kernel programs do not compile (install clang and libbpf-dev): {trouble}");
    println!("cargo::rustc-cfg=without_kernel_programs");
    // A file that is not there makes cargo look again each time.
    println!("cargo::rerun-if-changed=/usr/bin/{clang}");
    let first = trouble.lines().next().unwrap_or_default();
    println!("cargo::warning=built without kernel programs (install clang and libbpf-dev): {first}");
}
