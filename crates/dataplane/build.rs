//! Compiles the kernel programs with clang. Without it the crate builds without them and says so when it is asked for them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(without_kernel_programs)");
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    println!("cargo::rerun-if-env-changed=PATH");
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    let architecture = std::env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    // Debian's headers of the C library stand in a folder of the architecture, which clang leaves out for this target.
    let headers = format!("/usr/include/{architecture}-linux-gnu");
    let compile = |from: &Path, define: &str, to: &Path| {
        Command::new(&clang)
            .args([
                "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", define, "-I", &headers, "-c",
            ])
            .arg(from.join("spillway.bpf.c"))
            .arg("-o")
            .arg(to)
            .output()
    };
    let (whole, frags) = (out.join("spillway.bpf.o"), out.join("spillway.frags.bpf.o"));
    let compiled = match compile(Path::new("bpf"), "-DWHOLE", &whole) {
        Ok(output) if output.status.success() => {
            let copy = out.join("frags");
            rename_sections(Path::new("bpf"), &copy).and_then(|()| compile(&copy, "-DFRAGS", &frags))
        }
        other => other,
    };
    let wanted = std::env::var_os("SPILLWAY_KERNEL_PROGRAMS").is_some_and(|wanted| wanted == "required");
    println!("cargo::rerun-if-env-changed=SPILLWAY_KERNEL_PROGRAMS");
    let trouble = match compiled {
        Ok(output) if output.status.success() => {
            println!("cargo::rustc-env=SPILLWAY_BPF_OBJECT={}", whole.display());
            println!("cargo::rustc-env=SPILLWAY_BPF_FRAGS_OBJECT={}", frags.display());
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

/// The same programs for frames in several buffers: the loader knows them by the names of their sections.
fn rename_sections(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)?.flatten() {
        let text = std::fs::read_to_string(file.path())?;
        std::fs::write(to.join(file.file_name()), text.replace("SEC(\"xdp\")", "SEC(\"xdp.frags\")"))?;
    }
    Ok(())
}
