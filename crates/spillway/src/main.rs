//! The `spillway` command. Everything it does is in the library beside it, where tests can reach it.

fn main() -> std::process::ExitCode {
    spillway::cli::main()
}
