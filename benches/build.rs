//! Compiles the bench's own kernel program; without clang the bench says so.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rustc-check-cfg=cfg(without_kernel_programs)");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("driver.bpf.o");
    let headers =
        format!("/usr/include/{}-linux-gnu", std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default());
    let compiled = Command::new("clang")
        .args(["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-I", &headers, "-c", "bpf/driver.bpf.c", "-o"])
        .arg(&out)
        .status();
    if compiled.is_ok_and(|status| status.success()) {
        println!("cargo::rustc-env=DRIVER_OBJECT={}", out.display());
    } else {
        println!("cargo::rustc-cfg=without_kernel_programs");
        println!("cargo::rerun-if-changed=/usr/bin/clang");
    }
}
