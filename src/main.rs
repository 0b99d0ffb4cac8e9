//! The `tyrian` binary.

fn main() -> std::process::ExitCode {
    tyrian::cli::main()
}
